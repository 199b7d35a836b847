/* blkwrite-flush-qd32: random 4 KiB writes, 32 at a time and then a flush: a
 * group commit. */
#include "../../guest/lib/bench.h"
#include "blkwrite.h"

static const struct blk_shape shape = {.bytes = BLK_BYTES,
                                       .depth = 32,
                                       .random = true,
                                       .flush = true,
                                       .region = BLKWRITE_REGION};

static void flush32_kernel(uint64_t n)
{
    blkwrite_run(&shape, n);
}

static uint64_t flush32_checksum(void)
{
    return blkwrite_checksum(&shape, 64, 397);
}

DEFINE_BENCHMARK(blkwrite_flush32, "blkwrite-flush-qd32", "io", "4 KiB write",
                 "Random 4 KiB writes, queue depth 32, a flush every 32",
                 TM_BENCH_NEEDS_DISK, .refuse = blkwrite_refuse,
                 .kernel = flush32_kernel, .checksum = flush32_checksum,
                 .verify = blkwrite_verify, .cleanup = blkwrite_cleanup);
