/* Parser of the space-separated key=value command line. */
#include "lib.h"

const char *cmdline_get(const char *cmdline, const char *key, size_t *len)
{
    size_t key_len = strlen(key);
    const char *p = cmdline;

    while (*p) {
        const char *word = p;

        while (*p && *p != ' ')
            p++;
        if ((size_t)(p - word) > key_len && word[key_len] == '=' &&
            !memcmp(word, key, key_len)) {
            *len = (size_t)(p - word) - key_len - 1;
            return word + key_len + 1;
        }
        while (*p == ' ')
            p++;
    }
    return NULL;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return 16;
}

uint64_t cmdline_u64(const char *cmdline, const char *key, uint64_t fallback)
{
    size_t len, i = 0;
    const char *s = cmdline_get(cmdline, key, &len);
    unsigned base = 10;
    uint64_t v = 0;

    if (!s)
        return fallback;
    if (len > 2 && s[0] == '0' && s[1] == 'x') {
        base = 16;
        i = 2;
    }
    if (i == len)
        return fallback;
    for (; i < len; i++) {
        unsigned d = (unsigned)digit_value(s[i]);

        if (d >= base || v > (UINT64_MAX - d) / base)
            return fallback;
        v = v * base + d;
    }
    return v;
}

bool cmdline_item(const char **list, size_t *len, char *item, size_t size)
{
    size_t n = 0;

    while (*len && **list == ',') {
        (*list)++;
        (*len)--;
    }
    if (!*len)
        return false;
    while (*len && **list != ',') {
        if (n + 1 < size)
            item[n++] = **list;
        (*list)++;
        (*len)--;
    }
    item[n] = '\0';
    return true;
}
