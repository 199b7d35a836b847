/* Profiles: what a workload does that a VMM must pay for, per million
 * instructions. */
#ifndef TM_REPORT_PROFILE_H
#define TM_REPORT_PROFILE_H

#include "report_tsv.h"

#define PROFILE_LEAST 0.1 /* what is rarer is as good as nothing */

/* The row that each benchmark's profile is read from: interp's, whose
 * instructions are all counted; and, if there is one, that under trace, where
 * writes to page tables are. NULL: none, or no workload. n: how many there are.
 * The caller frees the array. */
const struct report_row **profile_choose(const struct report *r, unsigned *n);

/* Per million instructions. False: not counted. */
bool profile_rate(const struct report_row *row, enum tm_event event,
                  double *value);

/* Says for which workloads page-table writes are unknown. */
void profile_note_untraced(const struct report *r,
                           const struct report_row **chosen,
                           struct text *notes);

/* A line a workload; nothing where there is none. */
void profile_table(const struct report *r, FILE *out);

#endif
