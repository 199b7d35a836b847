/* IPv4 and TCP as both ends of the virtual cable put them into frames. */
#ifndef TM_INET_H
#define TM_INET_H

#include <stdbool.h>
#include <stdint.h>

/* RFC 791, RFC 9293. Neither end resolves addresses: the two know each other.
 * No options but the maximum segment size. The link loses nothing and keeps the
 * order, so neither end retransmits or waits in TIME-WAIT; whatever is not the
 * next byte is answered with an ACK and dropped. */
#define TM_ETHERTYPE_IP 0x0800
#define TM_GUEST_IP 0x0a000001 /* 10.0.0.1 */
#define TM_PEER_IP 0x0a000002
#define TM_HTTP_PORT 80

#define INET_TCP 6
#define INET_MSS 1460

#define TCP_FIN 1u
#define TCP_SYN 2u
#define TCP_RST 4u
#define TCP_PSH 8u
#define TCP_ACK 16u

/* All numbers are big endian; inet_get and inet_put convert. */
struct inet_headers {
    uint8_t to[6], from[6], ethertype[2];
    uint8_t version_ihl, tos, length[2];
    uint8_t id[2], fragment[2];
    uint8_t ttl, protocol, ip_checksum[2];
    uint8_t source[4], destination[4];
    uint8_t source_port[2], destination_port[2];
    uint8_t sequence[4], acknowledged[4];
    uint8_t offset, flags, window[2];
    uint8_t checksum[2], urgent[2];
};
#define INET_HEADERS 54
#define INET_ETHERNET 14
#define INET_IP 20
_Static_assert(sizeof(struct inet_headers) == INET_HEADERS, "no padding");

static inline uint16_t inet_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t inet_get32(const uint8_t *p)
{
    return (uint32_t)inet_get16(p) << 16 | inet_get16(p + 2);
}

static inline void inet_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void inet_put32(uint8_t *p, uint32_t v)
{
    inet_put16(p, v >> 16);
    inet_put16(p + 2, v);
}

/* Sequence numbers wrap. */
static inline bool inet_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

#endif
