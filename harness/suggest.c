/* The nearest of a list of names, for error messages. */
#include "suggest.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NAME_CAP 63

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: three rows of the usual table suffice. */
unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[3][NAME_CAP + 1];
    unsigned *before = row[0], *last = row[1], *now = row[2];
    size_t la = strnlen(a, NAME_CAP), lb = strnlen(b, NAME_CAP);

    for (size_t j = 0; j <= lb; j++)
        last[j] = j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *spare = before;

        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            int ca = tolower((unsigned char)a[i - 1]);
            int cb = tolower((unsigned char)b[j - 1]);

            now[j] =
                least(least(last[j], now[j - 1]) + 1, last[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                cb == tolower((unsigned char)a[i - 2]))
                now[j] = least(now[j], before[j - 2] + 1);
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[lb];
}

const char *suggest_name(const char *wrong, const char *const *names)
{
    size_t len = strlen(wrong);
    unsigned best = len / 2 + 1; /* about half the letters must be right */
    const char *found = NULL;

    if (best > 4)
        best = 4;
    for (; *names; names++) {
        unsigned d = edit_distance(wrong, *names);

        if (len >= 2 && !strncasecmp(wrong, *names, len) && d > 1)
            d = 1;
        if (d < best) {
            best = d;
            found = *names;
        }
    }
    return found;
}
