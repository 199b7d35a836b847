/* fork-pages: fork a process with N pages present, whose child exits at once,
 * and wait for it: page tables copied and taken down, write permissions taken
 * away. Next to nothing is written, so next to nothing is copied. */
#include "pages.h"

static uint64_t *memory, pages;
static const char *problem;

static const char *fork_init(void)
{
    return pages_map(&memory, &pages, 7);
}

static void fork_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n && !problem; op++) {
        int status = -1, pid = sys_fork();

        /* The last page is one of those whose mapping was copied. */
        if (!pid)
            sys_exit(memory[(pages - 1) * PAGE_WORDS] == pages + 6 ? 42 : 1);
        if (pid < 0 || sys_wait(&status) != pid)
            problem = "fork or wait failed";
        else if (status != 42)
            problem = "the child does not have its parent's memory";
    }
}

static const char *fork_verify(void)
{
    if (!pages_hold(memory, pages, PAGE_WORDS, 7))
        return "the parent's memory changed";
    return problem;
}

DEFINE_BENCHMARK_GRID(fork_pages, "fork-pages", "paging", "fork, exit and wait",
                      "Fork of a process with so many pages, whose child exits",
                      0, "pages=16,256,4096", .init = fork_init,
                      .kernel = fork_kernel, .verify = fork_verify);
