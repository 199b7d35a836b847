/* blkwrite-rand: 4 KiB writes of blocks in random order, one at a time. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "blkwrite.h"

static void rand_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n; op++)
        blkwrite_one(mix64(0, op) % WRITE_COUNT);
}

/* A step coprime to the number of blocks. */
static uint64_t rand_checksum(void)
{
    return blkwrite_checksum(64, 397);
}

DEFINE_BENCHMARK(blkwrite_rand, "blkwrite-rand", "io", "4 KiB write",
                 "Random 4 KiB writes through virtio-blk, queue depth 1",
                 TM_BENCH_NEEDS_DISK, .refuse = blkwrite_refuse,
                 .kernel = rand_kernel, .checksum = rand_checksum,
                 .verify = blkwrite_verify, .cleanup = blkwrite_cleanup);
