/* Disk contents: a raw file, or the pattern of abi.h, generated when touched. */
#ifndef TM_DISK_H
#define TM_DISK_H

#include "../backend.h"

#define DISK_SECTOR 512

struct disk {
    uint64_t size; /* bytes, a multiple of DISK_SECTOR */
    bool read_only;
    int fd;                 /* raw file, or -1 */
    uint8_t *memory;        /* generated: size bytes, and */
    uint8_t *present;       /* a byte for each 4 KiB block that was filled in */
    struct disk_undo *undo; /* NULL: power is not going to fail */
};

/* path NULL: generated, TM_DISK_MIN bytes. Negative errno: why. */
int disk_open(struct disk *d, const char *path, char why[REASON_MAX]);
void disk_close(struct disk *d);

/* The caller has checked the range against size. 0 or negative errno. */
int disk_read(struct disk *d, uint64_t off, void *to, uint64_t len);
int disk_write(struct disk *d, uint64_t off, const void *from, uint64_t len);
int disk_flush(struct disk *d);

/* ---- Power failures, for tests, of a generated disk ----------------------
 *
 * Writes reach a volatile cache until they are flushed. disk_lose_power() takes
 * back what a failure at this moment might: of every sector that was written
 * since the last flush any number of its newest writes, as `seed` decides
 * (UINT64_MAX: all of them). So writes get lost, torn and reordered, but a
 * sector is always as some write left it. */
int disk_keep_unflushed(struct disk *d);
void disk_lose_power(struct disk *d, uint64_t seed);

/* disk.c's, around a write and at a flush and the end. */
int disk_undo_note(struct disk *d, uint64_t off, uint64_t len);
void disk_undo_forget(struct disk *d);
void disk_undo_free(struct disk *d);

#endif
