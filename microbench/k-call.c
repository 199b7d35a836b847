/* k-call: 64 calls deep and back, more than a return stack buffer holds. */
#include "kcompute.h"

#define DEPTH 64

/* What is left to do after the call keeps it from becoming a loop. */
static __attribute__((noipa)) uint64_t descend(uint64_t depth, uint64_t v)
{
    uint64_t below = depth ? descend(depth - 1, v * 5 + 1) : v;

    return rotate_left(below ^ v, 7) + depth;
}

static uint64_t run(uint64_t n)
{
    uint64_t v = 1;

    while (n--)
        v = descend(DEPTH - 1, v);
    return v;
}

static void call_kernel(uint64_t n)
{
    keep(run(n));
}

static uint64_t call_checksum(void)
{
    return run(50);
}

DEFINE_KCOMPUTE(k_call, "k-call", "64 nested calls",
                "Deep call and return in kernel mode", .kernel = call_kernel,
                .checksum = call_checksum);
