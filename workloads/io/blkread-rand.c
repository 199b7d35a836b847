/* blkread-rand: 4 KiB reads of blocks in random order, one at a time. */
#include "../../guest/lib/bench.h"
#include "blkread.h"

static const struct blk_shape shape = {
    .bytes = BLK_BYTES, .depth = 1, .random = true, .region = TM_DISK_MIN};

static void rand_kernel(uint64_t n)
{
    blkread_run(&shape, n);
}

static uint64_t rand_checksum(void)
{
    return blkread_checksum(&shape, 64, 1597);
}

DEFINE_BENCHMARK(blkread_rand, "blkread-rand", "io", "4 KiB read",
                 "Random 4 KiB reads through virtio-blk, queue depth 1",
                 TM_BENCH_NEEDS_DISK, .refuse = user_blk_refuse,
                 .kernel = rand_kernel, .checksum = rand_checksum,
                 .verify = blkread_verify);
