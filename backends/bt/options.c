/* Options of the binary translator: "bt-adaptive=off,bt-unit=4"; bt-cache, in
 * KiB, is for tests of what happens when the cache is full. */
#include "bt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_DEFAULT 12

static bool is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && !memcmp(text, word, len);
}

static bool parse_switch(const char *v, size_t len, bool *to)
{
    *to = is(v, len, "on");
    return *to || is(v, len, "off");
}

static bool parse_one(struct bt_options *o, const char *key, size_t klen,
                      const char *v, size_t vlen)
{
    char *end;

    if (is(key, klen, "bt-adaptive"))
        return parse_switch(v, vlen, &o->adaptive);
    if (is(key, klen, "bt-chain"))
        return parse_switch(v, vlen, &o->chain);
    if (is(key, klen, "bt-inline"))
        return parse_switch(v, vlen, &o->inlines);
    if (is(key, klen, "bt-user")) {
        o->user_translate = is(v, vlen, "translate");
        return o->user_translate || is(v, vlen, "direct");
    }
    if (is(key, klen, "bt-unit")) {
        unsigned long n = strtoul(v, &end, 10);

        o->unit = (unsigned)n;
        return end == v + vlen && n >= 1 && n <= BT_UNIT_MAX;
    }
    if (is(key, klen, "bt-cache")) {
        unsigned long kib = strtoul(v, &end, 10);

        o->cache = (uint32_t)(kib << 10);
        return end == v + vlen && kib >= BT_CACHE_MIN >> 10 &&
               kib <= BT_CACHE_SIZE >> 10;
    }
    return strncmp(key, "bt-", 3) != 0; /* another backend's */
}

int bt_options_parse(struct bt *bt, const char *options, char why[REASON_MAX])
{
    bt->opt = (struct bt_options){.adaptive = true,
                                  .chain = true,
                                  .inlines = true,
                                  .unit = UNIT_DEFAULT,
                                  .cache = BT_CACHE_SIZE};
    while (options && *options) {
        size_t len = strcspn(options, ","), klen = strcspn(options, "=,");

        if (klen == len || !parse_one(&bt->opt, options, klen,
                                      options + klen + 1, len - klen - 1)) {
            snprintf(why, REASON_MAX, "bt doesn't know the option \"%.*s\"",
                     (int)len, options);
            return -EINVAL;
        }
        options += len + (options[len] == ',');
    }
    return 0;
}
