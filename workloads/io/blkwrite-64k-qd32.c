/* blkwrite-64k-qd32: 64 KiB writes in order, 32 at a time. */
#include "../../guest/lib/bench.h"
#include "blkwrite.h"

static const struct blk_shape shape = {
    .bytes = 65536, .depth = 32, .region = BLKWRITE_REGION};

static void big32_kernel(uint64_t n)
{
    blkwrite_run(&shape, n);
}

static uint64_t big32_checksum(void)
{
    return blkwrite_checksum(&shape, 4, 37);
}

DEFINE_BENCHMARK(blkwrite_big32, "blkwrite-64k-qd32", "io", "64 KiB write",
                 "Sequential 64 KiB writes through virtio-blk, queue depth 32",
                 TM_BENCH_NEEDS_DISK, .refuse = blkwrite_refuse,
                 .kernel = big32_kernel, .checksum = big32_checksum,
                 .verify = blkwrite_verify, .cleanup = blkwrite_cleanup);
