/* cr3-touch: a switch between two address spaces and the touch of a working set
 * in the new one: the price of a context switch as a program sees it.
 *
 * Each space maps frames of its own at the same addresses; the tables don't
 * change. The control touches as many pages and stays where it is. */
#include "paging.h"

#define MOST 8192

static struct bench_space spaces[2];
static uint64_t pages, current_space;
static const char *problem;

static const char *cr3_touch_init(void)
{
    problem = NULL;
    pages = dial("param.pages", 16);
    if (pages < 1 || pages > MOST)
        return "param.pages must be 1 to 8192";
    for (int k = 0; k < 2; k++) {
        if (!bench_space_create(&spaces[k]) ||
            !bench_space_map(&spaces[k], SPACE_BASE, (unsigned)pages))
            return "out of memory: a larger guest can hold two such sets";
        bench_space_enter(&spaces[k]);
        for (uint64_t i = 0; k && i < pages; i++)
            *(volatile uint64_t *)(SPACE_BASE + i * PAGE_SIZE) += 1;
    }
    current_space = 1;
    return NULL;
}

static void look(uint64_t sum)
{
    if (sum != sum_below(pages) + (current_space ? pages : 0))
        problem = "a page of the other address space was read";
}

static void cr3_touch_kernel(uint64_t n)
{
    for (; n; n--) {
        current_space ^= 1;
        bench_space_enter(&spaces[current_space]);
        look(read_pages(SPACE_BASE, pages, PAGE_SIZE));
    }
}

static void cr3_touch_control(uint64_t n)
{
    for (; n; n--)
        look(read_pages(SPACE_BASE, pages, PAGE_SIZE));
}

static const char *cr3_touch_verify(void)
{
    return problem;
}

static void cr3_touch_cleanup(void)
{
    bench_space_destroy(&spaces[0]);
    bench_space_destroy(&spaces[1]);
}

DEFINE_BENCHMARK_GRID(cr3_touch, "cr3-touch", "paging", "switch and touches",
                      "Load of CR3 with another address space, then a touch of "
                      "each page of a working set",
                      0, "pages=1,16,256,4096", .init = cr3_touch_init,
                      .kernel = cr3_touch_kernel, .control = cr3_touch_control,
                      .verify = cr3_touch_verify, .cleanup = cr3_touch_cleanup);
