/* What a virtio device implements; the MMIO transport does the rest. */
#ifndef TM_VIRTIO_H
#define TM_VIRTIO_H

#include "../machine/board.h"
#include "virtq.h"

#define VIRTIO_QUEUES 2 /* most that a device of ours has */
#define VIRTIO_CONFIG_SIZE 256

struct virtio_slot;

/* A kind of virtio device: one row of virtio_slots[] in virtio_mmio.c. */
struct virtio_class {
    uint32_t id;     /* virtio device ID */
    unsigned queues; /* 1..VIRTIO_QUEUES */

    /* Mandatory. s->state is what create leaves there; destroy undoes it. */
    int (*create)(struct virtio_slot *s, char why[REASON_MAX]);
    void (*destroy)(struct virtio_slot *s);
    /* Mandatory: device features, beside VIRTIO_F_VERSION_1. */
    uint64_t (*features)(struct virtio_slot *s);
    /* Mandatory: the configuration, into VIRTIO_CONFIG_SIZE zeroed bytes. */
    void (*config)(struct virtio_slot *s, void *to);
    /* Mandatory: serve one chain; bytes written into it, or -EINVAL with why
     * for a request that no honest driver makes. */
    int64_t (*serve)(struct virtio_slot *s, unsigned queue,
                     const struct virtq_chain *chain, const char **why);
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

extern const struct virtio_class virtio_blk;

#endif
