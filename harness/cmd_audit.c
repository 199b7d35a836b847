/* `trapmark audit`: which sensitive instructions each backend keeps. */
#include "audit.h"
#include "cmd.h"
#include "hostfacts.h"
#include "plan.h"
#include "resultfile.h"
#include "table.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT 20
#define LINE_WIDTH 100

struct audit_options {
    const char *backends, *guest, *initrd;
    const char *bt_user; /* "direct" or "translate" */
    bool json, verbose;
    unsigned timeout_s;
};

/* A backend that was audited, or that gave nothing. */
struct audited {
    const struct backend *backend;
    struct audit_log log;
    struct audit_summary sum;
    char problem[REASON_MAX]; /* how it ended between or after tests */
};

struct audit {
    const struct audit_options *options;
    char *bt_options;
    struct image image;
    struct plan plan;
    struct host_facts host;
    struct audited *list;
    size_t count, failed;
};

/* ---- Running ------------------------------------------------------------ */

static void on_line(void *opaque, const char *text, size_t len)
{
    audit_line(opaque, text, len);
}

/* Boots the guest again after each instruction that ended it, from the next one
 * on. False: interrupted. */
static bool audit_backend(struct audit *a, struct audited *b)
{
    const struct perf_set no_counters = {0};
    struct runner_job job = {
        .backend = b->backend,
        .bench = image_find(&a->image, "audit"),
        .image = &a->image,
        .samples = 1,
        .batch_us = 1,
        .iters = 1,
        .seed = 1,
        .tsc_khz = a->host.tsc_khz,
        .timeout_s = a->options->timeout_s,
        .options = a->bt_options,
        .perf = &no_counters,
        .verbose = a->options->verbose,
        .line = on_line,
        .opaque = &b->log,
    };
    struct runner_result r;
    int next = 0, stuck;

    do {
        char *words = xformat("audit_from=%d", next);

        job.words = words;
        runner_run(&job, &r);
        runner_result_free(&r);
        free(words);
        if (r.status == ROW_INTERRUPTED)
            return false;
        stuck = audit_unfinished(&b->log);
        if (stuck >= 0)
            set_why(b->log.cells[stuck].problem, "%s",
                    r.status == ROW_OK ? "the test had no end" : r.reason);
        next = stuck + 1;
    } while (stuck >= 0 && r.status != ROW_OK);
    if (r.status != ROW_OK)
        set_why(b->problem, "%s", r.reason);
    else if (!b->log.count)
        set_why(b->problem, "the guest made no test");
    audit_sum(&b->log, &b->sum);
    return true;
}

static bool audit_all(struct audit *a)
{
    a->list = xcalloc(a->plan.column_count + 1, sizeof(*a->list));
    for (size_t i = 0; i < a->plan.column_count; i++) {
        struct audited *b = &a->list[a->count];

        if (a->plan.rows[i].done)
            continue;
        b->backend = a->plan.columns[i].backend;
        a->count++;
        if (!audit_backend(a, b))
            return false;
        a->failed += *b->problem != '\0';
    }
    return true;
}

/* The backend whose tests went farthest, for what is the same on all; NULL:
 * none has any. */
static const struct audit_log *longest(const struct audit *a)
{
    const struct audited *best = NULL;

    for (size_t i = 0; i < a->count; i++)
        if (a->list[i].log.count &&
            (!best || a->list[i].sum.made > best->sum.made))
            best = &a->list[i];
    return best ? &best->log : NULL;
}

/* ---- Tables ------------------------------------------------------------- */

static char *cell_text(const struct audit_log *log, unsigned index)
{
    const struct audit_cell *c = &log->cells[index];
    char detail[REASON_MAX], name[24];

    switch (audit_judge(c, detail)) {
    case AUDIT_PRESERVED:
        return c->vector < 0 ? xstrdup("preserved")
                             : xstrdup(audit_exception(c->vector, name));
    case AUDIT_TRAPPED:
        return xformat("%s!", audit_exception(c->vector, name));
    case AUDIT_WRONG:
        return xstrdup("WRONG");
    default:
        return xstrdup("?");
    }
}

