/* blkwrite-seq-qd32: 4 KiB writes of consecutive blocks, 32 at a time. */
#include "../../guest/lib/bench.h"
#include "blkwrite.h"

static const struct blk_shape shape = {
    .bytes = BLK_BYTES, .depth = 32, .region = BLKWRITE_REGION};

static void seq32_kernel(uint64_t n)
{
    blkwrite_run(&shape, n);
}

static uint64_t seq32_checksum(void)
{
    return blkwrite_checksum(&shape, 64, 1);
}

DEFINE_BENCHMARK(blkwrite_seq32, "blkwrite-seq-qd32", "io", "4 KiB write",
                 "Sequential 4 KiB writes through virtio-blk, queue depth 32",
                 TM_BENCH_NEEDS_DISK, .refuse = blkwrite_refuse,
                 .kernel = seq32_kernel, .checksum = seq32_checksum,
                 .verify = blkwrite_verify, .cleanup = blkwrite_cleanup);
