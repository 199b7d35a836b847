/* blkread-64k: 64 KiB reads in order, one at a time. */
#include "../../guest/lib/bench.h"
#include "blkread.h"

static const struct blk_shape shape = {
    .bytes = 65536, .depth = 1, .region = TM_DISK_MIN};

static void big_kernel(uint64_t n)
{
    blkread_run(&shape, n);
}

static uint64_t big_checksum(void)
{
    return blkread_checksum(&shape, 4, 37);
}

DEFINE_BENCHMARK(blkread_big, "blkread-64k", "io", "64 KiB read",
                 "Sequential 64 KiB reads through virtio-blk, queue depth 1",
                 TM_BENCH_NEEDS_DISK, .refuse = user_blk_refuse,
                 .kernel = big_kernel, .checksum = big_checksum,
                 .verify = blkread_verify);
