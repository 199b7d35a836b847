/* blkwrite-rand-qd32: 4 KiB writes of blocks in random order, 32 at a time. */
#include "../../guest/lib/bench.h"
#include "blkwrite.h"

static const struct blk_shape shape = {
    .bytes = BLK_BYTES, .depth = 32, .random = true, .region = BLKWRITE_REGION};

static void rand32_kernel(uint64_t n)
{
    blkwrite_run(&shape, n);
}

static uint64_t rand32_checksum(void)
{
    return blkwrite_checksum(&shape, 64, 397);
}

DEFINE_BENCHMARK(blkwrite_rand32, "blkwrite-rand-qd32", "io", "4 KiB write",
                 "Random 4 KiB writes through virtio-blk, queue depth 32",
                 TM_BENCH_NEEDS_DISK, .refuse = blkwrite_refuse,
                 .kernel = rand32_kernel, .checksum = rand32_checksum,
                 .verify = blkwrite_verify, .cleanup = blkwrite_cleanup);
