/* Walking and checking the rings of a split virtqueue. */
#include "virtq.h"

#include <errno.h>
#include <string.h>

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY     1

struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};
_Static_assert(sizeof(struct virtq_desc) == 16, "virtq_desc");

struct virtq_avail {
    uint16_t flags, idx, ring[];
};

struct virtq_used {
    uint16_t flags, idx;
    struct {
        uint32_t id, len;
    } ring[];
};
_Static_assert(offsetof(struct virtq_used, ring) == 4, "virtq_used");

int virtq_check(const struct virtq *q, const struct guest_ram *ram,
                const char **why)
{
    if (!q->num || q->num > VIRTQ_MAX || (q->num & (q->num - 1))) {
        *why = "queue size is not a power of two up to 256";
        return -EINVAL;
    }
    if (q->desc % 16 || q->avail % 2 || q->used % 4) {
        *why = "a ring is misaligned";
        return -EINVAL;
    }
    if (!ram_ptr(ram, q->desc, 16ull * q->num) ||
        !ram_ptr(ram, q->avail, 4 + 2ull * q->num) ||
        !ram_ptr(ram, q->used, 4 + 8ull * q->num)) {
        *why = "a ring is not in RAM";
        return -EINVAL;
    }
    return 0;
}

/* virtq_check() has seen the rings, so these don't fail. */
static struct virtq_avail *virtq_avail(const struct virtq *q,
                                       const struct guest_ram *ram)
{
    return (struct virtq_avail *)(ram->host + q->avail);
}

static struct virtq_used *virtq_used(const struct virtq *q,
                                     const struct guest_ram *ram)
{
    return (struct virtq_used *)(ram->host + q->used);
}

static int virtq_add(struct virtq_chain *c, const struct guest_ram *ram,
                     const struct virtq_desc *d, const char **why)
{
    uint8_t *host = ram_ptr(ram, d->addr, d->len);
    unsigned n = c->readable + c->writable;

    if (!host) {
        *why = "a descriptor points outside RAM";
        return -EINVAL;
    }
    if (d->flags & DESC_INDIRECT) {
        *why = "an indirect descriptor, which was not negotiated";
        return -EINVAL;
    }
    if (!(d->flags & DESC_WRITE) && c->writable) {
        *why = "a readable descriptor behind a writable one";
        return -EINVAL;
    }
    if (d->flags & DESC_WRITE) {
        c->writable++;
        c->writable_len += d->len;
    } else {
        c->readable++;
        c->readable_len += d->len;
    }
    c->buffer[n].host = host;
    c->buffer[n].len = d->len;
    return 0;
}

int virtq_pop(struct virtq *q, const struct guest_ram *ram,
              struct virtq_chain *chain, const char **why)
{
    struct virtq_avail *avail = virtq_avail(q, ram);
    uint16_t idx = __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE), i;
    const uint8_t *table = ram->host + q->desc;
    struct virtq_desc d;

    if (idx == q->last_avail)
        return 0;
    if ((uint16_t)(idx - q->last_avail) > q->num) {
        *why = "the available index ran ahead of the ring";
        return -EINVAL;
    }
    i = chain->head = avail->ring[q->last_avail % q->num];
    chain->readable = chain->writable = 0;
    chain->readable_len = chain->writable_len = 0;
    for (;;) {
        if (i >= q->num) {
            *why = "a descriptor index outside the table";
            return -EINVAL;
        }
        if (chain->readable + chain->writable == q->num) {
            *why = "a chain longer than the queue: it has a loop";
            return -EINVAL;
        }
        /* A copy: what was checked is what is used. */
        memcpy(&d, table + 16ull * i, sizeof(d));
        if (virtq_add(chain, ram, &d, why) < 0)
            return -EINVAL;
        if (!(d.flags & DESC_NEXT))
            break;
        i = d.next;
    }
    if (chain->readable_len + chain->writable_len > UINT32_MAX) {
        *why = "a chain of more than 4 GiB";
        return -EINVAL;
    }
    q->last_avail++;
    return 1;
}

void virtq_push(struct virtq *q, const struct guest_ram *ram,
                const struct virtq_chain *chain, uint32_t written)
{
    struct virtq_used *used = virtq_used(q, ram);
    uint16_t idx = used->idx;

    used->ring[idx % q->num].id = chain->head;
    used->ring[idx % q->num].len = written;
    __atomic_store_n(&used->idx, idx + 1, __ATOMIC_RELEASE);
}

bool virtq_wants_interrupt(const struct virtq *q, const struct guest_ram *ram)
{
    return !(virtq_avail(q, ram)->flags & AVAIL_NO_INTERRUPT);
}

void virtq_suppress(struct virtq *q, const struct guest_ram *ram, bool on)
{
    virtq_used(q, ram)->flags = on ? USED_NO_NOTIFY : 0;
}

/* Copy between flat memory and buffers [first, first + n). */
static uint64_t virtq_copy(const struct virtq_buffer *b, unsigned n,
                           uint64_t off, uint8_t *flat, uint64_t len,
                           bool to_guest)
{
    uint64_t done = 0;

    for (unsigned i = 0; i < n && done < len; i++) {
        uint64_t part;

        if (off >= b[i].len) {
            off -= b[i].len;
            continue;
        }
        part = b[i].len - off;
        if (part > len - done)
            part = len - done;
        if (to_guest)
            memcpy(b[i].host + off, flat + done, part);
        else
            memcpy(flat + done, b[i].host + off, part);
        done += part;
        off = 0;
    }
    return done;
}

uint64_t virtq_read(const struct virtq_chain *c, uint64_t off, void *to,
                    uint64_t len)
{
    return virtq_copy(c->buffer, c->readable, off, to, len, false);
}

uint64_t virtq_write(const struct virtq_chain *c, uint64_t off,
                     const void *from, uint64_t len)
{
    return virtq_copy(c->buffer + c->readable, c->writable, off,
                      (uint8_t *)from, len, true);
}
