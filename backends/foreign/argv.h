/* A growing argument vector: what struct backend's command() returns. */
#ifndef TM_ARGV_H
#define TM_ARGV_H

#include <stdbool.h>
#include <stddef.h>

/* Start from {0}. Running out of memory is remembered until argv_take(). */
struct argv {
    char **items; /* NULL-terminated, once anything was added */
    size_t count;
    bool failed;
};

/* Adds one argument, formatted; never seen by a shell. */
void argv_add(struct argv *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Hands the vector to the caller, who frees it; NULL when memory ran out. */
char **argv_take(struct argv *a);

/* Frees a vector and its strings; NULL is allowed. */
void argv_free(char **items);

#endif
