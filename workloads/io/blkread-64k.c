/* blkread-64k: 64 KiB reads, each one request of sixteen pages. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"
#include "blkread.h"

#define BYTES  65536
#define WORDS  (BYTES / 8)
#define BLOCKS (BYTES / BLK_BYTES)
#define COUNT  (TM_DISK_MIN / BYTES)

static uint64_t buffer[WORDS] __attribute__((aligned(BLK_BYTES)));
static const char *problem;

static uint64_t expected(uint64_t extent, uint64_t w)
{
    return tm_disk_word(extent * BLOCKS + w / 512, w % 512);
}

/* First and last word: every word was compared for the checksum. */
static void read_extent(uint64_t extent)
{
    if (sys_blk_read(extent * BYTES, buffer, BYTES) != BYTES)
        problem = "a block read failed";
    else if (buffer[0] != expected(extent, 0) ||
             buffer[WORDS - 1] != expected(extent, WORDS - 1))
        problem = "the disk does not hold what it was filled with";
}

static void big_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n; op++)
        read_extent(op % COUNT);
}

static uint64_t big_checksum(void)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < 4; i++) {
        memset(buffer, 0, sizeof(buffer));
        read_extent(i * 37 % COUNT);
        for (uint64_t w = 0; w < WORDS; w++) {
            if (buffer[w] != expected(i * 37 % COUNT, w))
                problem = "the disk does not hold what it was filled with";
            sum = mix64(sum, buffer[w]);
        }
    }
    return sum;
}

static const char *big_verify(void)
{
    return problem;
}

DEFINE_BENCHMARK(blkread_64k, "blkread-64k", "io", "64 KiB read",
                 "Sequential 64 KiB reads through virtio-blk, queue depth 1",
                 TM_BENCH_NEEDS_DISK, .refuse = blkread_refuse,
                 .kernel = big_kernel, .checksum = big_checksum,
                 .verify = big_verify);
