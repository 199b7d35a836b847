/* blkread-rand: 4 KiB reads of blocks in random order, one at a time. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "blkread.h"

static void rand_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n; op++)
        blkread_one(mix64(0, op) % BLK_COUNT);
}

/* A step coprime to the number of blocks visits blocks all over the disk. */
static uint64_t rand_checksum(void)
{
    return blkread_checksum(64, 1597);
}

DEFINE_BENCHMARK(blkread_rand, "blkread-rand", "io", "4 KiB read",
                 "Random 4 KiB reads through virtio-blk, queue depth 1",
                 TM_BENCH_NEEDS_DISK, .refuse = blkread_refuse,
                 .kernel = rand_kernel, .checksum = rand_checksum,
                 .verify = blkread_verify);
