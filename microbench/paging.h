/* What the kernel benchmarks of suite "paging" share: dials, and the loop that
 * touches pages.
 *
 * They run in an address space of their own (bench_space_*) whose page tables
 * they edit; under a VMM with shadow page tables these edits and the faults
 * they lead to are what costs, under nested paging it is the walks. Each looks
 * at what it read through the translations it made: a stale or lost one fails
 * the row. */
#ifndef TM_MICROBENCH_PAGING_H
#define TM_MICROBENCH_PAGING_H

#include "../guest/kernel/api.h"

/* The value of a dial of the note's grid. */
static inline uint64_t dial(const char *key, uint64_t fallback)
{
    return cmdline_u64(boot_cmdline, key, fallback);
}

/* Reads the first word of n pages, stride bytes apart; their sum. */
static __attribute__((noinline, unused)) uint64_t
read_pages(const char *va, uint64_t n, uint64_t stride)
{
    uint64_t sum = 0;

    for (; n; n--, va += stride)
        sum += *(const volatile uint64_t *)va;
    return sum;
}

/* Of pages that bench_space_map() numbered. */
static inline uint64_t sum_below(uint64_t n)
{
    return n * (n - 1) / 2;
}

#endif
