/* k-smc: rewrites an instruction of a small function, then calls it. The
 * control writes to a page without code and calls a function that stays. */
#include "kcompute.h"

#define ADDS 12
#define BLOCK_BYTES (8 + 4 * ADDS + 1)
#define IMMEDIATE_AT 4

static uint8_t *rewritten, *fixed, *plain;
static uint64_t sum, expected;

static void generate(uint8_t *code)
{
    static const uint8_t head[8] = {
        0x0f, 0x1f, 0x00, 0xb8, 0, 0, 0, 0, /* nop; mov $n, %eax */
    };
    static const uint8_t add[4] = {0x48, 0x83, 0xc0, 0x01}; /* add $1, %rax */

    memcpy(code, head, sizeof(head));
    for (unsigned i = 0; i < ADDS; i++)
        memcpy(code + sizeof(head) + i * sizeof(add), add, sizeof(add));
    code[BLOCK_BYTES - 1] = 0xc3; /* ret */
}

static const char *smc_init(void)
{
    rewritten = bench_code(1);
    fixed = bench_code(1);
    plain = bench_pages(1);
    if (!rewritten || !fixed || !plain)
        return "no executable memory for the code";
    generate(rewritten);
    generate(fixed);
    sum = expected = 0;
    return NULL;
}

static uint64_t run(uint8_t *written, const uint8_t *called, uint64_t n)
{
    uint64_t (*function)(void) = (uint64_t(*)(void))called;
    volatile uint32_t *word = (volatile uint32_t *)(written + IMMEDIATE_AT);
    uint64_t total = 0;

    while (n) {
        *word = (uint32_t)n--;
        total += function();
    }
    return total;
}

static void smc_kernel(uint64_t n)
{
    sum += run(rewritten, rewritten, n);
    expected += n * (n + 1) / 2 + ADDS * n;
}

static void smc_control(uint64_t n)
{
    keep(run(plain, fixed, n));
}

static uint64_t smc_checksum(void)
{
    return run(rewritten, rewritten, 100);
}

static const char *smc_verify(void)
{
    return sum == expected ? NULL : "a rewritten instruction ran as it was";
}

static void smc_cleanup(void)
{
    bench_pages_free(rewritten);
    bench_pages_free(fixed);
    bench_pages_free(plain);
}

DEFINE_KCOMPUTE(k_smc, "k-smc", "rewrite and call",
                "Code rewritten before each call of it", .init = smc_init,
                .kernel = smc_kernel, .control = smc_control,
                .checksum = smc_checksum, .verify = smc_verify,
                .cleanup = smc_cleanup);
