/* pgfault: a true page fault of the guest, taken and returned from.
 *
 * The page stays not-present and the handler resumes behind the load, so one
 * operation is a page walk that fails, the delivery of #PF, the handler's entry
 * and exit and its IRETQ. A handler that mapped the page would add a write to a
 * page table and an invalidation, which ptemod-* and invlpg measure. */
#include "loop.h"

extern const char pgfault_site[], pgfault_resume[];

OP_LOOPS_ARG(pgfault, "", "",
             "pgfault_site: mov (%rsi), %al\n pgfault_resume:", "");

static char *page;
static uint64_t expected, handled;

static bool pgfault_handler(struct trapframe *tf)
{
    if (tf->rip != (uintptr_t)pgfault_site)
        return false;
    tf->rip = (uintptr_t)pgfault_resume;
    handled++;
    return true;
}

static const char *pgfault_init(void)
{
    expected = handled = 0;
    page = bench_pages(1);
    if (!page)
        return "out of memory";
    *(volatile char *)page = 1;
    *pte_of(page) &= ~PTE_P;
    invlpg(page);
    trap_hook(14, pgfault_handler);
    return NULL;
}

static void pgfault_kernel(uint64_t n)
{
    expected += n;
    pgfault_op(n, page);
}

static void pgfault_control(uint64_t n)
{
    pgfault_bare(n, page);
}

static void pgfault_cleanup(void)
{
    if (!page)
        return;
    trap_hook(14, NULL);
    *pte_of(page) |= PTE_P;
    bench_pages_free(page);
    page = NULL;
}

static const char *pgfault_verify(void)
{
    return handled == expected ? NULL : "a load raised no #PF";
}

DEFINE_BENCHMARK(pgfault, "pgfault", "micro", "page fault",
                 "True guest #PF, skipped by its handler and returned from",
                 TM_BENCH_PAPER, .init = pgfault_init, .kernel = pgfault_kernel,
                 .control = pgfault_control, .cleanup = pgfault_cleanup,
                 .verify = pgfault_verify);
