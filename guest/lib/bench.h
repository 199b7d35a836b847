/* How a benchmark is defined: the same for kernel benchmarks (microbench/) and
 * for user programs (workloads/). */
#ifndef TM_BENCH_H
#define TM_BENCH_H

#include "../abi/abi.h"
#include <stddef.h>
#include <stdint.h>

struct bench {
    const char *name;
    /* Optional: why this benchmark can't run here, or NULL. Asked first; it may
     * try the operation under an exception fixup. */
    const char *(*refuse)(void);
    /* Optional: prepare; what failed, or NULL. */
    const char *(*init)(void);
    /* Mandatory: n operations. */
    void (*kernel)(uint64_t n);
    /* Optional: the same loop without the operation, timed in the same way and
     * subtracted in the open. Without one: an empty loop of n iterations. */
    void (*control)(uint64_t n);
    /* Optional: puts back what a batch of n operations changed. Called untimed
     * and outside the doorbells, before every batch of kernel and of control,
     * the first one included; n is what the batch will be asked for. */
    void (*reset)(uint64_t n);
    /* The most operations one batch may have; 0: no limit. Calibration stops
     * there, and a larger iters= is lowered to it. */
    uint64_t max_batch;
    /* The fewest, where a batch costs something by itself; 0: no limit.
     * Calibration starts there, and a smaller iters= is raised to it. */
    uint64_t min_batch;
    /* Optional: undo init. Called whenever init was. */
    void (*cleanup)(void);
    /* Workloads, mandatory: a value that must be the same on every backend,
     * derived from the work itself. Called once, after init, before timing. */
    uint64_t (*checksum)(void);
    /* Optional: after timing; what is wrong, or NULL. A failed check fails the
     * row. */
    const char *(*verify)(void);
};

struct tm_nhdr_bench {
    uint32_t namesz, descsz, type;
    char name[12]; /* "Trapmark" padded to a multiple of 4 */
    struct tm_note_bench desc;
};

/* DEFINE_BENCHMARK(ident, "name", "suite", "operation", "summary", flags,
 *                  .kernel = ..., .control = ...);
 * Ends the file that implements the benchmark: puts it into the linker's table
 * and into the ELF notes that `trapmark list` reads.
 *
 * DEFINE_BENCHMARK_GRID takes the note's grid (abi.h) after the flags; the
 * benchmark reads its point with cmdline_u64(..., "param.NAME", fallback). */
#define DEFINE_BENCHMARK(ident, name_, suite_, op_, summary_, flags_, ...)     \
    DEFINE_BENCHMARK_GRID(ident, name_, suite_, op_, summary_, flags_, "",     \
                          __VA_ARGS__)
#define DEFINE_BENCHMARK_GRID(ident, name_, suite_, op_, summary_, flags_,     \
                              grid_, ...)                                      \
    static const struct bench bench_##ident                                    \
        __attribute__((used, section(".benchmarks"), aligned(8))) = {          \
            .name = name_, __VA_ARGS__};                                       \
    static const struct tm_nhdr_bench note_##ident                             \
        __attribute__((used, section(".note.trapmark.bench"), aligned(4))) = { \
            9,                                                                 \
            sizeof(struct tm_note_bench),                                      \
            TM_NOTE_BENCH,                                                     \
            TM_NOTE_NAME,                                                      \
            {name_, suite_, op_, summary_, flags_, 0, grid_}}

/* ---- What the measuring loop needs from its environment -----------------
 *
 * measure.c is compiled into the kernel, into every user program and into the
 * native build; each supplies these. */

struct measure_params {
    unsigned samples;  /* 1..MEASURE_MAX_SAMPLES */
    uint64_t batch_us; /* least duration of a batch */
    uint64_t iters;    /* 0: calibrate */
    uint64_t tsc_khz;
};
#define MEASURE_MAX_SAMPLES 256

/* Writes one report line (the callee adds the newline). */
void report_line(const char *text);
/* Rings the doorbell with TM_DB_*. In user programs this is a system call; in a
 * native process it does nothing. */
void doorbell(uint32_t value);

/* Runs one benchmark by the protocol of abi.h (start line, refuse, init, checksum,
 * calibrate by doubling, warm up, `samples` alternating batches of kernel and
 * control each between doorbells, verify, cleanup) and writes the result line. */
void measure_run(const struct bench *b, const struct measure_params *p);

/* lfence; rdtsc; lfence */
static inline uint64_t rdtsc_fenced(void)
{
    uint32_t lo, hi;

    __asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

#endif
