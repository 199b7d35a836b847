/* The client's side of TCP (RFC 9293) on a link that loses nothing. */
#include "peer_tcp.h"

#include <string.h>

#define TCP_HEADER 20
#define AT_IP INET_ETHERNET
#define AT_ADDRESSES (INET_ETHERNET + 12)
#define AT_TCP (INET_ETHERNET + INET_IP)
#define WINDOW 65535u

/* The sum of big-endian 16-bit words, an odd byte padded. RFC 1071: the sum of
 * the words as a little-endian machine reads them is the same, bytes swapped.
 */
static uint32_t add_words(uint32_t sum, const uint8_t *p, uint32_t len)
{
    uint64_t wide = 0;
    uint32_t v = 0;

    for (; len >= 4; len -= 4, p += 4) {
        memcpy(&v, p, 4);
        wide += v;
    }
    v = 0;
    memcpy(&v, p, len);
    for (wide += v; wide >> 16;)
        wide = (wide & 0xffff) + (wide >> 16);
    sum += (wide & 0xff) << 8 | wide >> 8;
    return (sum & 0xffff) + (sum >> 16);
}

static uint32_t ip_sum(const uint8_t *frame)
{
    return ~add_words(0, frame + AT_IP, INET_IP) & 0xffff;
}

static uint32_t tcp_sum(const uint8_t *frame, uint32_t len)
{
    uint32_t sum = add_words(INET_TCP + len, frame + AT_ADDRESSES, 8);

    return ~add_words(sum, frame + AT_TCP, len) & 0xffff;
}

/* ---- In ----------------------------------------------------------------- */

const char *peer_tcp_parse(const uint8_t *frame, uint32_t len,
                           struct peer_segment *g)
{
    struct inet_headers h;
    uint32_t total, offset;

    if (len < INET_HEADERS)
        return "a frame too short for TCP";
    memcpy(&h, frame, sizeof(h));
    total = inet_get16(h.length);
    if (h.version_ihl != 0x45 || total < INET_IP + TCP_HEADER ||
        total > len - INET_ETHERNET)
        return "an IP header that can't be";
    if (ip_sum(frame))
        return "a wrong IP checksum";
    if (h.protocol != INET_TCP || inet_get16(h.fragment) & 0x3fff)
        return "an IP datagram that isn't one of TCP";
    if (inet_get32(h.source) != TM_GUEST_IP ||
        inet_get32(h.destination) != TM_PEER_IP)
        return "an IP datagram for somebody else";
    offset = (h.offset >> 4) * 4;
    if (offset < TCP_HEADER || offset > total - INET_IP)
        return "a TCP header that can't be";
    if (tcp_sum(frame, total - INET_IP))
        return "a wrong TCP checksum";
    if (inet_get16(h.source_port) != TM_HTTP_PORT)
        return "a TCP segment from another port";
    g->port = inet_get16(h.destination_port);
    g->sequence = inet_get32(h.sequence);
    g->acknowledged = inet_get32(h.acknowledged);
    g->window = inet_get16(h.window);
    g->flags = h.flags;
    g->data = frame + AT_TCP + offset;
    g->len = total - INET_IP - offset;
    return NULL;
}

static const char *take_syn(struct peer_tcp *c, const struct peer_segment *g)
{
    if ((g->flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK) ||
        g->acknowledged != c->sequence || c->syn_due || g->len)
        return "the answer to a SYN is no SYN and ACK of it";
    c->state = PEER_TCP_OPEN;
    c->expected = g->sequence + 1;
    c->acknowledged = g->acknowledged;
    c->window = g->window;
    c->ack_due = true;
    return NULL;
}

