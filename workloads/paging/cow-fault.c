/* cow-fault: the first write to a page that a fork shares: the guest's own
 * fault, a page copied, an entry changed.
 *
 * reset() ends the child of the batch before and forks a new one, which waits
 * and finally looks whether it still has the memory of the moment of its birth.
 */
#include "pages.h"

#define PAGES 256

static uint64_t *memory, *common;
static int channel = -1;
static bool child_there;
static uint64_t generation;
static const char *problem;

static const char *cow_init(void)
{
    memory = sys_mmap(PAGES * PAGE);
    common = sys_mmap_shared(PAGE);
    channel = sys_pipe();
    return memory && common && channel >= 0 ? NULL : "out of memory";
}

static void __attribute__((noreturn)) child(void)
{
    char byte;

    if (sys_pipe_read(channel, &byte, 1) != 1)
        sys_exit(2);
    sys_exit(pages_hold(memory, PAGES, PAGE_WORDS, generation) ? 0 : 1);
}

static void end_child(void)
{
    char byte = 0;
    int status = -1;

    if (!child_there)
        return;
    child_there = false;
    if (sys_pipe_write(channel, &byte, 1) != 1 || sys_wait(&status) < 0)
        problem = "the child doesn't end";
    else if (status)
        problem = "the child saw its parent's writes";
}

static void cow_reset(uint64_t n)
{
    int pid;

    (void)n;
    end_child();
    generation += 1000003;
    pages_write(memory, PAGES, PAGE_WORDS, generation);
    pid = sys_fork();
    if (!pid)
        child();
    child_there = pid > 0;
    if (pid < 0)
        problem = "fork failed";
}

static void cow_kernel(uint64_t n)
{
    pages_write(memory, n, PAGE_WORDS, ~generation);
    if (!pages_hold(memory, n, PAGE_WORDS, ~generation))
        problem = "a copied page does not hold what was written";
}

/* A page that forks keep in common takes no fault. */
static void cow_control(uint64_t n)
{
    pages_write(common, n, 0, ~generation);
    pages_hold(common, n, 0, ~generation);
}

static const char *cow_verify(void)
{
    cow_reset(PAGES);
    cow_kernel(PAGES);
    end_child();
    return problem;
}

static void cow_cleanup(void)
{
    end_child();
    if (channel >= 0)
        sys_pipe_close(channel);
}

DEFINE_BENCHMARK(cow_fault, "cow-fault", "paging", "copy-on-write",
                 "First write to a page after a fork: fault, copy, new entry",
                 0, .init = cow_init, .kernel = cow_kernel,
                 .control = cow_control, .reset = cow_reset, .max_batch = PAGES,
                 .verify = cow_verify, .cleanup = cow_cleanup);
