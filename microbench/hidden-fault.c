/* hidden-fault: the first touch of a page whose entry was just made present.
 *
 * reset() clears each entry, invalidates its page and puts the entry back, so
 * no shadow page table or TLB holds the page, while the guest's own tables map
 * it with accessed and dirty bits set. Under shadow paging, whatever the
 * policy, the touch is then a hidden fault; on bare hardware and under nested
 * paging it is a TLB miss. A VMM that fills its shadow at the entry's store has
 * paid for the fault there, and shows a smaller figure here. */
#include "paging.h"

#define PAGES 512

static struct bench_space space;
static uint64_t *entries;
static const char *problem;

static const char *hidden_fault_init(void)
{
    problem = NULL;
    if (!bench_space_create(&space) ||
        !bench_space_map(&space, SPACE_BASE, PAGES + 1))
        return "out of memory";
    entries = bench_space_entry(&space, SPACE_BASE, 1);
    bench_space_enter(&space);
    return NULL;
}

static void hidden_fault_reset(uint64_t n)
{
    volatile uint64_t *entry = entries;

    for (uint64_t i = 0; i < n; i++) {
        uint64_t value = entry[i];

        entry[i] = 0;
        invlpg(SPACE_BASE + i * PAGE_SIZE);
        entry[i] = value;
    }
}

static void hidden_fault_kernel(uint64_t n)
{
    if (read_pages(SPACE_BASE, n, PAGE_SIZE) != sum_below(n))
        problem = "a page was read through a wrong translation";
}

/* As often the one page that reset() leaves alone. */
static void hidden_fault_control(uint64_t n)
{
    read_pages(SPACE_BASE + PAGES * PAGE_SIZE, n, 0);
}

static const char *hidden_fault_verify(void)
{
    return problem;
}

static void hidden_fault_cleanup(void)
{
    bench_space_destroy(&space);
}

DEFINE_BENCHMARK(hidden_fault, "hidden-fault", "paging", "first touch",
                 "First touch of a page just made present: a hidden fault "
                 "under shadow paging, else a TLB miss",
                 0, .init = hidden_fault_init, .kernel = hidden_fault_kernel,
                 .control = hidden_fault_control, .reset = hidden_fault_reset,
                 .max_batch = PAGES, .verify = hidden_fault_verify,
                 .cleanup = hidden_fault_cleanup);
