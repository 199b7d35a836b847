/* Requests to the kernel's virtio-blk driver, one at a time or many. */
#include "blkload.h"

static uint8_t buffers[BLK_BATCH_MAX][BLK_LEN_MAX]
    __attribute__((aligned(BLK_BYTES)));

uint64_t blkload_unit(const struct blk_shape *s, uint64_t op)
{
    return (s->random ? mix64(0, op) : op) % (s->region / s->bytes);
}

uint64_t *blkload_buffer(unsigned i)
{
    return (uint64_t *)buffers[i];
}

bool blkload_transfer(const struct blk_shape *s, const uint64_t *units,
                      unsigned n, unsigned op)
{
    struct user_blk requests[BLK_BATCH_MAX];

    for (unsigned i = 0; i < n; i++)
        requests[i] = (struct user_blk){units[i] * s->bytes,
                                        (uint64_t)buffers[i], s->bytes, op};
    return sys_blk_batch(requests, n) == 0;
}
