/* A growing argument vector. */
#include "argv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void argv_add(struct argv *a, const char *format, ...)
{
    char **items = realloc(a->items, (a->count + 2) * sizeof(*items));
    va_list args;

    if (!items) {
        a->failed = true;
        return;
    }
    a->items = items;
    va_start(args, format);
    if (vasprintf(&items[a->count], format, args) < 0)
        a->failed = true;
    else
        a->count++;
    va_end(args);
    items[a->count] = NULL;
}

char **argv_take(struct argv *a)
{
    char **items = a->items;

    if (a->failed) {
        argv_free(items);
        items = NULL;
    }
    *a = (struct argv){0};
    return items;
}

void argv_free(char **items)
{
    for (size_t i = 0; items && items[i]; i++)
        free(items[i]);
    free(items);
}
