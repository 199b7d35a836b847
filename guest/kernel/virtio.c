/* virtio-mmio: finding a device, negotiating, rings, notifications. */
#include "virtio.h"
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
#define REG_CONFIG 0x100

#define MAGIC_VIRT 0x74726976
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define FEATURE_VERSION_1 1 /* bit 32: bit 0 of the second word */

#define FIRST_VECTOR 0x40
#define QUEUE_PAGES (sizeof(struct virtio_queue) / PAGE_SIZE)
_Static_assert(QUEUE_PAGES == 2 && sizeof(struct vring_desc) == 16,
               "ring layout");

static uint32_t reg_read(const struct virtio_device *d, uint32_t reg)
{
    return *(volatile uint32_t *)mmio_ptr(d->base + reg);
}

static void reg_write(const struct virtio_device *d, uint32_t reg, uint32_t v)
{
    *(volatile uint32_t *)mmio_ptr(d->base + reg) = v;
}

static void reg_write64(const struct virtio_device *d, uint32_t reg, uint64_t v)
{
    reg_write(d, reg, (uint32_t)v);
    reg_write(d, reg + 4, (uint32_t)(v >> 32));
}

bool virtio_find(struct virtio_device *d, uint32_t id, void (*interrupt)(void))
{
    for (unsigned slot = 0; slot < TM_VIRTIO_SLOTS; slot++) {
        d->base = TM_VIRTIO_GPA + slot * TM_VIRTIO_STEP;
        if (reg_read(d, REG_MAGIC) != MAGIC_VIRT ||
            reg_read(d, REG_DEVICE_ID) != id)
            continue;
        d->modern = reg_read(d, REG_VERSION) >= 2;
        irq_handle((int)(FIRST_VECTOR + slot), interrupt);
        ioapic_route(TM_VIRTIO_IRQ + slot, (int)(FIRST_VECTOR + slot));
        return true;
    }
    return false;
}

static uint32_t accept(struct virtio_device *d, unsigned word, uint32_t wanted)
{
    uint32_t both;

    reg_write(d, REG_FEATURES_SEL, word);
    both = reg_read(d, REG_FEATURES) & wanted;
    reg_write(d, REG_DRIVER_SEL, word);
    reg_write(d, REG_DRIVER, both);
    return both;
}

bool virtio_negotiate(struct virtio_device *d, uint64_t wanted)
{
    uint32_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER, high;

    reg_write(d, REG_STATUS, 0);
    reg_write(d, REG_STATUS, STATUS_ACKNOWLEDGE);
    reg_write(d, REG_STATUS, status);
    d->features = accept(d, 0, (uint32_t)wanted);
    if (!d->modern) {
        reg_write(d, REG_PAGE_SIZE, PAGE_SIZE);
        return true;
    }
    high = accept(d, 1, FEATURE_VERSION_1 | (uint32_t)(wanted >> 32));
    d->features |= (uint64_t)(high & ~FEATURE_VERSION_1) << 32;
    reg_write(d, REG_STATUS, status | STATUS_FEATURES_OK);
    return (high & FEATURE_VERSION_1) &&
           (reg_read(d, REG_STATUS) & STATUS_FEATURES_OK);
}

struct virtio_queue *virtio_queue(struct virtio_device *d, unsigned index)
{
    struct virtio_queue *q;
    uint64_t pa;

    reg_write(d, REG_QUEUE_SEL, index);
    if (reg_read(d, REG_QUEUE_MAX) < VIRTQ_SIZE)
        return NULL;
    pa = page_alloc_contiguous(QUEUE_PAGES);
    if (!pa)
        return NULL;
    q = phys_to_virt(pa);
    memset(q, 0, sizeof(*q));
    reg_write(d, REG_QUEUE_NUM, VIRTQ_SIZE);
    if (d->modern) {
        reg_write64(d, REG_QUEUE_DESC, pa);
        reg_write64(d, REG_QUEUE_DRIVER,
                    pa + offsetof(struct virtio_queue, avail));
        reg_write64(d, REG_QUEUE_DEVICE,
                    pa + offsetof(struct virtio_queue, used));
        reg_write(d, REG_QUEUE_READY, 1);
    } else {
        reg_write(d, REG_QUEUE_ALIGN, PAGE_SIZE);
        reg_write(d, REG_QUEUE_PFN, (uint32_t)(pa / PAGE_SIZE));
    }
    return q;
}

void virtio_start(struct virtio_device *d)
{
    reg_write(d, REG_STATUS, reg_read(d, REG_STATUS) | STATUS_DRIVER_OK);
}

void virtio_ack(struct virtio_device *d)
{
    uint32_t status = reg_read(d, REG_IRQ_STATUS);

    if (status)
        reg_write(d, REG_IRQ_ACK, status);
    lapic_eoi();
}

void virtio_post(struct virtio_queue *q, uint16_t head)
{
    q->avail.ring[q->avail.idx % VIRTQ_SIZE] = head;
    __asm__ volatile("" ::: "memory"); /* x86 stores stay in order */
    q->avail.idx++;
}

/* A store to the ring, then a load from it: the one order that x86 does not
 * keep by itself. MFENCE would do, but belongs to SSE2. */
static void store_load_fence(void)
{
    __asm__ volatile("lock; orq $0, (%%rsp)" ::: "memory", "cc");
}

void virtio_notify(struct virtio_device *d, struct virtio_queue *q,
                   unsigned index)
{
    uint16_t before = q->told, now = q->avail.idx;
    bool wanted;

    store_load_fence();
    if (d->features & VIRTIO_F_EVENT_IDX)
        wanted = (uint16_t)(now - q->used.avail_event - 1) <
                 (uint16_t)(now - before);
    else
        wanted = !(q->used.flags & USED_NO_NOTIFY);
    q->told = now;
    if (wanted)
        reg_write(d, REG_QUEUE_NOTIFY, index);
}

void virtio_notify_always(struct virtio_device *d, struct virtio_queue *q,
                          unsigned index)
{
    q->told = q->avail.idx;
    store_load_fence();
    reg_write(d, REG_QUEUE_NOTIFY, index);
}

void virtio_interrupt_at(struct virtio_queue *q, uint16_t entry)
{
    q->avail.used_event = entry;
    store_load_fence();
}

void virtio_want_interrupts(struct virtio_queue *q, bool on)
{
    q->avail.flags = on ? 0 : AVAIL_NO_INTERRUPT;
    if (on)
        store_load_fence();
}

uint8_t virtio_config8(struct virtio_device *d, unsigned off)
{
    return *(volatile uint8_t *)mmio_ptr(d->base + REG_CONFIG + off);
}

uint32_t virtio_config32(struct virtio_device *d, unsigned off)
{
    return reg_read(d, REG_CONFIG + off);
}
