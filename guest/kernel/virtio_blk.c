/* The virtio-mmio block driver: one request in flight, interrupt-driven. */
#include "kernel.h"
#include "virtio.h"

#define ID_BLOCK 2
#define BLK_IN 0
#define BLK_OUT 1
#define BLK_OK 0

/* A request is one header, up to 17 pages' pieces of data, one status byte. */
#define CHUNK (16 * PAGE_SIZE)

static enum { UNKNOWN, ABSENT, READY } presence;
static struct virtio_device dev;
static uint64_t capacity; /* sectors */
static struct virtio_queue *queue;
/* What the device reads and writes beside data: in a page of their own. */
static struct blk_frame {
    uint32_t type, reserved;
    uint64_t sector;
    volatile uint8_t status;
} *frame;
static uint16_t used_seen;
static bool busy;

static void interrupt(void)
{
    virtio_ack(&dev);
    proc_wake(&queue);
}

/* On first use: a boot that needs no disk does not pay for it. */
static void probe(void)
{
    uint64_t pa;

    presence = ABSENT;
    if (!virtio_find(&dev, ID_BLOCK, interrupt) || !virtio_negotiate(&dev))
        return;
    queue = virtio_queue(&dev, 0);
    pa = queue ? page_alloc_zero() : 0;
    if (!pa)
        return;
    frame = phys_to_virt(pa);
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

void blk_drain(void)
{
    while (busy)
        proc_sleep(&busy, 0);
}

static void add_desc(unsigned i, uint64_t pa, uint32_t len, uint16_t flags)
{
    queue->desc[i] = (struct vring_desc){pa, len, flags, (uint16_t)(i + 1)};
}

/* The request's descriptors, with the user's pages made present (and its own,
 * where the device writes them). Nothing can unmap them meanwhile: their only
 * owner sleeps. */
static int build_request(uint64_t sector, uint64_t user, uint64_t len,
                         bool write)
{
    uint64_t frame_pa = virt_to_phys(frame);
    uint16_t dir = write ? 0 : DESC_WRITE;
    unsigned i = 1;

    frame->type = write ? BLK_OUT : BLK_IN;
    frame->sector = sector;
    add_desc(0, frame_pa, 16, DESC_NEXT);
    while (len) {
        uint64_t in_page = user % PAGE_SIZE, n = PAGE_SIZE - in_page;
        int err = mm_fault(&current->mm, user, !write, false);

        if (err)
            return err;
        n = n < len ? n : len;
        add_desc(i++,
                 (*mm_leaf(&current->mm, user, false) & PTE_ADDR) + in_page,
                 (uint32_t)n, DESC_NEXT | dir);
        user += n;
        len -= n;
    }
    add_desc(i, frame_pa + offsetof(struct blk_frame, status), 1, DESC_WRITE);
    return 0;
}

static void submit_and_wait(void)
{
    frame->status = 0xff;
    virtio_post(queue, 0);
    virtio_notify(&dev, queue, 0);
    /* Interrupts are off, so the completion can't slip in before the sleep. */
    while (queue->used.idx == used_seen)
        proc_sleep(&queue, 0);
    used_seen = queue->used.idx;
}

static int transfer_chunk(uint64_t offset, uint64_t user, uint64_t len,
                          bool write)
{
    int err = build_request(offset / 512, user, len, write);

    if (err)
        return err;
    submit_and_wait();
    return frame->status == BLK_OK ? 0 : -TM_EIO;
}

int64_t blk_transfer(uint64_t offset, uint64_t user, uint64_t len, bool write)
{
    int err = 0;

    blk_drain();
    busy = true;
    for (uint64_t done = 0; done < len && !err; done += CHUNK) {
        uint64_t n = len - done < CHUNK ? len - done : CHUNK;

        err = transfer_chunk(offset + done, user + done, n, write);
    }
    busy = false;
    proc_wake(&busy);
    return err ? err : (int64_t)len;
}
