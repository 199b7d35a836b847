/* The tables that `run` prints. */
#ifndef TM_RUNTABLE_H
#define TM_RUNTABLE_H

#include "session.h"

/* A matrix of benchmarks and backends per suite, then what failed or was
 * skipped and why, then warnings. */
void runtable_print(const struct session *s, FILE *out);

#endif
