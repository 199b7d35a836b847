/* Walking and checking the rings of a split virtqueue. */
#include "virtq.h"

#include <errno.h>
#include <string.h>

#define DESC_NEXT 1
#define DESC_WRITE 2
#define DESC_INDIRECT 4

#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY 1

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
    /* With the event indices behind them, used or not. */
    if (!ram_ptr(ram, q->desc, 16ull * q->num) ||
        !ram_ptr(ram, q->avail, 6 + 2ull * q->num) ||
        !ram_ptr(ram, q->used, 6 + 8ull * q->num)) {
        *why = "a ring is not in RAM";
        return -EINVAL;
    }
    return 0;
}

/* The last word of each ring, if the event index was negotiated. */
static uint16_t *virtq_used_event(const struct virtq *q,
                                  const struct guest_ram *ram)
{
    return (uint16_t *)(ram->host + q->avail + 4 + 2ull * q->num);
}

static uint16_t *virtq_avail_event(const struct virtq *q,
                                   const struct guest_ram *ram)
{
    return (uint16_t *)(ram->host + q->used + 4 + 8ull * q->num);
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

/* A table of descriptors: the queue's own, or an indirect one. */
struct virtq_table {
    const uint8_t *base;
    uint32_t num;
    bool indirect; /* by itself: it may lie over the queue's own */
};

/* Where an indirect descriptor leads; it ends the chain that it is in (2.7.5.3). */
static int virtq_enter(const struct virtq *q, const struct guest_ram *ram,
                       const struct virtq_desc *d, struct virtq_table *t,
                       const char **why)
{
    if (!q->indirect)
        *why = "an indirect descriptor, which was not negotiated";
    else if (d->flags & DESC_NEXT)
        *why = "an indirect descriptor that goes on";
    else if (t->indirect)
        *why = "an indirect descriptor in an indirect table";
    else if (!d->len || d->len % sizeof(*d) || !ram_ptr(ram, d->addr, d->len))
        *why = "an indirect table that is empty, cut or outside RAM";
    else {
        t->base = ram_ptr(ram, d->addr, d->len);
        t->num = d->len / sizeof(*d);
        t->indirect = true;
        return 0;
    }
    return -EINVAL;
}

/* The chain that begins at descriptor i of the queue's table. */
static int virtq_walk(const struct virtq *q, const struct guest_ram *ram,
                      uint16_t i, struct virtq_chain *c, const char **why)
{
    struct virtq_table t = {ram->host + q->desc, q->num, false};
    struct virtq_desc d;

    for (;;) {
        if (i >= t.num) {
            *why = "a descriptor index outside the table";
            return -EINVAL;
        }
        if (c->readable + c->writable == q->num) {
            *why = "a chain longer than the queue: it has a loop";
            return -EINVAL;
        }
        /* A copy: what was checked is what is used. */
        memcpy(&d, t.base + 16ull * i, sizeof(d));
        if (d.flags & DESC_INDIRECT) {
            if (virtq_enter(q, ram, &d, &t, why) < 0)
                return -EINVAL;
            i = 0;
            continue;
        }
        if (virtq_add(c, ram, &d, why) < 0)
            return -EINVAL;
        if (!(d.flags & DESC_NEXT))
            return 0;
        i = d.next;
    }
}

int virtq_pop(struct virtq *q, const struct guest_ram *ram,
              struct virtq_chain *chain, const char **why)
{
    struct virtq_avail *avail = virtq_avail(q, ram);
    uint16_t idx = __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE);

    if (idx == q->last_avail)
        return 0;
    if ((uint16_t)(idx - q->last_avail) > q->num) {
        *why = "the available index ran ahead of the ring";
        return -EINVAL;
    }
    chain->head = avail->ring[q->last_avail % q->num];
    chain->readable = chain->writable = 0;
    chain->readable_len = chain->writable_len = 0;
    if (virtq_walk(q, ram, chain->head, chain, why) < 0)
        return -EINVAL;
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
    uint16_t at = used->idx + (q->in_order ? 0 : q->held);

    used->ring[at % q->num].id = chain->head;
    used->ring[at % q->num].len = written;
    q->held++;
}

void virtq_publish(struct virtq *q, const struct guest_ram *ram)
{
    struct virtq_used *used = virtq_used(q, ram);

    __atomic_store_n(&used->idx, used->idx + q->held, __ATOMIC_RELEASE);
    q->held = 0;
    if (q->event_idx)
        virtq_suppress(q, ram, false);
}

bool virtq_wants_interrupt(struct virtq *q, const struct guest_ram *ram)
{
    uint16_t before = q->signalled, now = virtq_used(q, ram)->idx;

    q->signalled = now;
    if (!q->event_idx)
        return !(virtq_avail(q, ram)->flags & AVAIL_NO_INTERRUPT);
    return (uint16_t)(now - *virtq_used_event(q, ram) - 1) <
           (uint16_t)(now - before);
}

void virtq_suppress(struct virtq *q, const struct guest_ram *ram, bool on)
{
    if (!q->event_idx)
        virtq_used(q, ram)->flags = on ? USED_NO_NOTIFY : 0;
    else /* half the index's range away: nobody gets there meanwhile */
        *virtq_avail_event(q, ram) = q->last_avail + (on ? 0x8000 : 0);
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
