/* The report's tables of the exit oracle. */
#ifndef TM_REPORT_ORACLE_H
#define TM_REPORT_ORACLE_H

#include "report.h"

/* A table as text: the first row is headings; those of numbers begin with '>',
 * as table_new() wants them. */
struct sheet {
    char **cell; /* row by row */
    unsigned columns, rows;
};
void sheet_free(struct sheet *s);

/* Exits per operation that each technology would take, from rows of interp
 * under the policy that suits it. No rows where the files hold none under
 * "nested" or "unsync". */
struct sheet report_predicted(const struct report *r);

/* Predicted against counted, for every row of kvm whose exits were counted on
 * VT-x or SVM and which has a row of interp beside it; summary, malloc'ed or
 * NULL, says how many agree. */
struct sheet report_compared(const struct report *r, char **summary);

#endif
