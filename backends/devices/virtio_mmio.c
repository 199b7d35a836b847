/* The virtio-mmio transport, version 2: eight slots (virtio 1.2, 4.2). */
#include "devices.h"
#include "guest/abi/abi.h"
#include "virtio.h"

#include <string.h>

static const struct virtio_class *const virtio_slots[TM_VIRTIO_SLOTS] = {
    [0] = &virtio_blk,
    [1] = &virtio_net,
};

/* clang-format off */
enum {
    REG_MAGIC = 0x000, REG_VERSION = 0x004, REG_DEVICE = 0x008,
    REG_VENDOR = 0x00c, REG_DEVICE_FEATURES = 0x010, REG_DEVICE_SEL = 0x014,
    REG_DRIVER_FEATURES = 0x020, REG_DRIVER_SEL = 0x024, REG_QUEUE_SEL = 0x030,
    REG_QUEUE_NUM_MAX = 0x034, REG_QUEUE_NUM = 0x038, REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050, REG_INTERRUPT = 0x060, REG_INTERRUPT_ACK = 0x064,
    REG_STATUS = 0x070, REG_DESC = 0x080, REG_AVAIL = 0x090, REG_USED = 0x0a0,
    REG_SHM_LEN = 0x0b0, REG_SHM_BASE = 0x0b8, REG_GENERATION = 0x0fc,
    REG_CONFIG = 0x100
};
/* clang-format on */

#define VIRTIO_MAGIC 0x74726976 /* "virt" */
#define VIRTIO_VERSION 2
#define VIRTIO_VENDOR 0x4b4d5254 /* "TRMK" */

#define STATUS_FEATURES_OK 8
#define STATUS_DRIVER_OK 4
#define STATUS_NEEDS_RESET 0x40

#define INTERRUPT_USED 1
#define INTERRUPT_CONFIG 2

#define VIRTIO_F_VERSION_1 (1ull << 32)

_Static_assert(REG_CONFIG + VIRTIO_CONFIG_SIZE == TM_VIRTIO_STEP, "slot size");

struct virtio {
    struct device dev;
    struct virtio_slot slot[TM_VIRTIO_SLOTS];
};

/* The pin follows InterruptStatus. */
static void slot_interrupt(struct virtio_slot *s, uint32_t bits)
{
    s->interrupt |= bits;
    board_set_pin(s->board, s->pin, s->interrupt != 0);
}

void virtio_break(struct virtio_slot *s, const char *why)
{
    s->broken = why;
    s->status |= STATUS_NEEDS_RESET;
    if (s->status & STATUS_DRIVER_OK)
        slot_interrupt(s, INTERRUPT_CONFIG);
}

static void slot_reset(struct virtio_slot *s)
{
    s->status = s->interrupt = 0;
    s->driver_features = 0;
    s->device_sel = s->driver_sel = s->queue_sel = 0;
    s->broken = NULL;
    memset(s->queue, 0, sizeof(s->queue));
    board_set_pin(s->board, s->pin, false);
    if (s->class->reset)
        s->class->reset(s);
}

static uint64_t slot_features(struct virtio_slot *s)
{
    return s->class->features(s) | VIRTIO_F_VERSION_1;
}

static struct virtq *slot_queue(struct virtio_slot *s)
{
    return s->queue_sel < s->class->queues ? &s->queue[s->queue_sel] : NULL;
}

/* ---- Writes -------------------------------------------------------------- */

static bool slot_live(const struct virtio_slot *s, unsigned queue)
{
    return queue < s->class->queues && (s->status & STATUS_DRIVER_OK) &&
           !s->broken && s->queue[queue].ready;
}

int virtio_pop(struct virtio_slot *s, unsigned queue, struct virtq_chain *chain)
{
    const char *why;
    int r;

    if (!slot_live(s, queue))
        return 0;
    r = virtq_pop(&s->queue[queue], s->board->ram, chain, &why);
    if (r < 0)
        virtio_break(s, why);
    return r;
}

void virtio_push(struct virtio_slot *s, unsigned queue,
                 const struct virtq_chain *c, uint32_t written)
{
    struct guest_ram *ram = s->board->ram;
    struct virtq *q = &s->queue[queue];

    for (unsigned i = 0; i < c->writable; i++)
        board_ram_written(s->board, c->buffer[c->readable + i].host,
                          c->buffer[c->readable + i].len);
    virtq_push(q, ram, c, written);
}

void virtio_publish(struct virtio_slot *s, unsigned queue)
{
    struct guest_ram *ram = s->board->ram;
    struct virtq *q = &s->queue[queue];

    virtq_publish(q, ram);
    board_ram_written(s->board, ram->host + q->used, 6 + 8ull * q->num);
}

