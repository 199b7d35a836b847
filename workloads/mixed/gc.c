/* gc: a generational collector whose write barrier is page protection: protect
 * the old heap, mutate it, let a fault handler note and open the pages that are
 * written, and scan just these. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

#define PAGE 4096
#define PAGES 64
#define WORDS (PAGE / 8)
#define WRITES 16 /* a cycle: to at most so many pages */

static uint64_t *heap;
static volatile bool dirty[PAGES];
static const char *problem;

static __attribute__((target("general-regs-only"))) void
barrier(struct user_fault *f)
{
    uint64_t page = (f->address - (uint64_t)heap) / PAGE;

    if (page >= PAGES || dirty[page])
        sys_exit(1); /* not the barrier's fault */
    dirty[page] = true;
    if (sys_mprotect(heap + page * WORDS, PAGE, PROT_WRITE))
        sys_exit(1);
    sys_fault_return(f);
    sys_exit(1);
}

static const char *gc_init(void)
{
    heap = sys_mmap(PAGES * PAGE);
    if (!heap)
        return "mmap failed";
    for (unsigned i = 0; i < PAGES * WORDS; i++)
        heap[i] = mix64(5, i);
    return sys_fault_handler(barrier) ? "no fault handler" : NULL;
}

/* One cycle; a sum over the pages that were found written. */
static uint64_t collect(uint64_t op)
{
    bool written[PAGES] = {false};
    uint64_t sum = 0;

    for (int i = 0; i < PAGES; i++)
        dirty[i] = false;
    if (sys_mprotect(heap, PAGES * PAGE, 0))
        problem = "mprotect failed";
    for (uint64_t i = 0; i < WRITES; i++) {
        uint64_t word = mix64(op, i) % (PAGES * WORDS);

        *(volatile uint64_t *)&heap[word] = mix64(op, word);
        written[word / WORDS] = true;
    }
    for (unsigned p = 0; p < PAGES; p++) {
        if (dirty[p] != written[p])
            problem = "the barrier missed a write, or saw one too many";
        if (!dirty[p])
            continue;
        for (unsigned i = 0; i < WORDS; i++)
            sum += heap[p * WORDS + i] * (p + 1);
    }
    return sum;
}

static void gc_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n && !problem; op++)
        collect(op);
}

/* Asked once, on the heap as init left it. */
static uint64_t gc_checksum(void)
{
    uint64_t sum = 0;

    for (uint64_t op = 0; op < 4; op++)
        sum = mix64(sum, collect(op));
    return sum;
}

static const char *gc_verify(void)
{
    return problem;
}

DEFINE_BENCHMARK(gc, "gc", "mixed", "collection cycle",
                 "A write barrier by mprotect and a user fault handler", 0,
                 .init = gc_init, .kernel = gc_kernel, .checksum = gc_checksum,
                 .verify = gc_verify);