static void print_matrix(const struct audit *a, const struct audit_log *all)
{
    size_t columns = 2 + 2 * a->count;
    char **text = xcalloc(columns + 1, sizeof(*text));
    struct table *t;

    text[0] = xstrdup("INSTRUCTION");
    text[1] = xstrdup("LIST");
    for (size_t i = 0; i < a->count; i++)
        for (int ring = 0; ring < 2; ring++)
            text[2 + 2 * i + ring] =
                xformat("%s %d", a->list[i].backend->name, ring ? 3 : 0);
    t = table_new((const char *const *)text);
    /* The guest's order: an instruction in ring 0, then in ring 3. */
    for (unsigned n = 0; n + 1 < all->count; n += 2) {
        for (size_t i = 0; i < columns; i++)
            free(text[i]);
        text[0] = xstrdup(all->cells[n].insn);
        text[1] = xstrdup(all->cells[n].group);
        for (size_t i = 0; i < 2 * a->count; i++)
            text[2 + i] = cell_text(&a->list[i / 2].log, n + i % 2);
        table_row(t, (const char *const *)text);
    }
    for (size_t i = 0; i < columns; i++)
        free(text[i]);
    free(text);
    table_print(t, stdout);
    table_free(t);
    puts("\n0, 3: the ring. preserved: as the manual says. #XX: the exception "
         "that the manual demands.\n"
         "#XX!: an exception that it doesn't demand. WRONG: no exception, and "
         "not what the manual says.\n"
         "?: couldn't be judged. classic: Robin & Irvine's list of sensitive "
         "instructions.");
}

static void print_details(const struct audit *a)
{
    static const char *const headings[] = {"BACKEND", "RING", "INSTRUCTION",
                                           "WHAT HAPPENED", NULL};
    struct table *t = table_new(headings);
    bool any = false;

    for (size_t i = 0; i < a->count; i++) {
        const struct audit_log *log = &a->list[i].log;

        for (unsigned n = 0; n < log->count; n++) {
            const struct audit_cell *c = &log->cells[n];
            char detail[REASON_MAX], other[REASON_MAX] = "";
            bool pair = !(n & 1) && n + 1 < log->count;

            if (audit_judge(c, detail) == AUDIT_PRESERVED)
                continue;
            pair = pair && audit_judge(c + 1, other) != AUDIT_PRESERVED &&
                   !strcmp(detail, other);
            table_row(t, (const char *const[]){a->list[i].backend->name,
                                               pair      ? "0, 3"
                                               : c->ring ? "3"
                                                         : "0",
                                               c->insn, detail});
            n += pair;
            any = true;
        }
    }
    if (any) {
        putchar('\n');
        table_print(t, stdout);
    }
    table_free(t);
}

/* ---- Words -------------------------------------------------------------- */

static void print_wrapped(const char *text)
{
    putchar('\n');
    while (*text) {
        size_t len = strlen(text);

        if (len > LINE_WIDTH)
            for (len = LINE_WIDTH; len && text[len] != ' '; len--)
                ;
        if (!len)
            len = strcspn(text, " ");
        printf("%.*s\n", (int)len, text);
        text += len + (text[len] == ' ');
    }
}

static bool host_has_umip(const struct audit *a)
{
    const char *at = strstr(a->host.flags, "umip");

    return at && (at == a->host.flags || at[-1] == ' ') &&
           (!at[4] || at[4] == ' ');
}

