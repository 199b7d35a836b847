/* What the guest and the VMM's network peer say to each other. */
#ifndef TM_NET_H
#define TM_NET_H

#include <stdint.h>

/* Behind the virtio-net device of our own backends sits a peer that generates
 * load. It takes Ethernet frames (without the checksum) of one ethertype and
 * drops all others; everything it does follows from the frames it gets. */
#define TM_NET_ETHERTYPE 0x88b5 /* local experimental */
#define TM_NET_FRAME_MIN 60
#define TM_NET_FRAME_MAX 1514

/* The device's address; the peer's is the same with a last byte of 2. */
#define TM_NET_MAC                         \
    {                                      \
        0x02, 0x54, 0x4d, 0x00, 0x00, 0x01 \
    }

/* Commands. The answer to one carries the same number and TM_NET_REPLY, and
 * its source and destination are swapped.
 *
 *   ECHO    the same frame comes back
 *   STREAM  `count` frames come, each `length` bytes long, numbered from 0 in
 *           `sequence`; the rest holds tm_net_word()
 *   SINK    no answer; the frame is counted
 *   REPORT  the answer tells the SINK frames since the last REPORT: their
 *           number in count, the sum of their lengths in length (both modulo
 *           2^32) and the sum of all their words in word[0]
 *   POLL    the device serves the transmit queue every `count` microseconds as
 *           long as there is something in it, and asks for no notifications
 *           meanwhile; 0: it serves the queue at each notification
 */
#define TM_NET_ECHO 1
#define TM_NET_STREAM 2
#define TM_NET_SINK 3
#define TM_NET_REPORT 4
#define TM_NET_POLL 5
#define TM_NET_REPLY 0x80

struct tm_net_frame {
    uint8_t to[6], from[6];
    uint8_t ethertype[2]; /* big endian */
    uint16_t command;     /* this and what follows: little endian */
    uint32_t sequence;
    uint32_t count, length;
    uint32_t reserved;
    uint64_t word[185]; /* and 2 bytes more in the longest frame */
};
#define TM_NET_HEADER 32
_Static_assert(__builtin_offsetof(struct tm_net_frame, word) == TM_NET_HEADER,
               "frame layout is ABI");
_Static_assert(sizeof(struct tm_net_frame) == TM_NET_FRAME_MAX / 8 * 8,
               "the longest frame");

/* Word w of the frame with that sequence number. */
static inline uint64_t tm_net_word(uint32_t sequence, uint32_t w)
{
    return (sequence + 1ull) * 0x9e3779b97f4a7c15ull + w;
}

/* Whole words in a frame of so many bytes. */
static inline uint32_t tm_net_words(uint32_t length)
{
    return (length - TM_NET_HEADER) / 8;
}

#endif
