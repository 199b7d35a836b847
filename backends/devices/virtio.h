/* What a virtio device implements; the MMIO transport does the rest. */
#ifndef TM_VIRTIO_H
#define TM_VIRTIO_H

#include "../machine/board.h"
#include "virtq.h"

#define VIRTIO_QUEUES 2 /* most that a device of ours has */
#define VIRTIO_CONFIG_SIZE 256

/* What a class may offer without doing anything for it (6, 2.7). */
#define VIRTIO_F_INDIRECT (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_IN_ORDER (1ull << 35)
#define VIRTIO_F_RING                                                          \
    (VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX | VIRTIO_F_IN_ORDER)

struct virtio_slot;

/* A kind of virtio device: one row of virtio_slots[] in virtio_mmio.c. */
struct virtio_class {
    uint32_t id;     /* virtio device ID */
    unsigned queues; /* 1..VIRTIO_QUEUES */

    /* Mandatory. s->state is what create leaves there; destroy undoes it. */
    int (*create)(struct virtio_slot *s, char why[REASON_MAX]);
    void (*destroy)(struct virtio_slot *s);
    /* Mandatory: device features, beside VIRTIO_F_VERSION_1; VIRTIO_F_RING are
     * the transport's work. */
    uint64_t (*features)(struct virtio_slot *s);
    /* Mandatory: the configuration, into VIRTIO_CONFIG_SIZE zeroed bytes. */
    void (*config)(struct virtio_slot *s, void *to);
    /* Mandatory: serve one chain; bytes written into it, or -EINVAL with why
     * for a request that no honest driver makes. */
    int64_t (*serve)(struct virtio_slot *s, unsigned queue,
                     const struct virtq_chain *chain, const char **why);

    /* Optional: the driver reset the device. */
    void (*reset)(struct virtio_slot *s);
    /* Optional: the driver notified a queue. Without it: virtio_serve(). */
    void (*notify)(struct virtio_slot *s, unsigned queue);
    /* Optional, both or neither: the guest time at which expire is to be called
     * (UINT64_MAX: never), and the call. Who moves it calls board_rearm(). */
    uint64_t (*deadline)(struct virtio_slot *s);
    void (*expire)(struct virtio_slot *s, uint64_t now);
};

struct virtio_slot {
    const struct virtio_class *class; /* NULL: empty */
    struct board *board;
    unsigned pin;
    void *state; /* the class's own */

    uint32_t status, interrupt;
    uint64_t driver_features;
    uint32_t device_sel, driver_sel, queue_sel;
    struct virtq queue[VIRTIO_QUEUES];
    /* Why DEVICE_NEEDS_RESET is set; NULL: it isn't. */
    const char *broken;
};

/* ---- What the transport offers to the classes ---------------------------- */

/* 1: the next chain of the queue; 0: there is none, or the driver has not set
 * the queue up; negative: the driver lied, and the device has stopped. */
int virtio_pop(struct virtio_slot *s, unsigned queue,
               struct virtq_chain *chain);
/* Gives a chain back with `written` bytes in it. */
void virtio_push(struct virtio_slot *s, unsigned queue,
                 const struct virtq_chain *chain, uint32_t written);
/* Shows the driver the chains that were given back. Those that one call shows
 * may become one used entry, the last one's: chains whose lengths the driver
 * must know are shown one by one. */
void virtio_publish(struct virtio_slot *s, unsigned queue);
/* The same, and interrupts for all that was shown since the last time, unless
 * the driver wants none. */
void virtio_signal(struct virtio_slot *s, unsigned queue);
/* Whether notifications of that queue would be wasted. */
void virtio_suppress(struct virtio_slot *s, unsigned queue, bool on);
/* Serves every chain of the queue and signals; how many there were. */
unsigned virtio_serve(struct virtio_slot *s, unsigned queue);
/* The driver broke the protocol: nothing more until it resets the device. */
void virtio_break(struct virtio_slot *s, const char *why);

extern const struct virtio_class virtio_blk, virtio_net;

#endif