const char *peer_tcp_take(struct peer_tcp *c, const struct peer_segment *g,
                          bool *ended)
{
    *ended = false;
    if (g->flags & TCP_RST)
        return "the guest reset a connection";
    if (c->state == PEER_TCP_OPENING)
        return take_syn(c, g);
    if ((g->flags & (TCP_SYN | TCP_ACK)) != TCP_ACK)
        return "a segment with SYN or without ACK on an open connection";
    if (g->sequence != c->expected)
        return "a sequence number that isn't the next";
    if (inet_before(g->acknowledged, c->acknowledged) ||
        inet_before(c->sequence, g->acknowledged))
        return "an acknowledgement of what was never sent";
    c->acknowledged = g->acknowledged;
    c->window = g->window;
    if (c->state == PEER_TCP_ENDING) {
        if (g->len || g->flags & TCP_FIN)
            return "data behind the end of a connection";
        if (!c->fin_due && c->acknowledged == c->sequence)
            c->state = PEER_TCP_CLOSED;
        return NULL;
    }
    c->expected += g->len;
    c->ack_due |= g->len > 0;
    if (g->flags & TCP_FIN) {
        c->expected++;
        c->state = PEER_TCP_ENDING;
        c->ack_due = c->fin_due = true;
        c->out_len = c->out_sent;
        *ended = true;
    }
    return NULL;
}

/* ---- Out ---------------------------------------------------------------- */

void peer_tcp_open(struct peer_tcp *c, uint16_t port)
{
    memset(c, 0, sizeof(*c));
    c->state = PEER_TCP_OPENING;
    c->port = port;
    c->sequence = c->acknowledged = port * 40503u;
    c->syn_due = true;
}

void peer_tcp_say(struct peer_tcp *c, const void *text, uint32_t len,
                  uint32_t split)
{
    memcpy(c->out, text, len);
    c->out_len = len;
    c->out_sent = 0;
    c->out_split = split;
}

/* How much may go out now. */
static uint32_t sayable(const struct peer_tcp *c)
{
    bool all_known = c->acknowledged == c->sequence;
    uint32_t until = c->out_len;

    if (c->state != PEER_TCP_OPEN)
        return 0;
    if (c->out_sent < c->out_split)
        until = c->out_split;
    else if (c->out_sent == c->out_split && !all_known)
        return 0;
    until -= c->out_sent;
    return until <= c->window - (c->sequence - c->acknowledged) ? until : 0;
}

bool peer_tcp_due(const struct peer_tcp *c)
{
    return c->syn_due || c->ack_due || c->fin_due || sayable(c);
}

uint32_t peer_tcp_give(struct peer_tcp *c, uint8_t frame[TM_NET_FRAME_MAX])
{
    static const uint8_t mac[6] = TM_NET_MAC;
    uint32_t len = sayable(c), options = c->syn_due ? 4 : 0;
    uint32_t tcp_len = TCP_HEADER + options + len;
    struct inet_headers h = {
        .version_ihl = 0x45, .ttl = 64, .protocol = INET_TCP};

    memcpy(h.to, mac, 6);
    memcpy(h.from, mac, 6);
    h.from[5] = 2;
    h.flags = c->syn_due ? TCP_SYN : TCP_ACK;
    h.flags |= (c->fin_due ? TCP_FIN : 0) | (len ? TCP_PSH : 0);
    h.offset = (TCP_HEADER + options) / 4 << 4;
    inet_put16(h.ethertype, TM_ETHERTYPE_IP);
    inet_put16(h.length, INET_IP + tcp_len);
    inet_put32(h.source, TM_PEER_IP);
    inet_put32(h.destination, TM_GUEST_IP);
    inet_put16(h.source_port, c->port);
    inet_put16(h.destination_port, TM_HTTP_PORT);
    inet_put32(h.sequence, c->sequence);
    inet_put32(h.acknowledged, c->syn_due ? 0 : c->expected);
    inet_put16(h.window, WINDOW);
    memset(frame, 0, TM_NET_FRAME_MIN);
    memcpy(frame, &h, INET_HEADERS);
    if (options)
        memcpy(frame + INET_HEADERS,
               (const uint8_t[]){2, 4, INET_MSS >> 8, INET_MSS & 255}, 4);
    memcpy(frame + INET_HEADERS + options, c->out + c->out_sent, len);
    inet_put16(frame + AT_IP + 10, ip_sum(frame));
    inet_put16(frame + AT_TCP + 16, tcp_sum(frame, tcp_len));
    c->sequence += len + c->syn_due + c->fin_due;
    c->out_sent += len;
    c->syn_due = c->ack_due = c->fin_due = false;
    len = AT_TCP + tcp_len;
    return len < TM_NET_FRAME_MIN ? TM_NET_FRAME_MIN : len;
}
