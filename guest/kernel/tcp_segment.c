/* TCP segments in and out (RFC 9293), in IPv4 datagrams (RFC 791). */
#include "tcp.h"

#define TTL 64
#define TCP_HEADER (INET_HEADERS - INET_ETHERNET - INET_IP)
#define MSS_DEFAULT 536 /* RFC 9293, 3.7.1 */
#define SOURCE __builtin_offsetof(struct inet_headers, source)
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_MSS 2

/* The Internet checksum's sum, RFC 1071; from 0, or from an earlier sum of an
 * even number of bytes. Bytes are taken in memory order. */
static uint64_t sum_add(uint64_t sum, const void *data, uint32_t len)
{
    const uint8_t *p = data;
    uint64_t v;

    for (; len >= 16; len -= 16, p += 16) {
        uint64_t two[2];

        memcpy(two, p, 16);
        sum += (two[0] & 0xffffffff) + (two[0] >> 32);
        sum += (two[1] & 0xffffffff) + (two[1] >> 32);
    }
    for (; len; len -= len < 4 ? len : 4, p += 4) {
        v = 0;
        memcpy(&v, p, len < 4 ? len : 4);
        sum += v;
    }
    return sum;
}

static uint16_t sum_fold(uint64_t sum)
{
    sum = (sum >> 32) + (sum & 0xffffffff);
    while (sum >> 16)
        sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)~sum;
}

/* Of a segment with its pseudo-header; 0 where it is right. */
static uint16_t tcp_sum(const struct inet_headers *h, uint32_t tcp_len)
{
    uint8_t pseudo[4] = {0, INET_TCP};
    uint64_t sum;

    inet_put16(pseudo + 2, tcp_len);
    sum = sum_add(0, (const uint8_t *)h + SOURCE, 8);
    sum = sum_add(sum, pseudo, sizeof(pseudo));
    return sum_fold(
        sum_add(sum, (const uint8_t *)h + INET_ETHERNET + INET_IP, tcp_len));
}

/* ---- Out ---------------------------------------------------------------- */

static const uint8_t our_mac[6] = TM_NET_MAC;

/* The headers around `data` bytes; tcp_len counts options, too. */
static void seal(struct inet_headers *h, uint32_t tcp_len)
{
    static uint16_t id;
    uint16_t sum;

    memcpy(h->from, our_mac, 6);
    inet_put16(h->ethertype, TM_ETHERTYPE_IP);
    h->version_ihl = 0x45;
    h->tos = 0;
    inet_put16(h->length, INET_IP + tcp_len);
    inet_put16(h->id, id++);
    inet_put16(h->fragment, 0x4000); /* don't */
    h->ttl = TTL;
    h->protocol = INET_TCP;
    inet_put16(h->ip_checksum, 0);
    inet_put32(h->source, TM_GUEST_IP);
    inet_put16(h->urgent, 0);
    inet_put16(h->checksum, 0);
    sum = sum_fold(sum_add(0, (const uint8_t *)h + INET_ETHERNET, INET_IP));
    memcpy(h->ip_checksum, &sum, 2);
    sum = tcp_sum(h, tcp_len);
    memcpy(h->checksum, &sum, 2);
}

static uint32_t room(const struct sock *s)
{
    return PAGE_SIZE - (s->tail - s->head);
}

void tcp_output(struct sock *s, struct net_buffer *b, unsigned flags,
                uint32_t len)
{
    struct inet_headers *h = (struct inet_headers *)b->frame;
    uint32_t options = flags & TCP_SYN ? 4 : 0;

    if (options) {
        uint8_t *option = b->frame + INET_HEADERS;

        option[0] = OPTION_MSS;
        option[1] = 4;
        inet_put16(option + 2, INET_MSS);
    }
    memcpy(h->to, s->peer_mac, 6);
    inet_put32(h->destination, s->peer_ip);
    inet_put16(h->source_port, s->port);
    inet_put16(h->destination_port, s->peer_port);
    inet_put32(h->sequence, s->sent);
    inet_put32(h->acknowledged, s->expected);
    h->offset = (uint8_t)((TCP_HEADER + options) / 4 << 4);
    h->flags = (uint8_t)flags;
    inet_put16(h->window, room(s));
    seal(h, TCP_HEADER + options + len);
    s->sent += len + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
    s->owed = 0;
    len += INET_HEADERS + options;
    if (len < TM_NET_FRAME_MIN)
        memset(b->frame + len, 0, TM_NET_FRAME_MIN - len);
    net_post(b, len < TM_NET_FRAME_MIN ? TM_NET_FRAME_MIN : len);
}

