/* What the paging programs share: their dial, and loops over pages. */
#ifndef TM_WORKLOADS_PAGES_H
#define TM_WORKLOADS_PAGES_H

#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

#include <stdbool.h>

#define PAGE 4096ul
#define PAGE_WORDS (PAGE / 8)

/* The dial "pages", or 0 where it isn't between 1 and most. */
static inline uint64_t pages_dial(uint64_t fallback, uint64_t most)
{
    uint64_t n = cmdline_u64(user_cmdline, "param.pages", fallback);

    return n <= most ? n : 0;
}

/* Writes value + i to the first word of page i; step is in words. */
static __attribute__((noinline, unused)) void
pages_write(uint64_t *base, uint64_t n, uint64_t step, uint64_t value)
{
    volatile uint64_t *at = base;

    for (uint64_t i = 0; i < n; i++, at += step)
        *at = value + i;
}

/* Whether they hold that; step is in words. */
static __attribute__((noinline, unused)) bool
pages_hold(const uint64_t *base, uint64_t n, uint64_t step, uint64_t value)
{
    const volatile uint64_t *at = base;
    uint64_t differ = 0;

    for (uint64_t i = 0; i < n; i++, at += step)
        differ |= *at ^ (value + i);
    return !differ;
}

#endif
