/* The virtio-mmio block driver: one request in flight, interrupt-driven. */
#include "kernel.h"

/* Registers; those marked L exist in the legacy interface (version 1) only, M
 * in the modern one (version 2) only. */
#define REG_MAGIC 0x000
#define REG_VERSION 0x004
#define REG_DEVICE_ID 0x008
#define REG_FEATURES 0x010
#define REG_FEATURES_SEL 0x014
#define REG_DRIVER 0x020
#define REG_DRIVER_SEL 0x024
#define REG_PAGE_SIZE 0x028 /* L */
#define REG_QUEUE_SEL 0x030
#define REG_QUEUE_MAX 0x034
#define REG_QUEUE_NUM 0x038
#define REG_QUEUE_ALIGN 0x03c /* L */
#define REG_QUEUE_PFN 0x040   /* L */
#define REG_QUEUE_READY 0x044 /* M */
#define REG_QUEUE_NOTIFY 0x050
#define REG_IRQ_STATUS 0x060
#define REG_IRQ_ACK 0x064
#define REG_STATUS 0x070
#define REG_QUEUE_DESC 0x080 /* M, and + 4 the high half; so are these: */
#define REG_QUEUE_DRIVER 0x090
#define REG_QUEUE_DEVICE 0x0a0
#define REG_CAPACITY 0x100

#define MAGIC_VIRT 0x74726976
#define ID_BLOCK 2
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define FEATURE_VERSION_1 1 /* bit 32: bit 0 of the second word */

#define DESC_NEXT 1
#define DESC_WRITE 2 /* by the device */
#define BLK_IN 0
#define BLK_OUT 1
#define BLK_OK 0

/* One header, up to 17 pages' pieces of data, one status byte. */
#define QUEUE_SIZE 32
#define CHUNK (16 * PAGE_SIZE)
#define FIRST_VECTOR 0x40

struct vring_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

struct vring_avail {
    uint16_t flags, idx, ring[QUEUE_SIZE], used_event;
};

struct vring_used {
    uint16_t flags, idx;
    struct {
        uint32_t id, len;
    } ring[QUEUE_SIZE];
};

/* The legacy interface fixes this order and the used ring's alignment. */
struct queue {
    struct vring_desc desc[QUEUE_SIZE];
    struct vring_avail avail;
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    volatile uint8_t status;
    struct vring_used used __attribute__((aligned(4096)));
};
_Static_assert(sizeof(struct queue) == 2 * PAGE_SIZE, "two pages");

static enum { UNKNOWN, ABSENT, READY } presence;
static uint64_t base; /* gpa of the device's registers */
static uint64_t capacity;
static struct queue *queue;
static uint16_t used_seen;
static bool busy;

static uint32_t reg_read(uint32_t reg)
{
    return *(volatile uint32_t *)mmio_ptr(base + reg);
}

static void reg_write(uint32_t reg, uint32_t v)
{
    *(volatile uint32_t *)mmio_ptr(base + reg) = v;
}

static void reg_write64(uint32_t reg, uint64_t v)
{
    reg_write(reg, (uint32_t)v);
    reg_write(reg + 4, (uint32_t)(v >> 32));
}

/* Acknowledge first, look at the ring afterwards: no completion is missed. */
static void interrupt(void)
{
    uint32_t status = reg_read(REG_IRQ_STATUS);

    if (status)
        reg_write(REG_IRQ_ACK, status);
    lapic_eoi();
    proc_wake(&queue);
}

static bool find_device(void)
{
    for (unsigned slot = 0; slot < TM_VIRTIO_SLOTS; slot++) {
        base = TM_VIRTIO_GPA + slot * TM_VIRTIO_STEP;
        if (reg_read(REG_MAGIC) != MAGIC_VIRT ||
            reg_read(REG_DEVICE_ID) != ID_BLOCK)
            continue;
        irq_handle((int)(FIRST_VECTOR + slot), interrupt);
        ioapic_route(TM_VIRTIO_IRQ + slot, (int)(FIRST_VECTOR + slot));
        return true;
    }
    return false;
}

