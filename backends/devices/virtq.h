/* A split virtqueue, device side: takes chains of buffers from a driver that may
 * lie (virtio 1.2, 2.7). */
#ifndef TM_VIRTQ_H
#define TM_VIRTQ_H

#include "../backend.h"

#define VIRTQ_MAX 256 /* descriptors */

struct virtq {
    uint32_t num; /* power of two up to VIRTQ_MAX */
    bool ready;
    /* What the driver accepted: VIRTIO_F_INDIRECT_DESC, _EVENT_IDX, _IN_ORDER. */
    bool indirect, event_idx, in_order;
    gpa_t desc, avail, used;
    uint16_t last_avail; /* next entry of the available ring to take */
    uint16_t signalled;  /* used index when the driver was last asked about */
    uint16_t held;       /* chains done whose used index is yet to move */
};

/* A buffer of a chain: checked to lie in RAM. */
struct virtq_buffer {
    uint8_t *host;
    uint32_t len;
};

/* A chain: what the device reads, then what it writes. */
struct virtq_chain {
    uint16_t head;
    unsigned readable, writable; /* buffers of each kind */
    uint64_t readable_len, writable_len;
    struct virtq_buffer buffer[VIRTQ_MAX];
};

/* May the queue be used as configured? 0, or -EINVAL with what is wrong. */
int virtq_check(const struct virtq *q, const struct guest_ram *ram,
                const char **why);

/* 1: the next chain; 0: the ring is empty; -EINVAL: the driver broke the
 * protocol, *why says how, and the queue must not be used again. */
int virtq_pop(struct virtq *q, const struct guest_ram *ram,
              struct virtq_chain *chain, const char **why);

/* Gives a chain back; written is how many bytes the device put into it. The
 * driver sees it after virtq_publish(). Chains that are
 * published together are one entry of the used ring where completion is in
 * order (2.7.9): that of the last. Publishing asks for notifications again
 * where the event index was negotiated. */
void virtq_push(struct virtq *q, const struct guest_ram *ram,
                const struct virtq_chain *chain, uint32_t written);
void virtq_publish(struct virtq *q, const struct guest_ram *ram);

/* Does the driver want an interrupt for what was published since it was last
 * asked about (2.7.7)? */
bool virtq_wants_interrupt(struct virtq *q, const struct guest_ram *ram);

/* Tells the driver whether to leave out notifications. */
void virtq_suppress(struct virtq *q, const struct guest_ram *ram, bool on);

/* Copy from the readable part, or to the writable part, beginning `off` bytes
 * into it. The number of bytes copied: less than len where the part is short. */
uint64_t virtq_read(const struct virtq_chain *c, uint64_t off, void *to,
                    uint64_t len);
uint64_t virtq_write(const struct virtq_chain *c, uint64_t off,
                     const void *from, uint64_t len);

#endif