void virtio_signal(struct virtio_slot *s, unsigned queue)
{
    virtio_publish(s, queue);
    if (virtq_wants_interrupt(&s->queue[queue], s->board->ram))
        slot_interrupt(s, INTERRUPT_USED);
}

void virtio_suppress(struct virtio_slot *s, unsigned queue, bool on)
{
    struct guest_ram *ram = s->board->ram;
    struct virtq *q = &s->queue[queue];

    if (!slot_live(s, queue))
        return;
    virtq_suppress(q, ram, on);
    board_ram_written(s->board, ram->host + q->used, 6 + 8ull * q->num);
}

unsigned virtio_serve(struct virtio_slot *s, unsigned queue)
{
    struct virtq_chain chain;
    unsigned served = 0;

    while (virtio_pop(s, queue, &chain) > 0) {
        const char *why = NULL;
        int64_t written = s->class->serve(s, queue, &chain, &why);

        if (written < 0) {
            virtio_break(s, why);
            break;
        }
        virtio_push(s, queue, &chain, written);
        served++;
    }
    if (served)
        virtio_signal(s, queue);
    return served;
}

static void slot_notify(struct virtio_slot *s, uint32_t queue)
{
    if (!slot_live(s, queue))
        return;
    if (s->class->notify)
        s->class->notify(s, queue);
    else
        virtio_serve(s, queue);
}

static void slot_set_status(struct virtio_slot *s, uint32_t v)
{
    if (!v) {
        slot_reset(s);
        return;
    }
    /* Bits are only added; FEATURES_OK only sticks for a legal choice. */
    if ((v & STATUS_FEATURES_OK) &&
        (!(s->driver_features & VIRTIO_F_VERSION_1) ||
         (s->driver_features & ~slot_features(s))))
        v &= ~STATUS_FEATURES_OK;
    s->status |= v & 0xff & ~STATUS_NEEDS_RESET;
}

static void slot_set_ready(struct virtio_slot *s, struct virtq *q, bool ready)
{
    const char *why;

    if (!ready) {
        q->ready = false;
        return;
    }
    if (virtq_check(q, s->board->ram, &why) < 0) {
        virtio_break(s, why);
        return;
    }
    q->last_avail = q->signalled = q->held = 0;
    q->indirect = s->driver_features & VIRTIO_F_INDIRECT;
    q->event_idx = s->driver_features & VIRTIO_F_EVENT_IDX;
    q->in_order = s->driver_features & VIRTIO_F_IN_ORDER;
    q->ready = true;
}

static void set_half(uint64_t *to, unsigned high, uint32_t v)
{
    const unsigned shift = high ? 32 : 0;

    *to = (*to & ~(0xffffffffull << shift)) | (uint64_t)v << shift;
}

static void slot_write_queue(struct virtio_slot *s, unsigned reg, uint32_t v)
{
    struct virtq *q = slot_queue(s);

    if (!q)
        return;
    if (reg == REG_QUEUE_READY) {
        slot_set_ready(s, q, v & 1);
        return;
    }
    if (q->ready) /* the rings of a live queue don't move */
        return;
    if (reg == REG_QUEUE_NUM)
        q->num = v;
    else if (reg == REG_DESC || reg == REG_DESC + 4)
        set_half(&q->desc, reg & 4, v);
    else if (reg == REG_AVAIL || reg == REG_AVAIL + 4)
        set_half(&q->avail, reg & 4, v);
    else if (reg == REG_USED || reg == REG_USED + 4)
        set_half(&q->used, reg & 4, v);
}

static void slot_write(struct virtio_slot *s, unsigned reg, uint32_t v)
{
    switch (reg) {
    case REG_DEVICE_SEL:
        s->device_sel = v;
        break;
    case REG_DRIVER_FEATURES:
        if (s->driver_sel < 2 && !(s->status & STATUS_FEATURES_OK))
            set_half(&s->driver_features, s->driver_sel, v);
        break;
    case REG_DRIVER_SEL:
        s->driver_sel = v;
        break;
    case REG_QUEUE_SEL:
        s->queue_sel = v;
        break;
    case REG_QUEUE_NOTIFY:
        slot_notify(s, v);
        break;
    case REG_INTERRUPT_ACK:
        s->interrupt &= ~v;
        slot_interrupt(s, 0);
        break;
    case REG_STATUS:
        slot_set_status(s, v);
        break;
    default:
        slot_write_queue(s, reg, v);
    }
}

/* ---- Reads --------------------------------------------------------------- */