void tcp_control(struct sock *s, unsigned flags)
{
    struct net_buffer b;

    /* tcp_send leaves enough of them. */
    if (!net_take(&b, 0))
        return;
    tcp_output(s, &b, flags, 0);
    net_kick();
}

void tcp_acknowledge(struct sock *s)
{
    tcp_control(s, TCP_ACK);
}

static void closed(struct sock *s)
{
    s->state = TCP_CLOSED;
    s->unaccepted = false;
    tcp_wake(s);
}

void tcp_abort(struct sock *s)
{
    tcp_control(s, TCP_RST | TCP_ACK);
    closed(s);
}

/* ---- In ----------------------------------------------------------------- */

struct segment {
    const struct inet_headers *h;
    uint32_t sequence, acknowledged, len;
    unsigned flags;
    const uint8_t *data;
};

/* False: it is damaged, or not for us. */
static bool parse(const uint8_t *frame, uint32_t len, struct segment *g)
{
    const struct inet_headers *h = (const struct inet_headers *)frame;
    uint32_t ip_len, offset;

    if (len < INET_HEADERS || h->version_ihl != 0x45 ||
        h->protocol != INET_TCP || (inet_get16(h->fragment) & 0x3fff) ||
        inet_get32(h->destination) != TM_GUEST_IP)
        return false;
    ip_len = inet_get16(h->length);
    if (ip_len < INET_HEADERS - INET_ETHERNET || ip_len > len - INET_ETHERNET)
        return false;
    offset = (h->offset >> 4) * 4u;
    if (offset < TCP_HEADER || offset > ip_len - INET_IP)
        return false;
    if (sum_fold(sum_add(0, (const uint8_t *)h + INET_ETHERNET, INET_IP)) ||
        tcp_sum(h, ip_len - INET_IP))
        return false;
    g->h = h;
    g->sequence = inet_get32(h->sequence);
    g->acknowledged = inet_get32(h->acknowledged);
    g->flags = h->flags;
    g->data = frame + INET_ETHERNET + INET_IP + offset;
    g->len = ip_len - INET_IP - offset;
    return true;
}

static uint16_t mss_option(const struct segment *g)
{
    const uint8_t *p = (const uint8_t *)g->h + INET_HEADERS;

    while (p < g->data && *p != OPTION_END) {
        uint32_t left = (uint32_t)(g->data - p);

        if (*p == OPTION_NOP) {
            p++;
            continue;
        }
        if (left < 2 || p[1] < 2 || p[1] > left)
            break;
        if (*p == OPTION_MSS && p[1] == 4)
            return inet_get16(p + 2);
        p += p[1];
    }
    return MSS_DEFAULT;
}

static void address(struct sock *s, const struct segment *g)
{
    memcpy(s->peer_mac, g->h->from, 6);
    s->peer_ip = inet_get32(g->h->source);
    s->peer_port = inet_get16(g->h->source_port);
    s->port = inet_get16(g->h->destination_port);
}

