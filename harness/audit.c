/* The audit's lines, and the verdict on each test. */
#include "audit.h"
#include "util.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const audit_verdicts[] = {"preserved", "trapped", "silently wrong",
                                      "unknown"};

const char *audit_exception(int vector, char text[24])
{
    static const char *const names[] = {
        [0] = "#DE",  [1] = "#DB",  [3] = "#BP",  [4] = "#OF",
        [5] = "#BR",  [6] = "#UD",  [7] = "#NM",  [8] = "#DF",
        [10] = "#TS", [11] = "#NP", [12] = "#SS", [13] = "#GP",
        [14] = "#PF", [16] = "#MF", [17] = "#AC", [19] = "#XM"};

    if (vector >= 0 && (size_t)vector < sizeof(names) / sizeof(names[0]) &&
        names[vector])
        return names[vector];
    snprintf(text, 24, "vector %d", vector);
    return text;
}

/* ---- Lines -------------------------------------------------------------- */

/* Copies a member's text, made fit for a terminal; false: it has none. */
static bool take_text(const json_t *line, const char *name, char *text,
                      size_t size)
{
    const char *value = json_string_value(json_object_get(line, name));

    if (!value)
        return false;
    snprintf(text, size, "%s", value);
    for (char *p = text; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = ' ';
    return true;
}

static bool take_begin(struct audit_cell *c, const json_t *line)
{
    const json_t *ring = json_object_get(line, "ring");
    struct audit_cell new = {.begun = true};

    new.ring = json_integer_value(ring);
    if (!json_is_integer(ring) || (new.ring &&new.ring != 3) ||
        !take_text(line, "insn", new.insn, sizeof(new.insn)) ||
        !take_text(line, "group", new.group, sizeof(new.group)))
        return false;
    *c = new;
    return true;
}

static bool take_end(struct audit_cell *c, const json_t *line)
{
    const json_t *want = json_object_get(line, "want_vector");
    const json_t *got = json_object_get(line, "vector");

    if (!c->begun)
        return false;
    if (!take_text(line, "problem", c->problem, sizeof(c->problem))) {
        if (!json_is_integer(want) || !json_is_integer(got) ||
            !take_text(line, "want", c->want, sizeof(c->want)) ||
            !take_text(line, "got", c->got, sizeof(c->got)))
            return false;
        c->want_vector = json_integer_value(want);
        c->vector = json_integer_value(got);
    }
    c->ended = true;
    return true;
}

static bool take_line(struct audit_log *log, const json_t *line)
{
    const char *kind = json_string_value(json_object_get(line, "tm"));
    const char *step = json_string_value(json_object_get(line, "step"));
    const json_t *index = json_object_get(line, "index");
    json_int_t n = json_integer_value(index);

    if (!kind || strcmp(kind, "audit") || !step || !json_is_integer(index) ||
        n < 0 || n >= AUDIT_MAX)
        return false;
    if (!strcmp(step, "end"))
        return take_end(&log->cells[n], line);
    if (strcmp(step, "begin") || !take_begin(&log->cells[n], line))
        return false;
    if (log->count <= n)
        log->count = n + 1;
    return true;
}

bool audit_line(struct audit_log *log, const char *text, size_t len)
{
    json_t *line = json_loadb(text, len, 0, NULL);
    bool taken = line && take_line(log, line);

    json_decref(line);
    return taken;
}

int audit_unfinished(const struct audit_log *log)
{
    for (unsigned i = 0; i < log->count; i++)
        if (log->cells[i].begun && !log->cells[i].ended &&
            !*log->cells[i].problem)
            return i;
    return -1;
}

/* ---- Verdicts ----------------------------------------------------------- */

enum audit_verdict audit_judge(const struct audit_cell *c,
                               char detail[REASON_MAX])
{
    char got[24], want[24];

    *detail = '\0';
    if (!c->ended || *c->problem) {
        set_why(detail, "%s",
                *c->problem ? c->problem : "the test was never made");
        return AUDIT_UNKNOWN;
    }
    if (c->vector != c->want_vector && c->vector >= 0) {
        if (c->want_vector < 0)
            set_why(detail, "%s, where the manual demands no exception",
                    audit_exception(c->vector, got));
        else
            set_why(detail, "%s instead of %s", audit_exception(c->vector, got),
                    audit_exception(c->want_vector, want));
        return AUDIT_TRAPPED;
    }
    if (c->vector != c->want_vector) {
        set_why(detail, "%s, should have been %s", *c->got ? c->got : "no trap",
                audit_exception(c->want_vector, want));
        return AUDIT_WRONG;
    }
    if (c->vector < 0 && strcmp(c->got, c->want)) {
        set_why(detail, "%s, should have been %s", c->got, c->want);
        return AUDIT_WRONG;
    }
    return AUDIT_PRESERVED;
}

/* Appends a name once. */
static void add_name(char **list, const char *name)
{
    char *longer, *at = *list;
    size_t len = strlen(name);

    for (; at && (at = strstr(at, name)); at += len)
        if ((at == *list || at[-1] == ' ') && (!at[len] || at[len] == ','))
            return;
    longer = *list ? xformat("%s, %s", *list, name) : xstrdup(name);
    free(*list);
    *list = longer;
}

void audit_sum(const struct audit_log *log, struct audit_summary *sum)
{
    char detail[REASON_MAX];

    memset(sum, 0, sizeof(*sum));
    for (unsigned i = 0; i < log->count; i++) {
        const struct audit_cell *c = &log->cells[i];
        enum audit_verdict v = audit_judge(c, detail);

        sum->verdicts[v]++;
        sum->made += v != AUDIT_UNKNOWN;
        if (v != AUDIT_WRONG)
            continue;
        sum->wrong[c->ring == 3]++;
        sum->classic_ring0 += !c->ring && !strcmp(c->group, "classic");
        add_name(&sum->names[c->ring == 3], c->insn);
    }
}

void audit_sum_free(struct audit_summary *sum)
{
    free(sum->names[0]);
    free(sum->names[1]);
    sum->names[0] = sum->names[1] = NULL;
}

bool audit_shows_umip(const struct audit_log *log)
{
    static const char *const covered[] = {"sgdt", "sidt", "sldt", "smsw",
                                          "str"};
    unsigned kept = 0, lost = 0;
    char detail[REASON_MAX];

    for (unsigned i = 0; i < log->count; i++) {
        const struct audit_cell *c = &log->cells[i];
        enum audit_verdict v = audit_judge(c, detail);
        bool by_umip = false;

        if (c->ring != 3 || strcmp(c->group, "classic"))
            continue;
        for (size_t k = 0; k < sizeof(covered) / sizeof(covered[0]); k++)
            by_umip |= !strcmp(c->insn, covered[k]);
        kept += by_umip && v == AUDIT_PRESERVED;
        lost += !by_umip && v == AUDIT_WRONG;
    }
    return kept == sizeof(covered) / sizeof(covered[0]) && lost;
}

unsigned audit_unprivileged(const struct audit_log *log, char **names)
{
    unsigned n = 0;

    *names = NULL;
    for (unsigned i = 0; i < log->count; i++) {
        const struct audit_cell *c = &log->cells[i];

        if (c->ring != 3 || !c->ended || *c->problem || c->want_vector >= 0 ||
            strcmp(c->group, "classic"))
            continue;
        add_name(names, c->insn);
        n++;
    }
    return n;
}
