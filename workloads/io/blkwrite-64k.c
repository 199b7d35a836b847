/* blkwrite-64k: 64 KiB writes in order, one at a time. */
#include "../../guest/lib/bench.h"
#include "blkwrite.h"

static const struct blk_shape shape = {
    .bytes = 65536, .depth = 1, .region = BLKWRITE_REGION};

static void big_kernel(uint64_t n)
{
    blkwrite_run(&shape, n);
}

static uint64_t big_checksum(void)
{
    return blkwrite_checksum(&shape, 4, 37);
}

DEFINE_BENCHMARK(blkwrite_big, "blkwrite-64k", "io", "64 KiB write",
                 "Sequential 64 KiB writes through virtio-blk, queue depth 1",
                 TM_BENCH_NEEDS_DISK, .refuse = blkwrite_refuse,
                 .kernel = big_kernel, .checksum = big_checksum,
                 .verify = blkwrite_verify, .cleanup = blkwrite_cleanup);
