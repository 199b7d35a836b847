/* Tables for people, on libsmartcols. */
#ifndef TM_TABLE_H
#define TM_TABLE_H

#include <stdbool.h>
#include <stdio.h>

struct table;

/* Columns in order; a heading that begins with '>' is aligned right. The list
 * ends with NULL. */
struct table *table_new(const char *const *headings);
/* Cells of one row, copied; NULL is an empty cell. As many as headings. */
void table_row(struct table *t, const char *const *cells);
/* The line that the last row can be wrapped into is the last column's. */
void table_print(struct table *t, FILE *out);
void table_free(struct table *t);

/* A figure in at most 7 characters: three digits or more count, then k, M, G.
 */
const char *table_figure(double value, char text[16]);
/* A median with half its interval in per cent, "~1234 ±2%", malloc'ed; "~" where
 * noisy. Below 1 the interval is absolute noise and left out. */
char *table_measured(double median, double low, double high, bool noisy);
/* "~1.04x", malloc'ed. */
char *table_ratio(double ratio, bool noisy);
/* "±", or "+-" where the locale has no such character. */
const char *table_plus_minus(void);

#endif
