/* blkread-seq: 4 KiB reads of consecutive blocks, one at a time. */
#include "../../guest/lib/bench.h"
#include "blkread.h"

static const struct blk_shape shape = {
    .bytes = BLK_BYTES, .depth = 1, .region = TM_DISK_MIN};

static void seq_kernel(uint64_t n)
{
    blkread_run(&shape, n);
}

static uint64_t seq_checksum(void)
{
    return blkread_checksum(&shape, 64, 1);
}

DEFINE_BENCHMARK(blkread_seq, "blkread-seq", "io", "4 KiB read",
                 "Sequential 4 KiB reads through virtio-blk, queue depth 1",
                 TM_BENCH_NEEDS_DISK, .refuse = user_blk_refuse,
                 .kernel = seq_kernel, .checksum = seq_checksum,
                 .verify = blkread_verify);
