/* A split virtqueue, device side: takes chains of buffers from a driver that may
 * lie (virtio 1.2, 2.7). */
#ifndef TM_VIRTQ_H
#define TM_VIRTQ_H

#include "../backend.h"

#define VIRTQ_MAX 256 /* descriptors */

struct virtq {
    uint32_t num; /* power of two up to VIRTQ_MAX */
    bool ready;
    gpa_t desc, avail, used;
    uint16_t last_avail; /* next entry of the available ring to take */
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

/* Gives a chain back; written is how many bytes the device put into it. */
void virtq_push(struct virtq *q, const struct guest_ram *ram,
                const struct virtq_chain *chain, uint32_t written);

/* Does the driver want an interrupt for what was pushed? */
bool virtq_wants_interrupt(const struct virtq *q, const struct guest_ram *ram);

/* Tells the driver whether to leave out notifications. */
void virtq_suppress(struct virtq *q, const struct guest_ram *ram, bool on);

/* Copy from the readable part, or to the writable part, beginning `off` bytes
 * into it. The number of bytes copied: less than len where the part is short. */
uint64_t virtq_read(const struct virtq_chain *c, uint64_t off, void *to,
                    uint64_t len);
uint64_t virtq_write(const struct virtq_chain *c, uint64_t off,
                     const void *from, uint64_t len);

#endif
