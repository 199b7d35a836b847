/* blkread-rand-qd32: 4 KiB reads of blocks in random order, 32 at a time. */
#include "../../guest/lib/bench.h"
#include "blkread.h"

static const struct blk_shape shape = {
    .bytes = BLK_BYTES, .depth = 32, .random = true, .region = TM_DISK_MIN};

static void rand32_kernel(uint64_t n)
{
    blkread_run(&shape, n);
}

static uint64_t rand32_checksum(void)
{
    return blkread_checksum(&shape, 64, 1597);
}

DEFINE_BENCHMARK(blkread_rand32, "blkread-rand-qd32", "io", "4 KiB read",
                 "Random 4 KiB reads through virtio-blk, queue depth 32",
                 TM_BENCH_NEEDS_DISK, .refuse = user_blk_refuse,
                 .kernel = rand32_kernel, .checksum = rand32_checksum,
                 .verify = blkread_verify);
