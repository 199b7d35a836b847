/* A checked 4 KiB read through the kernel's virtio-blk driver. */
#include "blkread.h"
#include "../../guest/lib/bench.h"
#include "../../guest/user/user.h"
#include "../../guest/lib/lib.h"

#define WORDS (BLK_BYTES / 8)

static uint64_t buffer[WORDS] __attribute__((aligned(BLK_BYTES)));
static const char *problem;

const char *blkread_refuse(void)
{
    int64_t size = sys_blk_size();

    if (size < 0)
        return "no virtio-blk disk";
    if (size < (int64_t)TM_DISK_MIN)
        return "the disk is smaller than 16 MiB";
    return NULL;
}

static void read_block(uint64_t block)
{
    if (sys_blk_read(block * BLK_BYTES, buffer, BLK_BYTES) != BLK_BYTES)
        problem = "a block read failed";
}

void blkread_one(uint64_t block)
{
    read_block(block);
    if (buffer[0] != tm_disk_word(block, 0) ||
        buffer[WORDS - 1] != tm_disk_word(block, WORDS - 1))
        problem = "a block does not hold what the disk was filled with";
}

const char *blkread_verify(void)
{
    return problem;
}

uint64_t blkread_checksum(uint64_t count, uint64_t step)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t block = i * step % BLK_COUNT;

        /* A read that transfers nothing must not pass for one that did. */
        for (unsigned w = 0; w < WORDS; w++)
            buffer[w] = 0;
        read_block(block);
        for (unsigned w = 0; w < WORDS; w++) {
            if (buffer[w] != tm_disk_word(block, w))
                problem = "a block does not hold what the disk was filled with";
            sum = mix64(sum, buffer[w]);
        }
    }
    return sum;
}
