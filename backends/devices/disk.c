/* Reading and writing what backs a virtual disk. */
#include "disk.h"
#include "guest/abi/abi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096ull

static int disk_open_file(struct disk *d, const char *path,
                          char why[REASON_MAX])
{
    struct stat st;
    int r;

    d->fd = open(path, O_RDWR | O_CLOEXEC);
    if (d->fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM)) {
        d->fd = open(path, O_RDONLY | O_CLOEXEC);
        d->read_only = true;
    }
    if (d->fd < 0 || fstat(d->fd, &st) < 0) {
        r = -errno;
        snprintf(why, REASON_MAX, "%.150s: cannot open disk: %s", path,
                 strerror(-r));
        return r;
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, REASON_MAX, "%.150s: disk is not a regular file", path);
        return -EINVAL;
    }
    if (st.st_size < (off_t)TM_DISK_MIN) {
        snprintf(why, REASON_MAX,
                 "%.150s: disk of %lld KiB is smaller than %u MiB", path,
                 (long long)st.st_size >> 10, TM_DISK_MIN >> 20);
        return -EINVAL;
    }
    d->size = st.st_size / DISK_SECTOR * DISK_SECTOR;
    return 0;
}

int disk_open(struct disk *d, const char *path, char why[REASON_MAX])
{
    int r;

    memset(d, 0, sizeof(*d));
    d->fd = -1;
    if (path) {
        r = disk_open_file(d, path, why);
        if (r < 0)
            disk_close(d);
        return r;
    }
    d->size = TM_DISK_MIN;
    d->present = calloc(d->size / BLOCK, 1);
    d->memory = mmap(NULL, d->size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (d->memory == MAP_FAILED)
        d->memory = NULL;
    if (!d->present || !d->memory) {
        snprintf(why, REASON_MAX, "out of memory for the disk");
        disk_close(d);
        return -ENOMEM;
    }
    return 0;
}

void disk_close(struct disk *d)
{
    if (d->fd >= 0)
        close(d->fd);
    if (d->memory)
        munmap(d->memory, d->size);
    free(d->present);
    disk_undo_free(d);
    d->fd = -1;
    d->memory = d->present = NULL;
}

/* Generate the blocks of [off, off + len) that nobody has touched yet. */
static void disk_fill(struct disk *d, uint64_t off, uint64_t len)
{
    if (!len)
        return;
    for (uint64_t b = off / BLOCK; b <= (off + len - 1) / BLOCK; b++) {
        uint64_t *to = (uint64_t *)(d->memory + b * BLOCK);

        if (d->present[b])
            continue;
        for (uint64_t w = 0; w < BLOCK / 8; w++)
            to[w] = tm_disk_word(b, w);
        d->present[b] = 1;
    }
}

int disk_read(struct disk *d, uint64_t off, void *to, uint64_t len)
{
    uint8_t *p = to;

    if (d->memory) {
        disk_fill(d, off, len);
        memcpy(p, d->memory + off, len);
        return 0;
    }
    while (len) {
        ssize_t n = pread(d->fd, p, len, off);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* 0: the file shrank */
            return n < 0 ? -errno : -EIO;
        p += n;
        off += n;
        len -= n;
    }
    return 0;
}

int disk_write(struct disk *d, uint64_t off, const void *from, uint64_t len)
{
    const uint8_t *p = from;

    if (d->read_only)
        return -EROFS;
    if (d->memory) {
        disk_fill(d, off, len);
        if (d->undo && disk_undo_note(d, off, len) < 0)
            return -ENOMEM;
        memcpy(d->memory + off, p, len);
        return 0;
    }
    while (len) {
        ssize_t n = pwrite(d->fd, p, len, off);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        p += n;
        off += n;
        len -= n;
    }
    return 0;
}

int disk_flush(struct disk *d)
{
    if (d->undo)
        disk_undo_forget(d);
    return d->fd >= 0 && !d->read_only && fdatasync(d->fd) < 0 ? -errno : 0;
}
