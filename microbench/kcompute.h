/* What the kcompute benchmarks share: code that exits nowhere, run in kernel
 * mode.
 *
 * A kcompute file is compiled once, with the guest kernel's flags. The native
 * process is linked from the same object, so both execute the same machine
 * code; its bench_pages() and bench_code() are workloads/native/kernel.c's. */
#ifndef TM_MICROBENCH_KCOMPUTE_H
#define TM_MICROBENCH_KCOMPUTE_H

#include "../guest/kernel/api.h"

#define DEFINE_KCOMPUTE(ident, name, op, summary, ...)                         \
    DEFINE_BENCHMARK(ident, name, "kcompute", op, summary, TM_BENCH_NATIVE,    \
                     __VA_ARGS__)

/* The value counts as used. */
static inline void keep(uint64_t v)
{
    __asm__ volatile("" ::"r"(v));
}

static inline uint64_t rotate_left(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

#endif
