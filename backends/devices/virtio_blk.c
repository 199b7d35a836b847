/* virtio-blk: reads, writes, flushes and the identity string (virtio 1.2, 5.2). */
#include "disk.h"
#include "virtio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLK_ID 2

#define BLK_F_SEG_MAX (1ull << 2)
#define BLK_F_RO (1ull << 5)
#define BLK_F_BLK_SIZE (1ull << 6)
#define BLK_F_FLUSH (1ull << 9)

enum { BLK_IN = 0, BLK_OUT = 1, BLK_FLUSH = 4, BLK_GET_ID = 8 };
enum { BLK_OK = 0, BLK_IOERR = 1, BLK_UNSUPP = 2 };

#define BLK_ID_BYTES 20

struct blk_config {
    uint64_t capacity; /* sectors */
    uint32_t size_max, seg_max;
    struct {
        uint16_t cylinders;
        uint8_t heads, sectors;
    } geometry;
    uint32_t blk_size;
};
_Static_assert(offsetof(struct blk_config, blk_size) == 20,
               "virtio_blk_config");

struct blk_header {
    uint32_t type, reserved;
    uint64_t sector;
};

static int blk_create(struct virtio_slot *s, char why[REASON_MAX])
{
    struct disk *d = malloc(sizeof(*d));
    int r;

    if (!d) {
        snprintf(why, REASON_MAX, "out of memory for the disk");
        return -ENOMEM;
    }
    r = disk_open(d, s->board->disk, why);
    if (r < 0)
        free(d);
    else
        s->state = d;
    return r;
}

static void blk_destroy(struct virtio_slot *s)
{
    disk_close(s->state);
    free(s->state);
}

static uint64_t blk_features(struct virtio_slot *s)
{
    struct disk *d = s->state;

    return VIRTIO_F_RING | BLK_F_SEG_MAX | BLK_F_BLK_SIZE | BLK_F_FLUSH |
           (d->read_only ? BLK_F_RO : 0);
}

static void blk_config(struct virtio_slot *s, void *to)
{
    struct disk *d = s->state;
    const struct blk_config c = {
        .capacity = d->size / DISK_SECTOR,
        .seg_max = VIRTQ_MAX - 2, /* but header and status */
        .blk_size = DISK_SECTOR,
    };

    memcpy(to, &c, sizeof(c));
}

/* Move whole sectors between the disk and buffers b; *done counts bytes, also of a
 * transfer that fails half-way. */
static int blk_transfer(struct disk *d, uint64_t off,
                        const struct virtq_buffer *b, uint64_t skip,
                        uint64_t len, bool to_guest, uint64_t *done)
{
    *done = 0;
    for (; *done < len; b++) {
        uint64_t part = b->len > skip ? b->len - skip : 0;
        int r;

        if (part > len - *done)
            part = len - *done;
        r = to_guest ? disk_read(d, off + *done, b->host + skip, part)
                     : disk_write(d, off + *done, b->host + skip, part);
        if (r < 0)
            return r;
        *done += part;
        skip = b->len > skip ? 0 : skip - b->len;
    }
    return 0;
}

static bool blk_in_range(const struct disk *d, uint64_t sector, uint64_t len)
{
    uint64_t sectors = d->size / DISK_SECTOR;

    return len % DISK_SECTOR == 0 && sector <= sectors &&
           len / DISK_SECTOR <= sectors - sector;
}

static uint8_t blk_in(struct disk *d, const struct blk_header *h,
                      const struct virtq_chain *c, uint64_t *done)
{
    uint64_t len = c->writable_len - 1;

    if (!blk_in_range(d, h->sector, len))
        return BLK_IOERR;
    return blk_transfer(d, h->sector * DISK_SECTOR, c->buffer + c->readable, 0,
                        len, true, done) < 0
               ? BLK_IOERR
               : BLK_OK;
}

static uint8_t blk_flush(struct disk *d)
{
    return disk_flush(d) < 0 ? BLK_IOERR : BLK_OK;
}

static uint8_t blk_out(struct disk *d, const struct blk_header *h,
                       const struct virtq_chain *c, bool write_through)
{
    uint64_t len = c->readable_len - sizeof(*h), done;

    if (!blk_in_range(d, h->sector, len) ||
        blk_transfer(d, h->sector * DISK_SECTOR, c->buffer, sizeof(*h), len,
                     false, &done) < 0)
        return BLK_IOERR;
    return write_through ? blk_flush(d) : BLK_OK;
}

static int64_t blk_serve(struct virtio_slot *s, unsigned queue,
                         const struct virtq_chain *c, const char **why)
{
    static const char id[BLK_ID_BYTES] = "trapmark";
    struct disk *d = s->state;
    struct blk_header h;
    uint64_t done = 0;
    uint8_t status;

    (void)queue;
    if (virtq_read(c, 0, &h, sizeof(h)) < sizeof(h)) {
        *why = "a block request without a header";
        return -EINVAL;
    }
    if (!c->writable_len) {
        *why = "a block request without room for its status";
        return -EINVAL;
    }
    switch (h.type) {
    case BLK_IN:
        status = blk_in(d, &h, c, &done);
        break;
    case BLK_OUT:
        /* A driver that can't flush must not have to (5.2.6.2). */
        status = blk_out(d, &h, c, !(s->driver_features & BLK_F_FLUSH));
        break;
    case BLK_FLUSH:
        status = blk_flush(d);
        break;
    case BLK_GET_ID:
        done =
            c->writable_len - 1 < sizeof(id) ? c->writable_len - 1 : sizeof(id);
        virtq_write(c, 0, id, done);
        status = BLK_OK;
        break;
    default:
        status = BLK_UNSUPP;
    }
    /* The status is the last byte, whatever came of the data. */
    virtq_write(c, c->writable_len - 1, &status, 1);
    return done + 1;
}

const struct virtio_class virtio_blk = {
    .id = BLK_ID,
    .queues = 1,
    .create = blk_create,
    .destroy = blk_destroy,
    .features = blk_features,
    .config = blk_config,
    .serve = blk_serve,
};
