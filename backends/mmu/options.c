/* Options of paging: "paging-fault-around=16,paging-prefill=on". */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct paging_options paging_defaults = {
    .fault_around = 16,
    .shadow_cache = 16,
};

static bool parse_switch(const char *v, size_t len, void *to)
{
    bool on = len == 2 && !memcmp(v, "on", 2);

    *(enum paging_choice *)to = on ? PAGING_ON : PAGING_OFF;
    return on || (len == 3 && !memcmp(v, "off", 3));
}

static bool parse_number(const char *v, size_t len, unsigned max, unsigned *to)
{
    char *end;
    unsigned long n = strtoul(v, &end, 10);

    *to = (unsigned)n;
    return *v >= '0' && *v <= '9' && end == v + len && n >= 1 && n <= max;
}

static bool parse_around(const char *v, size_t len, void *to)
{
    return parse_number(v, len, 512, to) &&
           !(*(unsigned *)to & (*(unsigned *)to - 1));
}

static bool parse_spaces(const char *v, size_t len, void *to)
{
    return parse_number(v, len, 256, to);
}

static bool parse_maps(const char *v, size_t len, void *to)
{
    return parse_number(v, len, 1u << 30, to) && *(unsigned *)to >= 16;
}

static const struct {
    const char *key, *values;
    size_t offset;
    bool (*parse)(const char *v, size_t len, void *to);
} keys[] = {
    {"paging-fault-around", "a power of two from 1 to 512",
     offsetof(struct paging_options, fault_around), parse_around},
    {"paging-prefill", "on or off", offsetof(struct paging_options, prefill),
     parse_switch},
    {"paging-shadow-cache", "1 to 256",
     offsetof(struct paging_options, shadow_cache), parse_spaces},
    {"paging-max-maps", "a number from 16 on",
     offsetof(struct paging_options, max_maps), parse_maps},
    {"paging-walk-cache", "on or off",
     offsetof(struct paging_options, walk_cache), parse_switch},
    {"paging-nested-large", "on or off",
     offsetof(struct paging_options, nested_large), parse_switch},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int parse_one(const char *text, size_t len, struct paging_options *o,
                     char why[REASON_MAX])
{
    size_t klen = strcspn(text, "=,");
    unsigned k = 0;

    while (k < KEYS &&
           (strlen(keys[k].key) != klen || memcmp(keys[k].key, text, klen)))
        k++;
    if (k == KEYS) {
        snprintf(why, REASON_MAX, "no paging option \"%.*s\"", (int)klen, text);
        return -EINVAL;
    }
    if (klen < len && keys[k].parse(text + klen + 1, len - klen - 1,
                                    (char *)o + keys[k].offset))
        return 0;
    snprintf(why, REASON_MAX, "%s takes %s, not \"%.*s\"", keys[k].key,
             keys[k].values, klen < len ? (int)(len - klen - 1) : 0,
             klen < len ? text + klen + 1 : "");
    return -EINVAL;
}

int paging_options_parse(const char *options, struct paging_options *o,
                         char why[REASON_MAX])
{
    int err = 0;

    *o = paging_defaults;
    while (!err && options && *options) {
        size_t len = strcspn(options, ",");

        if (!strncmp(options, "paging-", 7))
            err = parse_one(options, len, o, why);
        options += len + (options[len] == ',');
    }
    return err;
}