static bool negotiate(bool modern)
{
    uint32_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;

    reg_write(REG_STATUS, 0);
    reg_write(REG_STATUS, STATUS_ACKNOWLEDGE);
    reg_write(REG_STATUS, status);
    reg_write(REG_DRIVER_SEL, 0);
    reg_write(REG_DRIVER, 0);
    if (!modern)
        return true;
    reg_write(REG_FEATURES_SEL, 1);
    if (!(reg_read(REG_FEATURES) & FEATURE_VERSION_1))
        return false;
    reg_write(REG_DRIVER_SEL, 1);
    reg_write(REG_DRIVER, FEATURE_VERSION_1);
    reg_write(REG_STATUS, status | STATUS_FEATURES_OK);
    return reg_read(REG_STATUS) & STATUS_FEATURES_OK;
}

static bool setup_queue(bool modern)
{
    uint64_t pa = page_alloc_contiguous(2);

    if (!pa)
        return false;
    queue = phys_to_virt(pa);
    memset(queue, 0, sizeof(*queue));
    reg_write(REG_QUEUE_SEL, 0);
    if (reg_read(REG_QUEUE_MAX) < QUEUE_SIZE)
        return false;
    reg_write(REG_QUEUE_NUM, QUEUE_SIZE);
    if (modern) {
        reg_write64(REG_QUEUE_DESC, pa);
        reg_write64(REG_QUEUE_DRIVER, pa + offsetof(struct queue, avail));
        reg_write64(REG_QUEUE_DEVICE, pa + offsetof(struct queue, used));
        reg_write(REG_QUEUE_READY, 1);
    } else {
        reg_write(REG_PAGE_SIZE, PAGE_SIZE);
        reg_write(REG_QUEUE_ALIGN, PAGE_SIZE);
        reg_write(REG_QUEUE_PFN, (uint32_t)(pa / PAGE_SIZE));
    }
    return true;
}

/* On first use: a boot that needs no disk does not pay for it. */
static void probe(void)
{
    bool modern;

    presence = ABSENT;
    if (!find_device())
        return;
    modern = reg_read(REG_VERSION) >= 2;
    if (!negotiate(modern) || !setup_queue(modern))
        return;
    capacity = reg_read(REG_CAPACITY) | (uint64_t)reg_read(REG_CAPACITY + 4)
                                            << 32;
    reg_write(REG_STATUS, reg_read(REG_STATUS) | STATUS_DRIVER_OK);
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
    uint64_t queue_pa = virt_to_phys(queue);
    uint16_t dir = write ? 0 : DESC_WRITE;
    unsigned i = 1;

    queue->header.type = write ? BLK_OUT : BLK_IN;
    queue->header.sector = sector;
    add_desc(0, queue_pa + offsetof(struct queue, header), 16, DESC_NEXT);
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
    add_desc(i, queue_pa + offsetof(struct queue, status), 1, DESC_WRITE);
    return 0;
}

static void submit_and_wait(void)
{
    volatile struct vring_avail *avail = &queue->avail;
    volatile struct vring_used *used = &queue->used;

    queue->status = 0xff;
    avail->ring[avail->idx % QUEUE_SIZE] = 0;
    __asm__ volatile("" ::: "memory"); /* x86 stores stay in order */
    avail->idx++;
    reg_write(REG_QUEUE_NOTIFY, 0);
    /* Interrupts are off, so the completion can't slip in before the sleep. */
    while (used->idx == used_seen)
        proc_sleep(&queue, 0);
    used_seen = used->idx;
}

static int transfer_chunk(uint64_t offset, uint64_t user, uint64_t len,
                          bool write)
{
    int err = build_request(offset / 512, user, len, write);

    if (err)
        return err;
    submit_and_wait();
    return queue->status == BLK_OK ? 0 : -TM_EIO;
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
