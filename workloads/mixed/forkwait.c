/* forkwait: fork a child, which exits at once, and wait for it: page-table
 * copies, copy-on-write faults, context switches and system calls. */
#include "../../guest/lib/bench.h"
#include "../../guest/user/user.h"
#include "../../guest/lib/lib.h"

/* Written by parent and child alike: each must see its own copy. */
static volatile uint64_t shared;
static const char *problem;

/* The child's exit code, 0..127, or -1. */
static int round_trip(uint64_t op)
{
    int code = (int)(mix64(0, op) & 0x7f);
    int status = -1;
    int64_t pid;

    shared = op;
    pid = sys_fork();
    if (pid == 0) {
        /* The child proves that it got the parent's memory as it was. */
        int mine = shared == op ? code : 0xff;

        shared = ~op;
        sys_exit(mine);
    }
    if (pid < 0) {
        problem = "fork failed";
        return -1;
    }
    if (sys_wait(&status) != pid) {
        problem = "wait did not return the child";
        return -1;
    }
    if (status != code)
        problem = "the child's exit code is wrong";
    if (shared != op)
        problem = "the child wrote to its parent's memory";
    return status;
}

static void forkwait_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n && !problem; op++)
        round_trip(op);
}

static uint64_t forkwait_checksum(void)
{
    uint64_t sum = 0;

    for (uint64_t op = 0; op < 16; op++)
        sum = mix64(sum, (uint64_t)round_trip(op));
    return sum;
}

static const char *forkwait_verify(void)
{
    return problem;
}

DEFINE_BENCHMARK(
    forkwait, "forkwait", "mixed", "fork, exit and wait",
    "Process creation and its end: the paper's worst case for VMMs", 0,
    .kernel = forkwait_kernel, .checksum = forkwait_checksum,
    .verify = forkwait_verify);
