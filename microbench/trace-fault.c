/* trace-fault: a store to a leaf page table in use, each time another table.
 *
 * reset() loads CR3 and touches a page through every table: a VMM that traces
 * page tables has them all write-protected then, whether it keeps them so
 * (trace) or lets go of one at its first write (unsync). One fault per store
 * under both; no cost under vtlb, nested paging and on bare hardware.
 * ptemod-same stores to 512 entries of one table, where unsync pays once. */
#include "paging.h"

#define TABLES 128
#define STRIDE (512 * PAGE_SIZE) /* what one table maps */
#define AVL (1ull << 9)          /* a bit that the CPU ignores */

static struct bench_space space;
static volatile uint64_t *entries[TABLES], *plain[TABLES];
static uint64_t unused[TABLES], frame;
static uint64_t mark;

static const char *trace_fault_init(void)
{
    uint64_t *at;

    if (!bench_space_create(&space))
        return "out of memory";
    frame = bench_space_frame(&space, (void **)&at);
    for (unsigned i = 0; i < TABLES; i++) {
        plain[i] = &unused[i];
        entries[i] = bench_space_entry(&space, SPACE_BASE + i * STRIDE, 1);
        if (!frame || !entries[i])
            return "out of memory";
        *entries[i] = frame | bench_space_flags();
    }
    *at = 1;
    bench_space_enter(&space);
    return NULL;
}

static void trace_fault_reset(uint64_t n)
{
    (void)n;
    bench_space_enter(&space);
    read_pages(SPACE_BASE, TABLES, STRIDE);
}

static __attribute__((noinline)) void store(volatile uint64_t *const *to,
                                            uint64_t n, uint64_t value)
{
    for (uint64_t i = 0; i < n; i++)
        *to[i] = value;
}

static void trace_fault_kernel(uint64_t n)
{
    mark ^= AVL; /* each batch changes what it stores to */
    store(entries, n, frame | bench_space_flags() | mark);
}

static void trace_fault_control(uint64_t n)
{
    store(plain, n, frame | bench_space_flags() | mark);
}

static const char *trace_fault_verify(void)
{
    trace_fault_kernel(TABLES);
    bench_space_enter(&space);
    if (read_pages(SPACE_BASE, TABLES, STRIDE) != TABLES)
        return "a page is not mapped any more";
    for (unsigned i = 0; i < TABLES; i++)
        if (*entries[i] != (frame | bench_space_flags() | mark))
            return "a page-table entry does not hold what was stored";
    return NULL;
}

static void trace_fault_cleanup(void)
{
    bench_space_destroy(&space);
}

DEFINE_BENCHMARK(trace_fault, "trace-fault", "paging", "page-table store",
                 "Store to a leaf table in use and in sync: a trace fault "
                 "where tables are write-protected",
                 0, .init = trace_fault_init, .kernel = trace_fault_kernel,
                 .control = trace_fault_control, .reset = trace_fault_reset,
                 .max_batch = TABLES, .verify = trace_fault_verify,
                 .cleanup = trace_fault_cleanup);
