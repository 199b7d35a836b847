/* The virtio-mmio block driver: up to 32 requests in flight, interrupt-driven.
 */
#include "kernel.h"
#include "virtio.h"

#define ID_BLOCK 2
#define BLK_IN 0
#define BLK_OUT 1
#define BLK_FLUSH 4
#define BLK_OK 0
#define BLK_F_FLUSH (1ull << 9)

/* A request is one header, up to 17 pages' pieces of data, one status byte. */
#define TABLE 20
#define SLOTS BLK_BATCH_MAX
#define TABLE_PAGES                                                            \
    ((SLOTS * TABLE * sizeof(struct vring_desc) + PAGE_SIZE - 1) / PAGE_SIZE)

/* Who waits for requests that were made together. */
struct batch {
    unsigned left; /* not completed */
    int err;
};

/* Each request in flight has a slot, with descriptors of its own: an indirect
 * table where the device takes one, else a part of the queue's. */
static struct slot {
    struct vring_desc *table;
    uint16_t first; /* index of table[0] in its table */
    struct blk_frame *frame;
    struct batch *batch; /* NULL: free */
} slots[SLOTS];

/* What the device reads and writes beside data: in a page of their own. */
struct blk_frame {
    uint32_t type, reserved;
    uint64_t sector;
    volatile uint8_t status;
};
_Static_assert(SLOTS * sizeof(struct blk_frame) <= PAGE_SIZE, "one page");

static enum { UNKNOWN, ABSENT, READY } presence;
static struct virtio_device dev;
static uint64_t capacity; /* sectors */
static struct virtio_queue *queue;
static bool eager; /* BLK_EAGER */

static unsigned slot_count, in_flight, batches, waiting;
static uint16_t seen;        /* used entries taken, whole batches counted */
static uint8_t order[SLOTS]; /* slots in the order of their posting */
static uint8_t order_first;

/* ---- Completion --------------------------------------------------------- */

static bool has(uint64_t feature)
{
    return dev.features & feature;
}

static void complete(struct slot *s)
{
    struct batch *b = s->batch;

    if (s->frame->status != BLK_OK)
        b->err = -TM_EIO;
    s->batch = NULL;
    seen++;
    in_flight--;
    if (--b->left == 0) {
        batches--;
        proc_wake(b);
    }
}

/* One used entry; in order, it stands for all requests up to its own. */
static void take_used(unsigned id)
{
    unsigned which = has(VIRTIO_F_INDIRECT) ? id : id / TABLE, i;

    if (!has(VIRTIO_F_IN_ORDER)) {
        complete(&slots[which % SLOTS]);
        return;
    }
    do {
        i = order[order_first++ % SLOTS];
        complete(&slots[i]);
    } while (i != which && in_flight);
}

/* Takes what is complete and asks for the next interrupt: that of the last
 * request, if one process alone waits for it. */
static void reap(void)
{
    if (!in_flight)
        return;
    do {
        while (queue->used.idx != seen)
            take_used(queue->used.ring[seen % VIRTQ_SIZE].id);
        virtio_interrupt_at(queue, eager || batches != 1
                                       ? seen
                                       : (uint16_t)(seen + in_flight - 1));
    } while (queue->used.idx != seen);
    if (waiting)
        proc_wake(&in_flight);
}

static void interrupt(void)
{
    virtio_ack(&dev);
    reap();
}

/* Until something has been taken. */
static void await_slot(void)
{
    waiting++;
    proc_sleep(&in_flight, 0);
    waiting--;
}

void blk_drain(void)
{
    while (in_flight)
        await_slot();
}

/* ---- The device --------------------------------------------------------- */

static bool setup_slots(void)
{
    uint64_t frames = page_alloc_zero();
    uint64_t tables = page_alloc_contiguous(TABLE_PAGES);

    if (!frames || !tables)
        return false;
    slot_count = has(VIRTIO_F_INDIRECT) ? SLOTS : VIRTQ_SIZE / TABLE;
    for (unsigned i = 0; i < slot_count; i++) {
        struct slot *s = &slots[i];

        s->frame = (struct blk_frame *)phys_to_virt(frames) + i;
        s->table = queue->desc + i * TABLE;
        s->first = (uint16_t)(i * TABLE);
        if (!has(VIRTIO_F_INDIRECT))
            continue;
        s->table = (struct vring_desc *)phys_to_virt(tables) + i * TABLE;
        s->first = 0;
        queue->desc[i] =
            (struct vring_desc){virt_to_phys(s->table), 0, DESC_INDIRECT, 0};
    }
    return true;
}

