/* One row of the results: a benchmark on a backend, over all its rounds. */
#ifndef TM_ROW_H
#define TM_ROW_H

#include "resultfile.h"
#include "runner.h"
#include "stats.h"

/* A line of the tables: a benchmark at one point of its grid. */
struct row_line {
    const struct bench_info *bench;
    json_t *params; /* {"updates": "16"}; {} without a grid */
    char *words; /* "param.updates=16": for the guest's command line, or NULL */
    char *label; /* "NAME updates=16" */
};

/* A column: a backend under one policy with one choice of its options. */
struct row_column {
    const struct backend *backend;
    char *paging;   /* policy asked for; NULL: the backend's own */
    json_t *params; /* {"bt-unit": "4"}; {} where it has no options */
    char *options;  /* the same as struct vm has them, or NULL */
    char *label;    /* unique: "bt/trace, units of 4" */
    char *reason;   /* why it can't run at all, or NULL */
};

struct row {
    const struct row_line *line;
    const struct row_column *column;
    bool done; /* nothing more to run */
    enum row_status status;
    char reason[REASON_MAX];
    struct stats_rounds rounds; /* that went well */
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
    const struct perf_set *perf;
};

/* The row won't run. */
void row_skip(struct row *row, const char *reason);

/* Takes over the result of one round. A round that isn't ok ends the row. */
void row_add(struct row *row, struct runner_result *result);

/* Builds row->json. */
void row_finish(struct row *row, const struct row_options *options);

/* Whether a member of runs[] is what row would become. */
bool row_is(const struct row *row, const json_t *run);

/* Every ok run of a benchmark (at one point of its grid) must have computed the
 * same: those that differ from interp's checksum, or from the majority's where
 * interp has none, become failed. runs: a JSON array. Returns how many did. */
unsigned rows_check_checksums(json_t *runs);

void row_free(struct row *row);

#endif
