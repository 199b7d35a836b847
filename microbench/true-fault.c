/* true-fault: the first touch of a page that the guest's tables don't map; its
 * page-fault handler stores the entry and the touch is made again.
 *
 * That is the guest's own fault with all it brings along: delivery, the store
 * of the entry (not-present to present), IRETQ, and, under shadow paging, the
 * hidden fault of the second attempt. */
#include "paging.h"

#define PAGES 512

static struct bench_space space;
static uint64_t *entries;
static uint64_t expected, handled;
static const char *problem;

static bool true_fault_handler(struct trapframe *tf)
{
    uint64_t page = (read_cr2() - (uint64_t)SPACE_BASE) / PAGE_SIZE;
    volatile uint64_t *entry = entries;

    (void)tf;
    if (page >= PAGES || (entry[page] & PTE_P))
        return false;
    entry[page] |= PTE_P;
    handled++;
    return true;
}

static const char *true_fault_init(void)
{
    expected = handled = 0;
    problem = NULL;
    if (!bench_space_create(&space) ||
        !bench_space_map(&space, SPACE_BASE, PAGES + 1))
        return "out of memory";
    entries = bench_space_entry(&space, SPACE_BASE, 1);
    bench_space_enter(&space);
    trap_hook(14, true_fault_handler);
    return NULL;
}

static void true_fault_reset(uint64_t n)
{
    volatile uint64_t *entry = entries;

    for (uint64_t i = 0; i < n; i++) {
        entry[i] &= ~PTE_P;
        invlpg(SPACE_BASE + i * PAGE_SIZE);
    }
}

static void true_fault_kernel(uint64_t n)
{
    expected += n;
    if (read_pages(SPACE_BASE, n, PAGE_SIZE) != sum_below(n))
        problem = "a page was read through a wrong translation";
}

static void true_fault_control(uint64_t n)
{
    read_pages(SPACE_BASE + PAGES * PAGE_SIZE, n, 0);
}

static const char *true_fault_verify(void)
{
    if (handled != expected)
        problem = "a touch of an unmapped page raised no #PF, or two";
    return problem;
}

static void true_fault_cleanup(void)
{
    trap_hook(14, NULL);
    bench_space_destroy(&space);
}

DEFINE_BENCHMARK(true_fault, "true-fault", "paging", "page fault resolved",
                 "First touch of an unmapped page: #PF, its handler maps it, "
                 "the touch succeeds",
                 0, .init = true_fault_init, .kernel = true_fault_kernel,
                 .control = true_fault_control, .reset = true_fault_reset,
                 .max_batch = PAGES, .verify = true_fault_verify,
                 .cleanup = true_fault_cleanup);
