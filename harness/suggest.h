/* The nearest of a list of names, for error messages. */
#ifndef TM_SUGGEST_H
#define TM_SUGGEST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap neighbours) from a to b, ignoring
 * case; names longer than 63 bytes are compared by their first 63. */
unsigned edit_distance(const char *a, const char *b);

/* The nearest name, or NULL where none is near enough to be what was meant. A
 * name that begins with wrong counts as near. names ends with NULL. */
const char *suggest_name(const char *wrong, const char *const *names);

#endif