/* There is no such connection. */
static void refuse(const struct segment *g)
{
    struct sock nobody = {.sent = g->acknowledged};

    if (g->flags & TCP_RST)
        return;
    address(&nobody, g);
    nobody.expected =
        g->sequence + g->len + (g->flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
    tcp_control(&nobody, TCP_RST | TCP_ACK);
}

static void open_connection(const struct segment *g)
{
    static uint32_t initial;
    struct sock *s = NULL;
    uint32_t mss = mss_option(g);

    if ((g->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
        tcp_find_listener(inet_get16(g->h->destination_port)))
        s = tcp_new();
    if (!s) {
        refuse(g);
        return;
    }
    address(s, g);
    s->state = TCP_SYN_RCVD;
    s->mss = (uint16_t)(mss < 64 ? 64 : mss < INET_MSS ? mss : INET_MSS);
    s->sent = s->acknowledged = initial += 64013;
    s->window = inet_get16(g->h->window);
    s->expected = g->sequence + 1;
    tcp_control(s, TCP_SYN | TCP_ACK);
}

/* Somebody accepts it, or it goes. */
static void established(struct sock *s)
{
    static uint64_t arrivals;
    struct sock *listener = tcp_find_listener(s->port);

    if (!listener) {
        tcp_abort(s);
        return;
    }
    s->state = TCP_ESTABLISHED;
    s->unaccepted = true;
    s->arrival = arrivals++;
    tcp_wake(listener);
}

static void take_acknowledgement(struct sock *s, const struct segment *g)
{
    bool all = g->acknowledged == s->sent;

    s->acknowledged = g->acknowledged;
    s->window = inet_get16(g->h->window);
    if (s->state == TCP_SYN_RCVD && all)
        established(s);
    else if (s->state == TCP_FIN_WAIT_1 && all)
        s->state = TCP_FIN_WAIT_2;
    else if ((s->state == TCP_LAST_ACK || s->state == TCP_CLOSING) && all)
        closed(s);
    else if (s->waited)
        tcp_wake(s); /* a sender may wait for room */
}

static void take_data(struct sock *s, const struct segment *g)
{
    uint32_t offset = s->tail % PAGE_SIZE, first = PAGE_SIZE - offset;
    uint8_t *page = phys_to_virt(s->page);

    if (s->state != TCP_ESTABLISHED) {
        tcp_abort(s); /* nobody will ever read it */
        return;
    }
    if (g->len > room(s)) {
        tcp_acknowledge(s);
        return;
    }
    first = first < g->len ? first : g->len;
    memcpy(page + offset, g->data, first);
    memcpy(page, g->data + first, g->len - first);
    s->tail += g->len;
    s->expected += g->len;
    if (++s->owed == 2)
        tcp_acknowledge(s);
    tcp_wake(s);
}

static void take_end(struct sock *s)
{
    s->expected++;
    if (s->state == TCP_ESTABLISHED)
        s->state = TCP_CLOSE_WAIT;
    else if (s->state == TCP_FIN_WAIT_1)
        s->state = TCP_CLOSING;
    tcp_acknowledge(s);
    if (s->state == TCP_FIN_WAIT_2)
        closed(s);
    else
        tcp_wake(s);
}

static void take_segment(struct sock *s, const struct segment *g)
{
    if (g->sequence != s->expected || (g->flags & TCP_SYN)) {
        if (!(g->flags & TCP_RST))
            tcp_acknowledge(s);
        return;
    }
    if (g->flags & TCP_RST) {
        s->reset = true;
        closed(s);
        return;
    }
    if (!(g->flags & TCP_ACK))
        return;
    if (inet_before(g->acknowledged, s->acknowledged) ||
        inet_before(s->sent, g->acknowledged)) {
        tcp_acknowledge(s);
        return;
    }
    take_acknowledgement(s, g);
    if (g->len && s->state > TCP_SYN_RCVD)
        take_data(s, g);
    if ((g->flags & TCP_FIN) && s->state > TCP_SYN_RCVD &&
        g->sequence + g->len == s->expected)
        take_end(s);
}

void tcp_input(const uint8_t *frame, uint32_t len)
{
    struct segment g;
    struct sock *s;

    if (!parse(frame, len, &g))
        return;
    s = tcp_find(inet_get32(g.h->source), inet_get16(g.h->source_port),
                 inet_get16(g.h->destination_port));
    if (s)
        take_segment(s, &g);
    else
        open_connection(&g);
}
