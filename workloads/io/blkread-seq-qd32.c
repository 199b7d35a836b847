/* blkread-seq-qd32: 4 KiB reads of consecutive blocks, 32 at a time. */
#include "../../guest/lib/bench.h"
#include "blkread.h"

static const struct blk_shape shape = {
    .bytes = BLK_BYTES, .depth = 32, .region = TM_DISK_MIN};

static void seq32_kernel(uint64_t n)
{
    blkread_run(&shape, n);
}

static uint64_t seq32_checksum(void)
{
    return blkread_checksum(&shape, 64, 1);
}

DEFINE_BENCHMARK(blkread_seq32, "blkread-seq-qd32", "io", "4 KiB read",
                 "Sequential 4 KiB reads through virtio-blk, queue depth 32",
                 TM_BENCH_NEEDS_DISK, .refuse = user_blk_refuse,
                 .kernel = seq32_kernel, .checksum = seq32_checksum,
                 .verify = blkread_verify);
