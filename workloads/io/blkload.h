/* What the block workloads share: the shape of their requests. */
#ifndef TM_WORKLOADS_BLKLOAD_H
#define TM_WORKLOADS_BLKLOAD_H

#include "../../guest/user/user.h"

#define BLK_BYTES 4096

struct blk_shape {
    uint32_t bytes;  /* of a request: a multiple of BLK_BYTES up to 64 KiB */
    unsigned depth;  /* requests in flight: up to BLK_BATCH_MAX */
    bool random;     /* their order */
    bool flush;      /* writes: each `depth` of them are flushed */
    bool eager;      /* without suppression of notifications: BLK_EAGER */
    uint64_t region; /* bytes of the disk that are used, from its first on */
};

/* Which request-sized unit of the disk operation number `op` is about. */
uint64_t blkload_unit(const struct blk_shape *s, uint64_t op);
/* A buffer for request i of a batch. */
uint64_t *blkload_buffer(unsigned i);
/* Transfers units [0, n) of a batch, n up to s->depth, with its buffers. False:
 * a request failed. */
bool blkload_transfer(const struct blk_shape *s, const uint64_t *units,
                      unsigned n, unsigned op);

#endif
