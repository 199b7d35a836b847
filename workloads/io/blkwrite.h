/* What the two block-write workloads share: a 4 KiB write that is checked later. */
#ifndef TM_WORKLOADS_BLKWRITE_H
#define TM_WORKLOADS_BLKWRITE_H

#include <stdint.h>

#define BLK_BYTES 4096
/* Blocks that are written to, from the disk's first on: 4 MiB. */
#define WRITE_COUNT 1024

/* Why the disk can't be written, or NULL. */
const char *blkwrite_refuse(void);
/* Writes block `block`, with contents that no write before it had. */
void blkwrite_one(uint64_t block);
/* Reads every block that was written: what is wrong, or NULL. */
const char *blkwrite_verify(void);
/* Gives the blocks that were written their contents of abi.h again. */
void blkwrite_cleanup(void);
/* Writes `count` blocks, `step` apart, reads them back and digests them. */
uint64_t blkwrite_checksum(uint64_t count, uint64_t step);

#endif
