/* What the guest and the VMM's network peer say to each other. */
#ifndef TM_NET_H
#define TM_NET_H

#include <stdint.h>

/* Behind the virtio-net device of our own backends sits a peer that generates
 * load. It takes Ethernet frames (without the checksum) of one ethertype, and
 * IPv4 (inet.h) once a command asked for it; it drops all others. Everything it
 * does follows from the frames it gets: it has no clock. */
#define TM_NET_ETHERTYPE 0x88b5 /* local experimental */
#define TM_NET_FRAME_MIN 60
#define TM_NET_FRAME_MAX 1514

/* The device's address; the peer's is the same with a last byte of 2. */
#define TM_NET_MAC                                                             \
    {                                                                          \
        0x02, 0x54, 0x4d, 0x00, 0x00, 0x01                                     \
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
 *   HTTP    the peer makes `count` requests; see below
 */
#define TM_NET_ECHO 1
#define TM_NET_STREAM 2
#define TM_NET_SINK 3
#define TM_NET_REPORT 4
#define TM_NET_POLL 5
#define TM_NET_HTTP 6
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

/* Heads a frame from the guest to the peer; the numbers are left alone. */
static inline void tm_net_address(struct tm_net_frame *f, uint16_t command)
{
    static const uint8_t mac[6] = TM_NET_MAC;

    for (unsigned i = 0; i < 6; i++)
        f->to[i] = f->from[i] = mac[i];
    f->to[5] = 2;
    f->ethertype[0] = TM_NET_ETHERTYPE >> 8;
    f->ethertype[1] = TM_NET_ETHERTYPE & 0xff;
    f->command = command;
}

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

/* ---- HTTP ---------------------------------------------------------------
 *
 * The peer is an HTTP/1.1 client at TM_PEER_IP with connections to TM_GUEST_IP,
 * port 80. A command's `length` is how many connections it may keep open, and
 * how many of them wait for an answer at one time (from bit 16 on); the others
 * are idle, and the next request goes out on the one that has been idle for
 * longest. The last of TM_HTTP_LIFE requests on a connection says "close".
 * Connections stay open from one command to the next.
 *
 * Request r of a command is of kind tm_http_kind() and for file tm_http_file().
 * Each answer is checked: status, headers, length, every byte. The frame that
 * answers the command, once all answers have come, has in count how many were
 * as they must be, in length how many were not, in word[0] the sum of
 * tm_http_digest() over the requests, in word[1] how many bytes of body came,
 * in word[2] the connections opened so far; where count isn't what was asked
 * for, a text from word[3] on says what the first fault was. A fault of the
 * protocol (a wrong checksum, a reset) ends the command at once.
 */
#define TM_HTTP_LIFE 64
#define TM_HTTP_CONNECTIONS 24 /* at most */
#define TM_HTTP_REASON 3 /* a text of up to 80 bytes begins in this word */

/* The files: /f00 to /f15 hold 1 to 16 KiB of tm_http_word(). */
#define TM_HTTP_FILES 16
static inline uint32_t tm_http_size(uint32_t file)
{
    return 1024u << (file < 12 ? file / 4 : file < 14 ? 3 : 4);
}

static inline uint64_t tm_http_word(uint32_t file, uint32_t w)
{
    uint64_t x = (file + 1ull) << 32 | w;

    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
    return x ^ (x >> 33);
}

/* What a request is. With TM_HTTP_ALL_KINDS in a command's `reserved` they come
 * in turn, otherwise all but a few are TM_HTTP_GET. */
#define TM_HTTP_ALL_KINDS 1u
enum tm_http_kind {
    TM_HTTP_GET,       /* 200 */
    TM_HTTP_HEAD,      /* 200, no body */
    TM_HTTP_MISSING,   /* no such file: 404 */
    TM_HTTP_SPLIT,     /* GET in two segments: 200 */
    TM_HTTP_CLOSE,     /* GET that says close: 200, and the end */
    TM_HTTP_OLD,       /* GET in HTTP/1.0: 200, and the end */
    TM_HTTP_METHOD,    /* DELETE: 501 */
    TM_HTTP_NO_HOST,   /* 1.1 without Host: 400, and the end */
    TM_HTTP_MALFORMED, /* no request line: 400, and the end */
    TM_HTTP_KINDS
};

static inline enum tm_http_kind tm_http_kind(uint32_t r, uint32_t flags)
{
    if (flags & TM_HTTP_ALL_KINDS)
        return (enum tm_http_kind)(r % TM_HTTP_KINDS);
    return r % 64 == 63   ? TM_HTTP_MISSING
           : r % 32 == 15 ? TM_HTTP_HEAD
                          : TM_HTTP_GET;
}

static inline uint32_t tm_http_file(uint32_t r)
{
    return (uint32_t)(r * 0x9e3779b97f4a7c15ull >> 60);
}

/* first: the first eight bytes of the body, little endian; 0: there is none. */
static inline uint64_t tm_http_digest(uint32_t r, uint32_t status,
                                      uint32_t content_length, uint64_t first)
{
    uint64_t x = ((uint64_t)r << 32 | status) ^ first;

    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93ull + content_length;
    return x ^ (x >> 29);
}

#endif