static void print_theory(const struct audit *a, const struct audit_log *all)
{
    char *names, *text;
    unsigned n = audit_unprivileged(all, &names);

    text = xformat(
        "An instruction is sensitive if it reads or changes what a VMM must "
        "keep for the guest: tables, flags, the ring. It is privileged if it "
        "traps outside ring 0. Popek & Goldberg's theorem 1: a VMM that runs "
        "the guest outside ring 0 and acts on its traps can be built if the "
        "sensitive instructions are a subset of the privileged ones. On x86 "
        "they aren't: by the manual, %u of the classic ones tested here run "
        "in ring 3 without a trap (%s). So x86 is not classically "
        "virtualizable.",
        n, names ? names : "none");
    print_wrapped(text);
    free(text);
    free(names);
    text = xformat(
        "UMIP, which this host's CPU %s: where the kernel sets CR4.UMIP, sgdt, "
        "sidt, sldt, smsw and str raise #GP outside ring 0, so these five "
        "become privileged. The guest leaves it clear; a Linux host sets it "
        "for its own processes, and answers their sgdt, sidt and smsw with "
        "values that are made up. pushf, popf, lar, lsl, verr, verw, the far "
        "transfers and the segment registers' pushes, pops and moves remain "
        "as they were, so the theorem still doesn't apply.",
        host_has_umip(a) ? "has" : "doesn't have, or doesn't show");
    print_wrapped(text);
    free(text);
}

/* What the bt column stands for: "direct", "translate"; NULL: not bt's. */
static const char *user_mode(const struct audit *a, const struct audited *b)
{
    return strcmp(b->backend->name, "bt") ? NULL : a->options->bt_user;
}

static void print_report(const struct audit *a)
{
    const struct audit_log *all = longest(a);

    if (all) {
        print_matrix(a, all);
        print_details(a);
        print_theory(a, all);
    }
    for (size_t i = 0; i < a->count; i++) {
        const struct audited *b = &a->list[i];
        char *text =
            b->log.count
                ? audit_conclusion(b->backend, &b->sum, user_mode(a, b))
                : xformat("%s failed: %s", b->backend->name, b->problem);

        print_wrapped(text);
        free(text);
        if (b->log.count && *b->problem)
            printf("Between or after its tests the guest ended badly: %s\n",
                   b->problem);
        if (host_has_umip(a) && audit_shows_umip(&b->log))
            print_wrapped("sgdt, sidt, sldt, smsw and str are right here even "
                          "in ring 3, where others of the list aren't: what "
                          "UMIP's traps are good for.");
    }
    putchar('\n');
    for (size_t i = 0; i < a->plan.column_count; i++)
        if (a->plan.rows[i].done)
            printf("not audited: %s: %s\n", a->plan.columns[i].backend->name,
                   a->plan.rows[i].reason);
    for (size_t i = 0; i < a->plan.left_out_count; i++)
        printf("not audited: %s\n", a->plan.left_out[i]);
}

/* ---- JSON --------------------------------------------------------------- */

static json_t *cell_json(const struct audited *b, const struct audit_cell *c)
{
    json_t *o = json_object();
    char detail[REASON_MAX];
    enum audit_verdict v = audit_judge(c, detail);

    result_set_text(o, "backend", b->backend->name);
    result_set_text(o, "insn", c->insn);
    result_set_text(o, "group", c->group);
    json_object_set_new(o, "ring", json_integer(c->ring));
    result_set_text(o, "verdict", audit_verdicts[v]);
    if (v == AUDIT_UNKNOWN) {
        result_set_text(o, RF_REASON, detail);
        return o;
    }
    json_object_set_new(o, "want_vector", json_integer(c->want_vector));
    json_object_set_new(o, "vector", json_integer(c->vector));
    result_set_text(o, "want", c->want);
    result_set_text(o, "got", c->got);
    return o;
}

static json_t *backend_json(const struct audit *a, const struct audited *b)
{
    json_t *o = json_object();
    char *text;

    result_set_text(o, RF_NAME, b->backend->name);
    if (user_mode(a, b))
        result_set_text(o, "bt_user", user_mode(a, b));
    if (*b->problem)
        result_set_text(o, RF_REASON, b->problem);
    if (!b->log.count)
        return o;
    for (int v = AUDIT_PRESERVED; v <= AUDIT_UNKNOWN; v++)
        json_object_set_new(o, audit_verdicts[v],
                            json_integer(b->sum.verdicts[v]));
    text = audit_conclusion(b->backend, &b->sum, user_mode(a, b));
    result_set_text(o, "conclusion", text);
    free(text);
    return o;
}

