/* What the block-write workloads share: writes of a shape, checked later. */
#ifndef TM_WORKLOADS_BLKWRITE_H
#define TM_WORKLOADS_BLKWRITE_H

#include "blkload.h"

/* Of the disk, from its first byte on. */
#define BLKWRITE_REGION (4ull << 20)

/* Why the disk can't be written, or NULL. */
const char *blkwrite_refuse(void);
/* n writes, each with contents that none before it had. */
void blkwrite_run(const struct blk_shape *s, uint64_t n);
/* Reads every unit that was written: what is wrong, or NULL. */
const char *blkwrite_verify(void);
/* Gives the units that were written their contents of abi.h again. */
void blkwrite_cleanup(void);
/* Writes `count` units, `step` apart, reads them back and digests them. */
uint64_t blkwrite_checksum(const struct blk_shape *s, uint64_t count,
                           uint64_t step);

#endif
