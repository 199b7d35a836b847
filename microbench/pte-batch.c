/* pte-batch: a batch of page-table updates, then one flush, then one touch:
 * what unmapping or moving a range costs a kernel that flushes once.
 *
 * Every update of an operation points its entry at the other one of two frames.
 * Stores to traced tables cost a fault each; a table out of sync costs one
 * fault and its resynchronisation at the flush; without traces the flush itself
 * drops what was cached. The control stores as often to plain memory, and
 * touches. */
#include "paging.h"

#define MOST 512

static struct bench_space space;
static volatile uint64_t *entries;
static uint64_t plain[MOST], value[2], updates, turn;
static const char *problem;

static const char *pte_batch_init(void)
{
    uint64_t *at[2];

    problem = NULL;
    updates = dial("param.entries", 16);
    if (updates < 1 || updates > MOST)
        return "param.entries must be 1 to 512";
    if (!bench_space_create(&space))
        return "out of memory";
    entries = bench_space_entry(&space, SPACE_BASE, 1);
    for (int k = 0; k < 2; k++) {
        uint64_t pa = bench_space_frame(&space, (void **)&at[k]);

        if (!entries || !pa)
            return "out of memory";
        value[k] = pa | bench_space_flags();
        *at[k] = 1000 + (uint64_t)k;
    }
    for (uint64_t i = 0; i < updates; i++)
        entries[i] = value[0];
    bench_space_enter(&space);
    return NULL;
}

static __attribute__((noinline)) void update(volatile uint64_t *to, uint64_t n,
                                             bool flush, uint64_t mask)
{
    for (; n; n--) {
        uint64_t v, page = turn++ % updates;

        v = value[turn & 1];
        for (uint64_t i = 0; i < updates; i++)
            to[i] = v;
        if (flush)
            bench_space_enter(&space);
        if (read_pages(SPACE_BASE + page * PAGE_SIZE, 1, 0) !=
            1000 + (turn & mask))
            problem = "a page was read through a stale translation";
    }
}

static void pte_batch_reset(uint64_t n)
{
    (void)n;
    turn = 0;
    for (uint64_t i = 0; i < updates; i++)
        entries[i] = value[0];
    bench_space_enter(&space);
    read_pages(SPACE_BASE, updates, PAGE_SIZE);
}

static void pte_batch_kernel(uint64_t n)
{
    update(entries, n, true, 1);
}

static void pte_batch_control(uint64_t n)
{
    update(plain, n, false, 0);
}

static const char *pte_batch_verify(void)
{
    return problem;
}

static void pte_batch_cleanup(void)
{
    bench_space_destroy(&space);
}

DEFINE_BENCHMARK_GRID(
    pte_batch, "pte-batch", "paging", "updates and a flush",
    "N stores to one leaf page table, one CR3 load, one touch", 0,
    "entries=1,16,256", .init = pte_batch_init, .kernel = pte_batch_kernel,
    .control = pte_batch_control, .reset = pte_batch_reset,
    .verify = pte_batch_verify, .cleanup = pte_batch_cleanup);
