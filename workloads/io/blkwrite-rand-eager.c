/* blkwrite-rand-eager: random 4 KiB writes, 32 at a time, each notified and
 * interrupting. */
#include "../../guest/lib/bench.h"
#include "blkwrite.h"

static const struct blk_shape shape = {.bytes = BLK_BYTES,
                                       .depth = 32,
                                       .random = true,
                                       .eager = true,
                                       .region = BLKWRITE_REGION};

static void eager_kernel(uint64_t n)
{
    blkwrite_run(&shape, n);
}

static uint64_t eager_checksum(void)
{
    return blkwrite_checksum(&shape, 64, 397);
}

DEFINE_BENCHMARK(
    blkwrite_eager, "blkwrite-rand-eager", "io", "4 KiB write",
    "Random 4 KiB writes, queue depth 32, no notification suppression",
    TM_BENCH_NEEDS_DISK, .refuse = blkwrite_refuse, .kernel = eager_kernel,
    .checksum = eager_checksum, .verify = blkwrite_verify,
    .cleanup = blkwrite_cleanup);
