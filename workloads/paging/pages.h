/* What the paging programs share: their dial, and loops over pages. */
#ifndef TM_WORKLOADS_PAGES_H
#define TM_WORKLOADS_PAGES_H

#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

#include <stdbool.h>

#define PAGE 4096ul
#define PAGE_WORDS (PAGE / 8)

/* Reads the dial "pages", 16 by default; what is wrong with it, or NULL. */
static inline const char *pages_dial(uint64_t *pages)
{
    *pages = cmdline_u64(user_cmdline, "param.pages", 16);
    return *pages - 1 < 4096 ? NULL : "param.pages must be 1 to 4096";
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

/* The dial, and so many pages mapped and written with pages_write(value). What
 * failed, or NULL. */
static __attribute__((noinline, unused)) const char *
pages_map(uint64_t **memory, uint64_t *pages, uint64_t value)
{
    const char *why = pages_dial(pages);

    if (why)
        return why;
    *memory = sys_mmap(*pages * PAGE);
    if (!*memory)
        return "mmap failed";
    pages_write(*memory, *pages, PAGE_WORDS, value);
    return NULL;
}

#endif
