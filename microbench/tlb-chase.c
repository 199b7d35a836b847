/* tlb-chase: follows pointers through memory in random order, one node a 4 KiB
 * page, at CPL 3: every load waits for the one before, and beyond the TLB's
 * reach for a page walk.
 *
 * The memory is physically contiguous and is mapped by 4 KiB or by 2 MiB
 * entries of the guest's. Beyond the caches' reach the load itself misses, too:
 * the two page sizes differ by the walks alone. */
#include "paging.h"
#include "user_loop.h"
#include "../guest/kernel/layout.h"

/* The data page's first word is where it goes on. */
USER_LOOP_AROUND(chase_loop, "mov %rsi, %r8", "mov (%rsi), %rsi",
                 "mov %rsi, (%r8)");
USER_LOOP(chase_bare, "");

struct node {
    struct node *next;
};

static struct bench_space space;
static uint64_t kib, large, nodes;
static char reason[96];

static uint64_t chase_bytes(void)
{
    uint64_t bytes = kib << 10;

    return bytes < 2ull << 20 ? 2ull << 20 : bytes;
}

static const char *chase_refuse(void)
{
    kib = dial("param.kib", 256);
    large = dial("param.page", 4) == 2048;
    nodes = kib / 4;
    if (kib > 2ull << 20 || bench_large(chase_bytes()))
        return NULL;
    fmt_snprintf(
        reason, sizeof(reason),
        "%lu MiB of contiguous memory needs a guest with more RAM (--ram)",
        chase_bytes() >> 20);
    return reason;
}

/* A table at a time: this is much work where ring 0 is slow. */
static bool map(uint64_t pa)
{
    uint64_t step = large ? 512 * PAGE_SIZE : PAGE_SIZE;
    uint64_t flags = bench_space_flags() | (large ? PTE_PS : 0), *entry = NULL;

    for (uint64_t at = 0; at < chase_bytes(); at += step, entry++) {
        if (at % (512 * step) == 0)
            entry = bench_space_entry(&space, SPACE_BASE + at, large ? 2 : 1);
        if (!entry)
            return false;
        *entry = (pa + at) | flags;
    }
    return true;
}

/* Spread over the lines of a page, or a cache holds but a few. */
static struct node *node(uint64_t i)
{
    return (struct node *)(SPACE_BASE + i * PAGE_SIZE + i % 64 * 64);
}

/* One cycle through all nodes: a linear congruential generator of full period,
 * as the number of nodes is a power of two. */
static void link_nodes(void)
{
    for (uint64_t i = 0; i < nodes; i++)
        node(i)->next =
            node((i * 0x5851f42d4c957f2d + 0x14057b7ef767814f) & (nodes - 1));
}

static const char *chase_init(void)
{
    if (kib < 8 || kib > 2ull << 20 || kib & (kib - 1))
        return "param.kib must be a power of two, 8 to 2097152";
    user_call(chase_bare, chase_bare_end, 1);
    if (!bench_space_create(&space) || !map(bench_large(chase_bytes())))
        return "out of memory";
    bench_space_enter(&space);
    link_nodes();
    *(struct node **)USER_DATA_PAGE = node(0);
    /* A lap: what fills shadows and nested tables for good isn't the walk. */
    user_call(chase_loop, chase_loop_end, nodes);
    return NULL;
}

static void chase_kernel(uint64_t n)
{
    user_call(chase_loop, chase_loop_end, n);
}

static void chase_control(uint64_t n)
{
    user_call(chase_bare, chase_bare_end, n);
}

static const char *chase_verify(void)
{
    const struct node *begin = *(struct node **)USER_DATA_PAGE, *at = begin;
    uint64_t n = 0;

    do {
        at = at->next;
        n++;
    } while (at != begin && n <= nodes);
    return n == nodes ? NULL : "the list isn't one cycle any more";
}

static void chase_cleanup(void)
{
    bench_space_destroy(&space);
}

DEFINE_BENCHMARK_GRID(tlb_chase, "tlb-chase", "paging", "dependent load",
                      "Pointer chase, a node a page, at CPL 3: memory in KiB, "
                      "guest pages of 4 or 2048 KiB",
                      0, "kib=256,4096,65536,1048576 page=4,2048",
                      .refuse = chase_refuse, .init = chase_init,
                      .kernel = chase_kernel, .control = chase_control,
                      .verify = chase_verify, .cleanup = chase_cleanup);
