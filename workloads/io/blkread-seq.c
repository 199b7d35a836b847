/* blkread-seq: 4 KiB reads of consecutive blocks, one at a time. */
#include "../../guest/lib/bench.h"
#include "blkread.h"

static void seq_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n; op++)
        blkread_one(op % BLK_COUNT);
}

static uint64_t seq_checksum(void)
{
    return blkread_checksum(64, 1);
}

DEFINE_BENCHMARK(blkread_seq, "blkread-seq", "io", "4 KiB read",
                 "Sequential 4 KiB reads through virtio-blk, queue depth 1",
                 TM_BENCH_NEEDS_DISK, .refuse = blkread_refuse,
                 .kernel = seq_kernel, .checksum = seq_checksum,
                 .verify = blkread_verify);
