/* blkwrite-rand: 4 KiB writes of blocks in random order, one at a time. */
#include "../../guest/lib/bench.h"
#include "blkwrite.h"

static const struct blk_shape shape = {
    .bytes = BLK_BYTES, .depth = 1, .random = true, .region = BLKWRITE_REGION};

static void rand_kernel(uint64_t n)
{
    blkwrite_run(&shape, n);
}

static uint64_t rand_checksum(void)
{
    return blkwrite_checksum(&shape, 64, 397);
}

DEFINE_BENCHMARK(blkwrite_rand, "blkwrite-rand", "io", "4 KiB write",
                 "Random 4 KiB writes through virtio-blk, queue depth 1",
                 TM_BENCH_NEEDS_DISK, .refuse = blkwrite_refuse,
                 .kernel = rand_kernel, .checksum = rand_checksum,
                 .verify = blkwrite_verify, .cleanup = blkwrite_cleanup);
