/* k-int: straight-line integer code, one dependent chain without a branch. */
#include "kcompute.h"

/* A quarter round in the manner of BLAKE2b. */
#define MIX(a, b, c, d, x, y)                                                  \
    do {                                                                       \
        a += b + x;                                                            \
        d = rotate_left(d ^ a, 32);                                            \
        c += d;                                                                \
        b = rotate_left(b ^ c, 40);                                            \
        a += b + y;                                                            \
        d = rotate_left(d ^ a, 48);                                            \
        c += d;                                                                \
        b = rotate_left(b ^ c, 1);                                             \
    } while (0)

#define MIX4(x, y)                                                             \
    MIX(a, b, c, d, x, y);                                                     \
    MIX(b, c, d, a, y, x);                                                     \
    MIX(c, d, a, b, x, a);                                                     \
    MIX(d, a, b, c, b *x, y)

static uint64_t run(uint64_t n)
{
    uint64_t a = 0x243f6a8885a308d3, b = 0x13198a2e03707344;
    uint64_t c = 0xa4093822299f31d0, d = 0x082efa98ec4e6c89;

    for (uint64_t i = 0; i < n; i++) {
        MIX4(i, n);
        MIX4(n, i);
    }
    return a ^ b ^ c ^ d;
}

static void int_kernel(uint64_t n)
{
    keep(run(n));
}

static uint64_t int_checksum(void)
{
    return run(100);
}

DEFINE_KCOMPUTE(k_int, "k-int", "8 mixing rounds",
                "Straight-line integer code in kernel mode",
                .kernel = int_kernel, .checksum = int_checksum);
