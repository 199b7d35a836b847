/* Benchmarks whose operation is a guest's whole life (TM_BENCH_WHOLE_LIFE). */
#ifndef TM_LIFE_H
#define TM_LIFE_H

#include "runner.h"

/* runner_run for such a benchmark: job->samples guests live one after the
 * other, each a sample of one operation. Ticks and events are the machine's, of
 * all that happens between a guest's first instruction and its end; what the
 * machine's owner does before (loading) is not in it. Nothing is subtracted. In
 * deterministic mode a sample is retired instructions. */
void life_run(const struct runner_job *job, struct runner_result *result);

/* Why a backend can't have such rows, or NULL. */
const char *life_refuse(const struct backend *backend);

#endif
