/* invlpg-range: INVLPG of every page of a range, and the touches that follow,
 * page by page; the tables don't change. The control only touches. */
#include "paging.h"

#define MOST 4096

static struct bench_space space;
static uint64_t pages;
static const char *problem;

static const char *invlpg_range_init(void)
{
    problem = NULL;
    pages = dial("param.pages", 16);
    if (pages < 1 || pages > MOST)
        return "param.pages must be 1 to 4096";
    if (!bench_space_create(&space) ||
        !bench_space_map(&space, SPACE_BASE, (unsigned)pages))
        return "out of memory";
    bench_space_enter(&space);
    read_pages(SPACE_BASE, pages, PAGE_SIZE);
    return NULL;
}

static void touch(void)
{
    if (read_pages(SPACE_BASE, pages, PAGE_SIZE) != sum_below(pages))
        problem = "a page was read through a wrong translation";
}

static void invlpg_range_kernel(uint64_t n)
{
    for (; n; n--) {
        for (uint64_t i = 0; i < pages; i++)
            invlpg(SPACE_BASE + i * PAGE_SIZE);
        touch();
    }
}

static void invlpg_range_control(uint64_t n)
{
    for (; n; n--)
        touch();
}

static const char *invlpg_range_verify(void)
{
    return problem;
}

static void invlpg_range_cleanup(void)
{
    bench_space_destroy(&space);
}

DEFINE_BENCHMARK_GRID(invlpg_range, "invlpg-range", "paging",
                      "range flushed and touched",
                      "INVLPG of each page of a range, then a touch of each", 0,
                      "pages=1,16,256", .init = invlpg_range_init,
                      .kernel = invlpg_range_kernel,
                      .control = invlpg_range_control,
                      .verify = invlpg_range_verify,
                      .cleanup = invlpg_range_cleanup);
