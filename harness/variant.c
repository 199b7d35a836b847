/* What tells the rows of one benchmark on one backend apart, and its words. */
#include "variant.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

#define PAGING "paging-"

/* What a label says of an option; %s is its value. usual: its default, where it
 * is known. policies: those that it is of influence on; NULL: none of paging.
 * backend: the only one that it is of influence on; NULL: each. */
static const struct {
    const char *key, *usual, *on, *off, *other, *policies, *backend;
} words[] = {
    {"bt-adaptive", "on", "adaptive", "no adaptation", NULL, NULL, NULL},
    {"bt-chain", "on", "chained", "no chaining", NULL, NULL, NULL},
    {"bt-inline", "on", "inline sequences", "no inline sequences", NULL, NULL,
     NULL},
    {"bt-unit", "12", NULL, NULL, "units of %s", NULL, NULL},
    {"bt-user", "direct", NULL, NULL, "user code: %s", NULL, NULL},
    {"kvm-trace", "off", "exits traced", "exits not traced", NULL, NULL, NULL},
    {"paging-fault-around", NULL, NULL, NULL, "fault-around %s",
     "vtlb trace unsync", NULL},
    {"paging-prefill", NULL, "prefill", "no prefill", NULL, "trace unsync",
     NULL},
    {"paging-shadow-cache", NULL, NULL, NULL, "%s shadows", "trace unsync",
     NULL},
    {"paging-walk-cache", NULL, "walk cache", "no walk cache", NULL,
     "none vtlb trace unsync nested", "interp"},
    {"paging-nested-large", "off", "2 MiB nested pages", "4 KiB nested pages",
     NULL, "nested", "interp"},
};
#define WORDS (sizeof(words) / sizeof(words[0]))

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static bool begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

bool variant_owns(const char *backend, const char *key)
{
    size_t len = strlen(backend);

    return begins(key, PAGING) || (begins(key, backend) && key[len] == '-');
}

static bool concerns(const char *key, const char *backend, const char *policy)
{
    size_t len = strlen(policy);

    for (size_t i = 0; i < WORDS; i++) {
        if (strcmp(words[i].key, key) || !words[i].policies)
            continue;
        if (words[i].backend && strcmp(words[i].backend, backend))
            return false;
        for (const char *p = words[i].policies; p; p = strchr(p, ' ')) {
            p += *p == ' ';
            if (!strncmp(p, policy, len) && (!p[len] || p[len] == ' '))
                return true;
        }
        return false;
    }
    return true;
}

bool variant_takes(const struct backend *b, const char *paging, const char *key)
{
    if (!variant_owns(b->name, key))
        return false;
    if (!begins(key, PAGING))
        return true;
    return b->policies &&
           concerns(key, b->name, paging ? paging : b->policies[0]);
}

static bool is_usual(const char *key, const json_t *value)
{
    const char *text = json_string_value(value);

    for (size_t i = 0; i < WORDS; i++)
        if (!strcmp(words[i].key, key))
            return words[i].usual && text && !strcmp(words[i].usual, text);
    return false;
}

bool variant_usual(const struct variant *v, const char *except)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)v->params, key, value)
    {
        if (variant_owns(v->backend, key) && !is_usual(key, value) &&
            !(except && !strcmp(key, except)))
            return false;
    }
    return true;
}

/* Whether a's options are all among b's. */
static bool options_within(const struct variant *a, const struct variant *b)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)a->params, key, value)
    {
        if (variant_owns(a->backend, key) &&
            !json_equal(value, json_object_get(b->params, key)))
            return false;
    }
    return true;
}

bool variant_same(const struct variant *a, const struct variant *b)
{
    return a->file == b->file && !strcmp(a->backend, b->backend) &&
           same(a->paging, b->paging) && options_within(a, b) &&
           options_within(b, a);
}

static bool related(const struct variant *a, const struct variant *b)
{
    return a->file == b->file && !strcmp(a->backend, b->backend);
}

static char *value_text(const json_t *value)
{
    char *dump, *text;

    if (json_is_string(value))
        return xstrdup(json_string_value(value));
    dump = json_dumps(value, JSON_ENCODE_ANY);
    text = xstrdup(dump ? dump : "?");
    free(dump);
    return text;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static char *option_words(const char *backend, const char *key,
                          const json_t *json)
{
    char *value = value_text(json), *text = NULL;
    size_t skip = begins(key, PAGING) ? strlen(PAGING) : strlen(backend) + 1;

    for (size_t i = 0; i < WORDS && !text; i++) {
        if (strcmp(words[i].key, key))
            continue;
        if (words[i].other)
            text = xformat(words[i].other, value);
        else if (!strcmp(value, "on"))
            text = xstrdup(words[i].on);
        else if (!strcmp(value, "off"))
            text = xstrdup(words[i].off);
    }
    if (!text)
        text = xformat("%s=%s", key + skip, value);
    free(value);
    return text;
}
#pragma GCC diagnostic pop

const char *variant_odd(const struct variant *v, char **text)
{
    const char *key, *odd = NULL;
    json_t *value;

    json_object_foreach((json_t *)v->params, key, value)
    {
        if (!variant_owns(v->backend, key) || is_usual(key, value))
            continue;
        if (odd)
            return NULL;
        odd = key;
    }
    if (odd && text)
        *text = option_words(v->backend, odd, json_object_get(v->params, odd));
    return odd;
}

char *variant_label(const struct variant *all, size_t n, size_t i)
{
    const struct variant *v = &all[i];
    bool pagings = false;
    const char *key;
    json_t *value;
    char *label;

    for (size_t k = 0; k < n; k++)
        pagings |= related(v, &all[k]) && !same(v->paging, all[k].paging);
    label = pagings ? xformat("%s/%s", v->backend, v->paging ? v->paging : "?")
                    : xstrdup(v->backend);
    json_object_foreach((json_t *)v->params, key, value)
    {
        bool differs = false;
        char *more, *text;

        if (!variant_owns(v->backend, key) || is_usual(key, value))
            continue;
        for (size_t k = 0; k < n; k++)
            differs |= related(v, &all[k]) &&
                       !json_equal(value, json_object_get(all[k].params, key));
        if (!differs)
            continue;
        text = option_words(v->backend, key, value);
        more = xformat("%s, %s", label, text);
        free(text);
        free(label);
        label = more;
    }
    return label;
}

static bool point_within(const char *backend_a, const json_t *a,
                         const char *backend_b, const json_t *b)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)a, key, value)
    {
        if (!variant_owns(backend_a, key) &&
            (variant_owns(backend_b, key) ||
             !json_equal(value, json_object_get(b, key))))
            return false;
    }
    return true;
}

bool variant_same_point(const char *backend_a, const json_t *a,
                        const char *backend_b, const json_t *b)
{
    return point_within(backend_a, a, backend_b, b) &&
           point_within(backend_b, b, backend_a, a);
}

char *variant_point(const char *backend, const json_t *params)
{
    char *point = xstrdup("");
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)params, key, value)
    {
        char *text, *more;

        if (variant_owns(backend, key))
            continue;
        text = value_text(value);
        more = xformat("%s %s=%s", point, key, text);
        free(text);
        free(point);
        point = more;
    }
    return point;
}
