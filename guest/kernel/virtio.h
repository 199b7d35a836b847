/* The virtio-mmio transport of the kernel's drivers, both versions. */
#ifndef TM_VIRTIO_H
#define TM_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTQ_SIZE 128 /* descriptors */

#define DESC_NEXT 1
#define DESC_WRITE 2 /* by the device */

#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY 1

struct vring_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

#define DESC_INDIRECT 4

/* Feature bits of the transport (virtio 1.2, 6). */
#define VIRTIO_F_INDIRECT (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_IN_ORDER (1ull << 35)

/* The legacy interface fixes this order and the used ring's alignment. */
struct virtio_queue {
    struct vring_desc desc[VIRTQ_SIZE];
    volatile struct {
        uint16_t flags, idx, ring[VIRTQ_SIZE], used_event;
    } avail;
    volatile struct {
        uint16_t flags, idx;
        struct {
            uint32_t id, len;
        } ring[VIRTQ_SIZE];
        uint16_t avail_event;
    } used __attribute__((aligned(4096)));
    uint16_t told; /* driver's own: avail.idx at the last notification */
};

struct virtio_device {
    uint64_t base;     /* gpa of its registers */
    bool modern;       /* interface version 2 */
    uint64_t features; /* negotiated, VERSION_1 aside */
};

/* In this order: find the first device of that kind and route its interrupt
 * (the handler calls virtio_ack()); negotiate those of the wanted features that
 * the device offers, and VERSION_1; make the queues; start. False, or NULL: it
 * can't be. */
bool virtio_find(struct virtio_device *d, uint32_t id, void (*interrupt)(void));
bool virtio_negotiate(struct virtio_device *d, uint64_t wanted);
struct virtio_queue *virtio_queue(struct virtio_device *d, unsigned index);
void virtio_start(struct virtio_device *d);

/* Acknowledges the interrupt, at the device and at the APIC. Whoever looks at
 * the rings afterwards misses no completion. */
void virtio_ack(struct virtio_device *d);

/* Makes the chain that begins at descriptor head available. */
void virtio_post(struct virtio_queue *q, uint16_t head);
/* Notifies the device, unless it said that it looks by itself. */
void virtio_notify(struct virtio_device *d, struct virtio_queue *q,
                   unsigned index);
/* The same, whatever it said. */
void virtio_notify_always(struct virtio_device *d, struct virtio_queue *q,
                          unsigned index);
/* Whether completions interrupt, without EVENT_IDX. After asking for it, look
 * at the used ring once more before sleeping. */
void virtio_want_interrupts(struct virtio_queue *q, bool on);
/* With EVENT_IDX: the next interrupt is that of used entry `entry`. Here too,
 * look once more. Without it, every completion interrupts all the same. */
void virtio_interrupt_at(struct virtio_queue *q, uint16_t entry);

/* Device configuration, at a byte offset. */
uint8_t virtio_config8(struct virtio_device *d, unsigned off);
uint32_t virtio_config32(struct virtio_device *d, unsigned off);

#endif
