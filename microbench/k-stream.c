/* k-stream: streams through two arrays that fit the second-level cache. */
#include "kcompute.h"

#define ARRAY_PAGES 16
#define PAGE_WORDS (PAGE_SIZE / 8)

static uint64_t *from, *to;

static const char *stream_init(void)
{
    from = bench_pages(2 * ARRAY_PAGES);
    if (!from)
        return "no memory for the arrays";
    to = from + ARRAY_PAGES * PAGE_WORDS;
    for (uint64_t i = 0; i < ARRAY_PAGES * PAGE_WORDS; i++) {
        from[i] = i * 0x9e3779b97f4a7c15;
        to[i] = i;
    }
    return NULL;
}

static void run(uint64_t n)
{
    for (uint64_t page = 0; page < n; page++) {
        const uint64_t *src = from + page % ARRAY_PAGES * PAGE_WORDS;
        uint64_t *dst = to + page % ARRAY_PAGES * PAGE_WORDS;

        for (uint64_t i = 0; i < PAGE_WORDS; i++)
            dst[i] += src[i] ^ page;
    }
}

/* Before any timing, so the arrays are as init left them. */
static uint64_t stream_checksum(void)
{
    uint64_t h = 0;

    run(ARRAY_PAGES + 4);
    for (uint64_t i = 0; i < ARRAY_PAGES * PAGE_WORDS; i += 37)
        h = mix64(h, to[i]);
    return h;
}

static void stream_cleanup(void)
{
    bench_pages_free(from);
}

DEFINE_KCOMPUTE(k_stream, "k-stream", "4 KiB read, 4 KiB updated",
                "Streaming through memory in kernel mode", .init = stream_init,
                .kernel = run, .checksum = stream_checksum,
                .cleanup = stream_cleanup);
