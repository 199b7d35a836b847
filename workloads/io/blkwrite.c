/* 4 KiB writes through the kernel's virtio-blk driver, read back at the end. */
#include "blkwrite.h"
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

#define WORDS (BLK_BYTES / 8)

static uint64_t buffer[WORDS] __attribute__((aligned(BLK_BYTES)));
static uint64_t back[WORDS] __attribute__((aligned(BLK_BYTES)));
/* The number of the last write to each block; 0: none. */
static uint64_t written[WRITE_COUNT], writes;
static const char *problem;

static bool transfer_original(uint64_t block)
{
    for (unsigned w = 0; w < WORDS; w++)
        buffer[w] = tm_disk_word(block, w);
    return sys_blk_write(block * BLK_BYTES, buffer, BLK_BYTES) == BLK_BYTES;
}

const char *blkwrite_refuse(void)
{
    int64_t size = sys_blk_size();

    if (size < 0)
        return "no virtio-blk disk";
    if (size < (int64_t)TM_DISK_MIN)
        return "the disk is smaller than 16 MiB";
    /* What it holds anyway. */
    return transfer_original(0) ? NULL : "the disk can't be written to";
}

/* A write is told by its first and last word; between them is always the same,
 * so that filling the buffer is no part of the work. */
void blkwrite_one(uint64_t block)
{
    written[block] = ++writes;
    buffer[0] = buffer[WORDS - 1] = mix64(block, writes);
    if (sys_blk_write(block * BLK_BYTES, buffer, BLK_BYTES) != BLK_BYTES)
        problem = "a block write failed";
}

static void read_back(uint64_t block)
{
    uint64_t ends = mix64(block, written[block]);

    memset(back, 0, sizeof(back));
    if (sys_blk_read(block * BLK_BYTES, back, BLK_BYTES) != BLK_BYTES)
        problem = "a block read failed";
    else if (back[0] != ends || back[WORDS - 1] != ends ||
             memcmp(back + 1, buffer + 1, BLK_BYTES - 16))
        problem = "a block does not hold what was written last";
}

const char *blkwrite_verify(void)
{
    for (uint64_t b = 0; b < WRITE_COUNT && !problem; b++)
        if (written[b])
            read_back(b);
    return problem;
}

void blkwrite_cleanup(void)
{
    for (uint64_t b = 0; b < WRITE_COUNT; b++)
        if (written[b])
            transfer_original(b);
}

uint64_t blkwrite_checksum(uint64_t count, uint64_t step)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++)
        blkwrite_one(i * step % WRITE_COUNT);
    for (uint64_t i = 0; i < count && !problem; i++) {
        read_back(i * step % WRITE_COUNT);
        for (unsigned w = 0; w < WORDS; w++)
            sum = mix64(sum, back[w]);
    }
    return sum;
}