static uint32_t slot_read(struct virtio_slot *s, unsigned reg)
{
    struct virtq *q;

    switch (reg) {
    case REG_MAGIC:
        return VIRTIO_MAGIC;
    case REG_VERSION:
        return VIRTIO_VERSION;
    case REG_DEVICE:
        return s->class ? s->class->id : 0;
    case REG_VENDOR:
        return VIRTIO_VENDOR;
    }
    if (!s->class)
        return 0;
    q = slot_queue(s);
    switch (reg) {
    case REG_DEVICE_FEATURES:
        return s->device_sel < 2 ? slot_features(s) >> 32 * s->device_sel : 0;
    case REG_QUEUE_NUM_MAX:
        return q ? VIRTQ_MAX : 0;
    case REG_QUEUE_READY:
        return q && q->ready;
    case REG_INTERRUPT:
        return s->interrupt;
    case REG_STATUS:
        return s->status;
    case REG_SHM_LEN ... REG_SHM_BASE + 4: /* no shared memory regions */
        return UINT32_MAX;
    default: /* the configuration never changes: generation 0 */
        return 0;
    }
}

static uint64_t slot_read_config(struct virtio_slot *s, unsigned off,
                                 unsigned size)
{
    uint8_t config[VIRTIO_CONFIG_SIZE] = {0};
    uint64_t v = 0;

    if (!s->class || off + size > sizeof(config))
        return 0;
    s->class->config(s, config);
    memcpy(&v, config + off, size);
    return v;
}

static uint64_t virtio_mmio_read(struct device *d, gpa_t addr, unsigned size)
{
    struct virtio *v = (struct virtio *)d;
    unsigned off = addr - TM_VIRTIO_GPA, reg = off % TM_VIRTIO_STEP;
    struct virtio_slot *s = &v->slot[off / TM_VIRTIO_STEP];

    if (reg >= REG_CONFIG)
        return slot_read_config(s, reg - REG_CONFIG, size);
    /* Registers are 32 bits wide and aligned. */
    return size == 4 && reg % 4 == 0 ? slot_read(s, reg) : 0;
}

static void virtio_mmio_write(struct device *d, gpa_t addr, unsigned size,
                              uint64_t value)
{
    struct virtio *v = (struct virtio *)d;
    unsigned off = addr - TM_VIRTIO_GPA, reg = off % TM_VIRTIO_STEP;
    struct virtio_slot *s = &v->slot[off / TM_VIRTIO_STEP];

    /* No device of ours has configuration that a driver may write. */
    if (s->class && size == 4 && reg % 4 == 0 && reg < REG_CONFIG)
        slot_write(s, reg, value);
}

/* ---- Timers -------------------------------------------------------------- */

static uint64_t virtio_deadline(struct device *d)
{
    struct virtio *v = (struct virtio *)d;
    uint64_t when = UINT64_MAX;

    for (unsigned i = 0; i < TM_VIRTIO_SLOTS; i++) {
        struct virtio_slot *s = &v->slot[i];
        uint64_t t =
            s->class && s->class->deadline ? s->class->deadline(s) : UINT64_MAX;

        when = t < when ? t : when;
    }
    return when;
}

static void virtio_expire(struct device *d, uint64_t now)
{
    struct virtio *v = (struct virtio *)d;

    for (unsigned i = 0; i < TM_VIRTIO_SLOTS; i++) {
        struct virtio_slot *s = &v->slot[i];

        if (s->class && s->class->deadline && s->class->deadline(s) <= now)
            s->class->expire(s, now);
    }
}

/* ---- Life ---------------------------------------------------------------- */

static void virtio_destroy(struct device *d)
{
    struct virtio *v = (struct virtio *)d;

    for (unsigned i = 0; i < TM_VIRTIO_SLOTS; i++)
        if (v->slot[i].class)
            v->slot[i].class->destroy(&v->slot[i]);
}

static int virtio_create(struct device *d, char why[REASON_MAX])
{
    struct virtio *v = (struct virtio *)d;

    for (unsigned i = 0; i < TM_VIRTIO_SLOTS; i++) {
        struct virtio_slot *s = &v->slot[i];
        int r;

        s->board = d->board;
        s->pin = TM_VIRTIO_IRQ + i;
        if (!virtio_slots[i])
            continue;
        r = virtio_slots[i]->create(s, why);
        if (r < 0) {
            virtio_destroy(d);
            return r;
        }
        s->class = virtio_slots[i];
    }
    return 0;
}

const struct device_class device_virtio = {
    .name = "virtio",
    .size = sizeof(struct virtio),
    .mmio = {TM_VIRTIO_GPA, TM_VIRTIO_SLOTS *TM_VIRTIO_STEP},
    .create = virtio_create,
    .destroy = virtio_destroy,
    .mmio_read = virtio_mmio_read,
    .mmio_write = virtio_mmio_write,
    .deadline = virtio_deadline,
    .expire = virtio_expire,
};
