/* perm-flip: take write permission from a range, read it, give the permission
 * back, write it: the pattern of collectors and checkpoints. The control reads
 * and writes alone. */
#include "pages.h"

static uint64_t *memory, pages, round, faults;
static const char *problem;

static const char *flip_init(void)
{
    return pages_map(&memory, &pages, 0);
}

static void protect(unsigned prot)
{
    if (sys_mprotect(memory, pages * PAGE, prot))
        problem = "mprotect failed";
}

static void flip(uint64_t n, bool change)
{
    for (; n; n--) {
        if (change)
            protect(0);
        if (!pages_hold(memory, pages, PAGE_WORDS, round))
            problem = "a page does not hold what was written";
        if (change)
            protect(PROT_WRITE);
        pages_write(memory, pages, PAGE_WORDS, ++round);
    }
}

static void flip_kernel(uint64_t n)
{
    flip(n, true);
}

static void flip_control(uint64_t n)
{
    flip(n, false);
}

static __attribute__((target("general-regs-only"))) void
on_fault(struct user_fault *f)
{
    faults++;
    protect(PROT_WRITE);
    sys_fault_return(f);
    sys_exit(1);
}

/* A write to the protected range must fault. */
static const char *flip_verify(void)
{
    protect(0);
    if (sys_fault_handler(on_fault))
        return "no fault handler";
    pages_write(memory, pages, PAGE_WORDS, ++round);
    sys_fault_handler(NULL);
    if (!pages_hold(memory, pages, PAGE_WORDS, round))
        return "a page does not hold what was written";
    return faults == 1 ? problem : "a protected page was written";
}

DEFINE_BENCHMARK_GRID(perm_flip, "perm-flip", "paging", "protect and unprotect",
                      "mprotect a range read-only, read it, mprotect it back, "
                      "write it",
                      0, "pages=1,16,256", .init = flip_init,
                      .kernel = flip_kernel, .control = flip_control,
                      .verify = flip_verify);
