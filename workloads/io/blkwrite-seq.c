/* blkwrite-seq: 4 KiB writes of consecutive blocks, one at a time. */
#include "../../guest/lib/bench.h"
#include "blkwrite.h"

static const struct blk_shape shape = {
    .bytes = BLK_BYTES, .depth = 1, .region = BLKWRITE_REGION};

static void seq_kernel(uint64_t n)
{
    blkwrite_run(&shape, n);
}

static uint64_t seq_checksum(void)
{
    return blkwrite_checksum(&shape, 64, 1);
}

DEFINE_BENCHMARK(blkwrite_seq, "blkwrite-seq", "io", "4 KiB write",
                 "Sequential 4 KiB writes through virtio-blk, queue depth 1",
                 TM_BENCH_NEEDS_DISK, .refuse = blkwrite_refuse,
                 .kernel = seq_kernel, .checksum = seq_checksum,
                 .verify = blkwrite_verify, .cleanup = blkwrite_cleanup);
