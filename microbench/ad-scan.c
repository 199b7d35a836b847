/* ad-scan: the scan for working set and dirty pages: collect and clear the
 * accessed and dirty bits of a range, flush, touch the range again (write every
 * other page).
 *
 * A VMM with shadow page tables must see the first access and the first write
 * after the bits were cleared; hardware sets them by itself. The control reads
 * the entries and touches, and neither clears nor flushes. */
#include "paging.h"

#define MOST 512

static struct bench_space space;
static volatile uint64_t *entries;
static uint64_t pages;
static const char *problem;

static void touch(void)
{
    for (uint64_t i = 0; i < pages; i += 2) {
        volatile uint64_t *word = (uint64_t *)(SPACE_BASE + i * PAGE_SIZE);

        *word = i;
        (void)word[PAGE_SIZE / 8];
    }
}

/* Counts both kinds of bits, the dirty ones in the upper half. */
static uint64_t scan(bool clear)
{
    uint64_t found = 0;

    for (uint64_t i = 0; i < pages; i++) {
        uint64_t e = entries[i];

        found += (e & PTE_A ? 1 : 0) + (e & PTE_D ? 1ull << 32 : 0);
        if (clear)
            entries[i] = e & ~(PTE_A | PTE_D);
    }
    return found;
}

static const char *ad_scan_init(void)
{
    problem = NULL;
    pages = dial("param.pages", 16);
    if (pages < 2 || pages > MOST || pages % 2)
        return "param.pages must be even, 2 to 512";
    if (!bench_space_create(&space) ||
        !bench_space_map(&space, SPACE_BASE, (unsigned)pages))
        return "out of memory";
    entries = bench_space_entry(&space, SPACE_BASE, 1);
    scan(true);
    bench_space_enter(&space);
    return NULL;
}

/* Every batch begins with the bits set. */
static void ad_scan_reset(uint64_t n)
{
    (void)n;
    touch();
}

static void ad_scan_kernel(uint64_t n)
{
    for (; n; n--) {
        uint64_t found = scan(true);

        bench_space_enter(&space);
        touch();
        if ((uint32_t)found != pages)
            problem = "the accessed bits are not those of the pages touched";
        if (found >> 32 != pages / 2)
            problem = "the dirty bits are not those of the pages written";
    }
}

static void ad_scan_control(uint64_t n)
{
    for (; n; n--) {
        scan(false);
        touch();
    }
}

static const char *ad_scan_verify(void)
{
    return problem;
}

static void ad_scan_cleanup(void)
{
    bench_space_destroy(&space);
}

DEFINE_BENCHMARK_GRID(
    ad_scan, "ad-scan", "paging", "scan of a range",
    "Collect and clear the accessed and dirty bits of a range, "
    "flush, touch it",
    0, "pages=16,256", .init = ad_scan_init, .kernel = ad_scan_kernel,
    .control = ad_scan_control, .reset = ad_scan_reset,
    .verify = ad_scan_verify, .cleanup = ad_scan_cleanup);