static void print_json(const struct audit *a)
{
    json_t *all = json_object(), *list = json_array(), *cells = json_array();

    for (size_t i = 0; i < a->count; i++) {
        const struct audited *b = &a->list[i];

        json_array_append_new(list, backend_json(a, b));
        for (unsigned n = 0; n < b->log.count; n++)
            if (b->log.cells[n].begun)
                json_array_append_new(cells, cell_json(b, &b->log.cells[n]));
    }
    json_object_set_new(all, "umip", json_boolean(host_has_umip(a)));
    json_object_set_new(all, RF_BACKENDS, list);
    json_object_set_new(all, "results", cells);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

/* ---- The command -------------------------------------------------------- */

enum { KEY_TIMEOUT = 256, KEY_GUEST, KEY_INITRD, KEY_BT_USER };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct audit_options *o = state->input;

    switch (key) {
    case 'b':
        o->backends = arg;
        break;
    case 'j':
        o->json = true;
        break;
    case 'v':
        o->verbose = true;
        break;
    case KEY_BT_USER:
        if (strcmp(arg, "direct") && strcmp(arg, "translate"))
            cli_usage("--bt-user takes direct or translate, not '%s'", arg);
        o->bt_user = arg;
        break;
    case KEY_TIMEOUT:
        o->timeout_s = cli_number("timeout", arg, 1, 86400);
        break;
    case KEY_GUEST:
        o->guest = arg;
        break;
    case KEY_INITRD:
        o->initrd = arg;
        break;
    case ARGP_KEY_ARG:
        cli_usage("unexpected '%s'", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static int finish(struct audit *a, bool whole)
{
    int status = EXIT_OK;

    if (!whole) {
        cli_say("interrupted");
        status = EXIT_INTERRUPTED;
    } else {
        if (a->options->json)
            print_json(a);
        else
            print_report(a);
        if (!a->count)
            status = EXIT_NOTHING;
        else if (a->failed)
            status = EXIT_FAILED;
    }
    for (size_t i = 0; i < a->count; i++)
        audit_sum_free(&a->list[i].sum);
    free(a->list);
    free(a->bt_options);
    plan_free(&a->plan);
    image_close(&a->image);
    return status;
}

int cmd_audit(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"backends", 'b', "B,..", 0,
         "these backends (default: all that are available)", 1},
        {"bt-user", KEY_BT_USER, "direct|translate", 0,
         "bt: how it runs user code, ring 3 (default: translate, which keeps "
         "the instructions there, too; run's default is direct)",
         1},
        {"json", 'j', NULL, 0, "as JSON", 1},
        {"timeout", KEY_TIMEOUT, "S", 0,
         "most seconds a guest may take (default: 20)", 2},
        {"guest", KEY_GUEST, "FILE", 0, "another guest kernel", 3},
        {"initrd", KEY_INITRD, "FILE", 0, "another initrd", 3},
        {"verbose", 'v', NULL, 0, "show what the guests say", 3},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc =
            "Run each sensitive instruction in the guest's ring 0 and ring 3 "
            "on each backend, and show which are kept, which trap, and "
            "which go wrong in silence. What goes wrong is a finding, not a "
            "failure: the exit code is 0.",
    };
    struct audit_options o = {.timeout_s = DEFAULT_TIMEOUT,
                              .bt_user = "translate"};
    struct plan_request request = {.benches = "audit"};
    struct audit a = {.options = &o};
    char why[REASON_MAX];

    cli_parse(&argp, argc, argv, &o);
    if (image_open(&a.image, o.guest, o.initrd, why)) {
        cli_say("%s", why);
        return EXIT_USAGE;
    }
    a.bt_options = xformat("bt-user=%s", o.bt_user);
    request.backends = o.backends;
    plan_make(&a.plan, &a.image, &request);
    hostfacts_collect(&a.host);
    runner_catch_signals();
    return finish(&a, audit_all(&a));
}
