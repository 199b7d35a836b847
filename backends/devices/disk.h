/* Disk contents: a raw file, or the pattern of abi.h, generated when touched. */
#ifndef TM_DISK_H
#define TM_DISK_H

#include "../backend.h"

#define DISK_SECTOR 512

struct disk {
    uint64_t size; /* bytes, a multiple of DISK_SECTOR */
    bool read_only;
    int fd;           /* raw file, or -1 */
    uint8_t *memory;  /* generated: size bytes, and */
    uint8_t *present; /* a byte for each 4 KiB block that was filled in */
};

/* path NULL: generated, TM_DISK_MIN bytes. Negative errno: why. */
int disk_open(struct disk *d, const char *path, char why[REASON_MAX]);
void disk_close(struct disk *d);

/* The caller has checked the range against size. 0 or negative errno. */
int disk_read(struct disk *d, uint64_t off, void *to, uint64_t len);
int disk_write(struct disk *d, uint64_t off, const void *from, uint64_t len);
int disk_flush(struct disk *d);

#endif
