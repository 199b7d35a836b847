/* One row of the results: a benchmark on a backend, over all its rounds. */
#ifndef TM_ROW_H
#define TM_ROW_H

#include "resultfile.h"
#include "runner.h"

struct row {
    const struct bench_info *bench;
    const struct backend *backend;
    bool done; /* nothing more to run */
    enum row_status status;
    char reason[REASON_MAX];
    unsigned rounds; /* that went well */
    uint64_t iterations;
    unsigned count;
    uint64_t *samples, *control; /* of all rounds, one after the other */
    char checksum[17];
    bool have_machine;
    struct machine_result machine; /* sums over the rounds */
    bool have_perf, perf_whole_process;
    double perf[PERF_MAX];
    double wall_s;
    json_t *json; /* the finished row; owned */
};

/* How rows are turned into numbers. */
struct row_options {
    bool deterministic;
    uint64_t seed, tsc_khz;
    const char *paging; /* as asked for, or NULL */
    const char *options; /* of backends, "key=value,..."; or NULL */
    const struct perf_set *perf;
};

/* The row won't run. */
void row_skip(struct row *row, const char *reason);

/* Takes over the result of one round. A round that isn't ok ends the row. */
void row_add(struct row *row, struct runner_result *result);

/* Builds row->json. */
void row_finish(struct row *row, const struct row_options *options);

/* Every ok run of a benchmark must have computed the same: those that differ
 * from interp's checksum, or from the majority's where interp has none, become
 * failed. runs: a JSON array. Returns how many did. */
unsigned rows_check_checksums(json_t *runs);

void row_free(struct row *row);

#endif
