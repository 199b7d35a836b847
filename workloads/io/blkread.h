/* What the two block-read workloads share: a checked 4 KiB read. */
#ifndef TM_WORKLOADS_BLKREAD_H
#define TM_WORKLOADS_BLKREAD_H

#include <stdint.h>

#define BLK_BYTES 4096
/* The part of the disk that is used, whatever its size. */
#define BLK_COUNT (TM_DISK_MIN / BLK_BYTES)

/* Why the disk can't be read, or NULL. */
const char *blkread_refuse(void);
/* Reads block `block` and looks at its first and last word. */
void blkread_one(uint64_t block);
/* What went wrong in any blkread_one() so far, or NULL. */
const char *blkread_verify(void);
/* Reads `count` blocks, `step` apart, compares every word with what the block
 * must hold, and digests what was read. */
uint64_t blkread_checksum(uint64_t count, uint64_t step);

#endif
