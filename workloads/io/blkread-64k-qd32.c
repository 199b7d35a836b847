/* blkread-64k-qd32: 64 KiB reads in order, 32 at a time. */
#include "../../guest/lib/bench.h"
#include "blkread.h"

static const struct blk_shape shape = {
    .bytes = 65536, .depth = 32, .region = TM_DISK_MIN};

static void big32_kernel(uint64_t n)
{
    blkread_run(&shape, n);
}

static uint64_t big32_checksum(void)
{
    return blkread_checksum(&shape, 4, 37);
}

DEFINE_BENCHMARK(blkread_big32, "blkread-64k-qd32", "io", "64 KiB read",
                 "Sequential 64 KiB reads through virtio-blk, queue depth 32",
                 TM_BENCH_NEEDS_DISK, .refuse = user_blk_refuse,
                 .kernel = big32_kernel, .checksum = big32_checksum,
                 .verify = blkread_verify);
