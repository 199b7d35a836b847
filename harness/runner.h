/* One measurement in a process of its own: start, watch, collect, kill. */
#ifndef TM_RUNNER_H
#define TM_RUNNER_H

#include "../backends/machine/machine.h"
#include "image.h"
#include "perf.h"

#include <poll.h>

/* What a guest may write in one row; more is a flood. */
#define RUNNER_MAX_BYTES (1u << 20)
#define RUNNER_MAX_LINES 5000u

#define RUNNER_RAM_MIB 128 /* guest RAM, unless a job says otherwise */

struct runner_job {
    const struct backend *backend;
    const struct bench_info *bench;
    const struct image *image;
    unsigned samples;
    uint64_t batch_us, iters, seed, tsc_khz; /* iters 0: the guest calibrates */
    const char *paging;                      /* NULL: the backend's default */
    const char *options;                     /* of backends, or NULL */
    const char *disk;                        /* raw image, or NULL */
    unsigned ram_mib;                        /* 0: RUNNER_RAM_MIB */
    bool deterministic;
    unsigned timeout_s;
    const struct perf_set *perf;
    bool verbose;      /* copy what the guest says to stderr */
    const char *words; /* more for the guest's command line, or NULL */
    /* Optional: sees each line that the guest wrote. */
    void (*line)(void *opaque, const char *text, size_t len);
    void *opaque;
};

enum row_status {
    ROW_OK,
    ROW_SKIPPED,
    ROW_FAILED,
    ROW_TIMEOUT,
    ROW_INTERRUPTED
};

struct runner_result {
    enum row_status status;
    char reason[REASON_MAX]; /* unless ROW_OK */
    uint64_t iterations;
    unsigned count; /* of samples and of control, malloc'ed */
    uint64_t *samples, *control;
    char checksum[17]; /* "" where there is none */
    bool have_machine; /* machine and, per region, perf are filled */
    struct machine_result machine;
    bool have_perf, perf_whole_process;
    double perf[PERF_MAX];
    double wall_s;
};

/* Guest RAM of the job, bytes. */
uint64_t runner_ram(const struct runner_job *job);

/* Runs the job; result is always filled. ROW_INTERRUPTED: *runner_stop became
 * true, the process was killed. */
void runner_run(const struct runner_job *job, struct runner_result *result);
void runner_result_free(struct runner_result *result);

/* Set by the signal handlers that runner_catch_signals installs for SIGINT,
 * SIGTERM and SIGHUP (but for nohup). They stay blocked except while runner_run
 * waits, so none is lost. From then on a closed pipe and a limit on file sizes
 * are errors of the writer, too. */
extern volatile int runner_stop;
void runner_catch_signals(void);
/* ppoll for so many seconds, open for these signals: a negative errno, -EINTR
 * if one came. */
int runner_poll(struct pollfd *p, unsigned n, double seconds);

#endif