/* On first use: a boot that needs no disk does not pay for it. */
static void probe(void)
{
    const uint64_t wanted = BLK_F_FLUSH | VIRTIO_F_INDIRECT |
                            VIRTIO_F_EVENT_IDX | VIRTIO_F_IN_ORDER;

    presence = ABSENT;
    if (!virtio_find(&dev, ID_BLOCK, interrupt) ||
        !virtio_negotiate(&dev, wanted))
        return;
    queue = virtio_queue(&dev, 0);
    if (!queue || !setup_slots())
        return;
    capacity = virtio_config32(&dev, 0) | (uint64_t)virtio_config32(&dev, 4)
                                              << 32;
    virtio_start(&dev);
    presence = READY;
}

int64_t blk_size(void)
{
    if (presence == UNKNOWN)
        probe();
    return presence == READY ? (int64_t)(capacity * 512) : -TM_ENODEV;
}

void blk_set_mode(unsigned mode)
{
    eager = mode & BLK_EAGER;
}

/* ---- Requests ----------------------------------------------------------- */

/* Tells the device what was posted, after saying which interrupt is wanted. */
static void notify(void)
{
    reap();
    if (queue->told == queue->avail.idx)
        return;
    if (!eager) {
        virtio_notify(&dev, queue, 0);
        return;
    }
    virtio_notify_always(&dev, queue, 0);
    sti(); /* for the interrupt, if the request is complete already */
    __asm__ volatile("nop");
    cli();
}

static struct slot *free_slot(void)
{
    for (;;) {
        for (struct slot *s = slots; s < slots + slot_count; s++)
            if (!s->batch)
                return s;
        notify();
        reap();
        if (in_flight == slot_count)
            await_slot();
    }
}

static void add_desc(struct slot *s, unsigned i, uint64_t pa, uint64_t len,
                     uint16_t flags)
{
    s->table[i] = (struct vring_desc){pa, (uint32_t)len, flags,
                                      (uint16_t)(s->first + i + 1)};
}

/* The request's descriptors, with the user's pages made present (and its own,
 * where the device writes them). Nothing can unmap them meanwhile: their only
 * owner sleeps. */
static int build(struct slot *s, const struct user_blk *r)
{
    uint64_t frame = virt_to_phys(s->frame), user = r->buffer, len = r->len;
    bool read = r->op == BLK_OP_READ;
    unsigned i = 1;

    s->frame->type = read                    ? BLK_IN
                     : r->op == BLK_OP_WRITE ? BLK_OUT
                                             : BLK_FLUSH;
    s->frame->sector = r->offset / 512;
    s->frame->status = 0xff;
    add_desc(s, 0, frame, offsetof(struct blk_frame, status), DESC_NEXT);
    while (len) {
        uint64_t in_page = user % PAGE_SIZE, n = PAGE_SIZE - in_page;
        int err = mm_fault(&current->mm, user, read, false);

        if (err)
            return err;
        n = n < len ? n : len;
        add_desc(s, i++,
                 (*mm_leaf(&current->mm, user, false) & PTE_ADDR) + in_page, n,
                 DESC_NEXT | (read ? DESC_WRITE : 0));
        user += n;
        len -= n;
    }
    add_desc(s, i++, frame + offsetof(struct blk_frame, status), 1, DESC_WRITE);
    if (has(VIRTIO_F_INDIRECT))
        queue->desc[s - slots].len = i * (uint32_t)sizeof(struct vring_desc);
    return 0;
}

static void submit(struct batch *b, const struct user_blk *r)
{
    struct slot *s = free_slot();
    unsigned i = (unsigned)(s - slots);
    int err = build(s, r);

    if (err) {
        b->err = err;
        return;
    }
    s->batch = b;
    batches += b->left++ == 0;
    order[(uint8_t)(order_first + in_flight++) % SLOTS] = (uint8_t)i;
    virtio_post(queue, has(VIRTIO_F_INDIRECT) ? (uint16_t)i : s->first);
    if (eager)
        notify();
}

int blk_batch(const struct user_blk *requests, unsigned n)
{
    struct batch b = {0};

    for (unsigned i = 0; i < n && !b.err; i++)
        /* A device without a cache that could be flushed has none. */
        if (requests[i].op != BLK_OP_FLUSH || has(BLK_F_FLUSH))
            submit(&b, &requests[i]);
    notify();
    /* Interrupts are off, so the completion can't slip in before the sleep. */
    for (reap(); b.left; reap())
        proc_sleep(&b, 0);
    return b.err;
}

int64_t blk_transfer(uint64_t offset, uint64_t user, uint64_t len, bool write)
{
    int err = 0;

    for (uint64_t done = 0; done < len && !err; done += BLK_LEN_MAX) {
        uint64_t n = len - done < BLK_LEN_MAX ? len - done : BLK_LEN_MAX;

        err = blk_batch(&(struct user_blk){offset + done, user + done,
                                           (uint32_t)n,
                                           write ? BLK_OP_WRITE : BLK_OP_READ},
                        1);
    }
    return err ? err : (int64_t)len;
}
