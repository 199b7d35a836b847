/* map-churn: map memory, write a word of every page, read it back, unmap:
 * demand faults, and page tables built and taken down. */
#include "pages.h"

static uint64_t pages;
static const char *problem;

static const char *churn_init(void)
{
    return pages_dial(&pages);
}

static void churn_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n && !problem; op++) {
        uint64_t *memory = sys_mmap(pages * PAGE);

        if (!memory) {
            problem = "mmap failed";
            return;
        }
        /* The second word is nobody's: it must still be zero. */
        pages_write(memory, pages, PAGE_WORDS, op);
        if (!pages_hold(memory, pages, PAGE_WORDS, op) || memory[1])
            problem = "a page was lost, or not zero at first";
        if (sys_munmap(memory, pages * PAGE))
            problem = "munmap failed";
    }
}

static const char *churn_verify(void)
{
    return problem;
}

DEFINE_BENCHMARK_GRID(map_churn, "map-churn", "paging", "map, touch, unmap",
                      "mmap, a write to each page, munmap", 0, "pages=1,16,256",
                      .init = churn_init, .kernel = churn_kernel,
                      .verify = churn_verify);
