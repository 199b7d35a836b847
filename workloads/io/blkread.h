/* What the block-read workloads share: checked reads of a shape. */
#ifndef TM_WORKLOADS_BLKREAD_H
#define TM_WORKLOADS_BLKREAD_H

#include "blkload.h"

/* n reads; looks at the first and last word of each. */
void blkread_run(const struct blk_shape *s, uint64_t n);
/* What went wrong in any of them so far, or NULL. */
const char *blkread_verify(void);
/* Reads `count` units, `step` apart, compares every word with what the disk
 * must hold, and digests what was read. */
uint64_t blkread_checksum(const struct blk_shape *s, uint64_t count,
                          uint64_t step);

#endif
