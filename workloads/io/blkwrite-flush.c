/* blkwrite-flush: random 4 KiB writes, each flushed: a commit. */
#include "../../guest/lib/bench.h"
#include "blkwrite.h"

static const struct blk_shape shape = {.bytes = BLK_BYTES,
                                       .depth = 1,
                                       .random = true,
                                       .flush = true,
                                       .region = BLKWRITE_REGION};

static void flush_kernel(uint64_t n)
{
    blkwrite_run(&shape, n);
}

static uint64_t flush_checksum(void)
{
    return blkwrite_checksum(&shape, 64, 397);
}

DEFINE_BENCHMARK(blkwrite_flush, "blkwrite-flush", "io", "4 KiB write, flush",
                 "Random 4 KiB writes, each followed by a flush",
                 TM_BENCH_NEEDS_DISK, .refuse = blkwrite_refuse,
                 .kernel = flush_kernel, .checksum = flush_checksum,
                 .verify = blkwrite_verify, .cleanup = blkwrite_cleanup);
