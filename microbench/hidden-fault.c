/* hidden-fault: the first touch of a page whose entry was just made present.
 *
 * reset() clears each entry, invalidates its page and puts the entry back, so
 * no shadow page table or TLB holds the page, while the guest's own tables map
 * it with accessed and dirty bits set. Under shadow paging, whatever the
 * policy, the touch is then a hidden fault; on bare hardware and under nested
 * paging it is a TLB miss. A VMM that fills its shadow at the entry's store has
 * paid for the fault there, and shows a smaller figure here.
 *
 * At stride 1 the pages are neighbours and are touched in order: a VMM may fill
 * several at one fault. At a larger stride nothing is mapped between them. */
#include "paging.h"

#define PAGES 512
#define STRIDE_MOST 512

static struct bench_space space;
static volatile uint64_t *entries[PAGES];
static uint64_t stride; /* bytes */
static char *warm;      /* a page that reset() leaves alone */
static const char *problem;

static const char *hidden_fault_init(void)
{
    uint64_t *at;

    problem = NULL;
    stride = dial("param.stride", 1) * PAGE_SIZE;
    if (!stride || stride > STRIDE_MOST * PAGE_SIZE)
        return "param.stride must be 1 to 512";
    warm = SPACE_BASE + PAGES * stride;
    if (!bench_space_create(&space) || !bench_space_map(&space, warm, 1))
        return "out of memory";
    for (uint64_t i = 0; i < PAGES; i++) {
        uint64_t frame = bench_space_frame(&space, (void **)&at);

        entries[i] = bench_space_entry(&space, SPACE_BASE + i * stride, 1);
        if (!frame || !entries[i])
            return "out of memory";
        *entries[i] = frame | bench_space_flags();
        *at = i;
    }
    bench_space_enter(&space);
    return NULL;
}

static void hidden_fault_reset(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uint64_t value = *entries[i];

        *entries[i] = 0;
        invlpg(SPACE_BASE + i * stride);
        *entries[i] = value;
    }
}

static void hidden_fault_kernel(uint64_t n)
{
    if (read_pages(SPACE_BASE, n, stride) != sum_below(n))
        problem = "a page was read through a wrong translation";
}

static void hidden_fault_control(uint64_t n)
{
    read_pages(warm, n, 0);
}

static const char *hidden_fault_verify(void)
{
    return problem;
}

static void hidden_fault_cleanup(void)
{
    bench_space_destroy(&space);
}

DEFINE_BENCHMARK_GRID(hidden_fault, "hidden-fault", "paging", "first touch",
                      "First touch of a page just made present: a hidden fault "
                      "under shadow paging, else a TLB miss",
                      0, "stride=1,64", .init = hidden_fault_init,
                      .kernel = hidden_fault_kernel,
                      .control = hidden_fault_control,
                      .reset = hidden_fault_reset, .max_batch = PAGES,
                      .verify = hidden_fault_verify,
                      .cleanup = hidden_fault_cleanup);
