/* blkread-rand-eager: random 4 KiB reads, 32 at a time, each notified and
 * interrupting. */
#include "../../guest/lib/bench.h"
#include "blkread.h"

static const struct blk_shape shape = {.bytes = BLK_BYTES,
                                       .depth = 32,
                                       .random = true,
                                       .eager = true,
                                       .region = TM_DISK_MIN};

static void eager_kernel(uint64_t n)
{
    blkread_run(&shape, n);
}

static uint64_t eager_checksum(void)
{
    return blkread_checksum(&shape, 64, 1597);
}

DEFINE_BENCHMARK(
    blkread_eager, "blkread-rand-eager", "io", "4 KiB read",
    "Random 4 KiB reads, queue depth 32, no notification suppression",
    TM_BENCH_NEEDS_DISK, .refuse = user_blk_refuse, .kernel = eager_kernel,
    .checksum = eager_checksum, .verify = blkread_verify);
