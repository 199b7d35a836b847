/* The peer as HTTP client, with servers that do it wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backends/devices/net_peer.h"

#include <stdio.h>
#include <string.h>

/* A server of one connection at a time, as small as it can be. */
struct server {
    struct net_peer peer;
    uint32_t sequence, expected;
    uint16_t port;
    char request[1024];
    size_t len;
    bool ended; /* the peer sent FIN */
    struct tm_net_frame report;
    bool reported;
};

static uint16_t ones(const uint8_t *p, unsigned len, uint32_t sum)
{
    for (unsigned i = 0; i < len; i++)
        sum += i % 2 ? p[i] : p[i] << 8;
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Of a segment to the peer with len bytes of data; without the checksums. */
static void put_headers(const struct server *s, struct inet_headers *h,
                        unsigned flags, uint32_t len)
{
    inet_put16(h->ethertype, TM_ETHERTYPE_IP);
    h->version_ihl = 0x45;
    inet_put16(h->length, 40 + len);
    h->protocol = INET_TCP;
    inet_put32(h->source, TM_GUEST_IP);
    inet_put32(h->destination, TM_PEER_IP);
    inet_put16(h->source_port, TM_HTTP_PORT);
    inet_put16(h->destination_port, s->port);
    inet_put32(h->sequence, s->sequence);
    inet_put32(h->acknowledged, s->expected);
    h->offset = 5 << 4;
    h->flags = flags;
}

/* A segment to the peer; sums: what is added to its checksum. */
static void send_segment(struct server *s, unsigned flags, const void *data,
                         uint32_t len, unsigned wrong)
{
    uint8_t frame[TM_NET_FRAME_MAX] = {0};
    struct inet_headers *h = (struct inet_headers *)frame;
    uint32_t total = INET_HEADERS + len;

    put_headers(s, h, flags, len);
    inet_put16(h->window, 4096);
    if (len)
        memcpy(frame + INET_HEADERS, data, len);
    inet_put16(h->ip_checksum, ~ones(frame + 14, 20, 0));
    inet_put16(h->checksum, ~ones(frame + 34, 20 + len,
                                  ones(frame + 26, 8, INET_TCP + 20 + len)) +
                                wrong);
    s->sequence += len + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
    net_peer_take(&s->peer, frame, total < 60 ? 60 : total);
}

/* Everything that the peer has to say. */
static void receive(struct server *s)
{
    uint8_t frame[TM_NET_FRAME_MAX];
    const struct inet_headers *h = (const struct inet_headers *)frame;

    while (net_peer_ready(&s->peer)) {
        uint32_t len, n, begin;

        net_peer_give(&s->peer, frame);
        if (inet_get16(h->ethertype) == TM_NET_ETHERTYPE) {
            memcpy(&s->report, frame, sizeof(s->report));
            s->reported = true;
            continue;
        }
        len = inet_get16(h->length);
        n = len - 20 - (h->offset >> 4) * 4u;
        begin = 14 + len - n;
        s->port = inet_get16(h->source_port);
        s->expected = inet_get32(h->sequence) + n;
        if (h->flags & (TCP_SYN | TCP_FIN))
            s->expected++;
        s->ended |= h->flags & TCP_FIN;
        if (h->flags & TCP_SYN) {
            s->len = 0;
            send_segment(s, TCP_SYN | TCP_ACK, NULL, 0, 0);
        }
        assert_true(s->len + n < sizeof(s->request));
        memcpy(s->request + s->len, frame + begin, n);
        s->len += n;
        s->request[s->len] = '\0';
    }
}

static void ask(struct server *s, uint32_t count, uint32_t length)
{
    struct tm_net_frame f = {
        .command = TM_NET_HTTP, .count = count, .length = length};

    memset(s, 0, sizeof(*s));
    net_peer_reset(&s->peer);
    inet_put16(f.ethertype, TM_NET_ETHERTYPE);
    net_peer_take(&s->peer, &f, TM_NET_FRAME_MIN);
    receive(s);
}

static void answer(struct server *s, const char *text)
{
    s->len = 0;
    send_segment(s, TCP_ACK, text, strlen(text), 0);
    receive(s);
}

/* The file in segments, the word at `wrong` (or none, -1) another. */
static void answer_file(struct server *s, uint32_t file, int wrong)
{
    static uint64_t words[2048];
    uint32_t size = tm_http_size(file);
    char head[128];

    for (uint32_t w = 0; w < size / 8; w++)
        words[w] = tm_http_word(file, w) + ((int)w == wrong);
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\ncontent-length:%u\r\n\r\n",
             size);
    s->len = 0;
    send_segment(s, TCP_ACK, head, strlen(head), 0);
    for (uint32_t at = 0; at < size; at += 1024)
        send_segment(s, TCP_ACK, (uint8_t *)words + at, 1024, 0);
    receive(s);
}

static const char *reason(const struct server *s)
{
    return (const char *)&s->report.word[TM_HTTP_REASON];
}

static void expect(struct server *s, unsigned right, unsigned wrong,
                   const char *why)
{
    assert_true(s->reported);
    assert_int_equal(s->report.command, TM_NET_HTTP | TM_NET_REPLY);
    assert_int_equal(s->report.count, right);
    assert_int_equal(s->report.length, wrong);
    if (!strstr(reason(s), why) || (!*why && *reason(s)))
        fail_msg("not \"%s\": %s", why, reason(s));
    net_peer_reset(&s->peer);
}

static struct server server;

static void test_right_answers(void **state)
{
    struct server *s = &server;
    uint64_t digest = 0;

    (void)state;
    ask(s, 3, 1 | 1 << 16);
    for (uint32_t r = 0; r < 3; r++) {
        char wanted[32];

        assert_false(s->reported);
        snprintf(wanted, sizeof(wanted), "GET /f%02u HTTP/1.1\r\n",
                 tm_http_file(r));
        assert_ptr_equal(strstr(s->request, wanted), s->request);
        answer_file(s, tm_http_file(r), -1);
        digest += tm_http_digest(r, 200, tm_http_size(tm_http_file(r)),
                                 tm_http_word(tm_http_file(r), 0));
    }
    assert_true(s->report.word[0] == digest);
    assert_int_equal(s->report.word[2], 1); /* one connection for all */
    expect(s, 3, 0, "");
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    ask(&server, 0, 1 | 1 << 16);
    expect(&server, 0, 0, "");
    ask(&server, 5, 0);
    expect(&server, 0, 0, "can't open");
    ask(&server, 5, (TM_HTTP_CONNECTIONS + 1) | 1 << 16);
    expect(&server, 0, 0, "can't open");
}

/* The answer is wrong, the next request comes all the same. */
static void test_wrong_answers(void **state)
{
    struct server *s = &server;

    (void)state;
    ask(s, 2, 1 | 1 << 16);
    answer_file(s, tm_http_file(0), 100);
    assert_false(s->reported);
    answer_file(s, tm_http_file(1), -1);
    expect(s, 1, 1, "request 0: the answer holds something else");

    ask(s, 1, 1 | 1 << 16);
    answer(s, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
    expect(s, 0, 1, "another status");

    ask(s, 1, 1 | 1 << 16);
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    expect(s, 0, 1, "another length");

    ask(s, 1, 1 | 1 << 16);
    answer(s, "HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 2\r\n"
              "\r\nno");
    expect(s, 0, 1, "another status");
}

/* Nothing that comes afterwards can be trusted. */
static void test_broken_protocol(void **state)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\n\r\n";
    struct server *s = &server;
    char noise[600];

    (void)state;
    memset(noise, 'x', sizeof(noise));
    noise[sizeof(noise) - 1] = '\0';

    ask(s, 9, 4 | 1 << 16);
    answer(s, ok);
    expect(s, 0, 1, "no HTTP/1.1 status line");

    ask(s, 9, 4 | 1 << 16);
    answer(s, noise);
    expect(s, 0, 1, "has no end");

    ask(s, 1, 1 | 1 << 16);
    answer(s, "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n");
    send_segment(s, TCP_ACK, (uint8_t[1025]){0}, 1025, 0);
    receive(s);
    expect(s, 0, 1, "longer than it said");

    ask(s, 9, 4 | 1 << 16);
    send_segment(s, TCP_ACK, ok, 10, 1);
    receive(s);
    expect(s, 0, 1, "a wrong TCP checksum");

    ask(s, 9, 4 | 1 << 16);
    s->sequence++;
    answer(s, ok);
    expect(s, 0, 1, "isn't the next");

    ask(s, 9, 4 | 1 << 16);
    s->expected += 5;
    answer(s, ok);
    expect(s, 0, 1, "never sent");

    ask(s, 9, 4 | 1 << 16);
    send_segment(s, TCP_RST | TCP_ACK, NULL, 0, 0);
    receive(s);
    expect(s, 0, 1, "reset");

    ask(s, 9, 4 | 1 << 16);
    send_segment(s, TCP_FIN | TCP_ACK, NULL, 0, 0);
    receive(s);
    expect(s, 0, 1, "too early");
}

/* The last request of a connection's life says close; the next one is another
 * connection's. */
static void test_a_connections_life(void **state)
{
    struct server *s = &server;
    uint32_t r;

    (void)state;
    ask(s, TM_HTTP_LIFE + 1, 1 | 1 << 16);
    for (r = 0; r < TM_HTTP_LIFE; r++) {
        const bool last = r == TM_HTTP_LIFE - 1;

        assert_true(last == !!strstr(s->request, "Connection: close\r\n"));
        if (tm_http_kind(r, 0) == TM_HTTP_GET) {
            answer_file(s, tm_http_file(r), -1);
            continue;
        }
        if (tm_http_kind(r, 0) == TM_HTTP_HEAD) {
            char head[64];

            snprintf(head, sizeof(head),
                     "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n",
                     tm_http_size(tm_http_file(r)));
            answer(s, head);
            continue;
        }
        answer(s, last ? "HTTP/1.1 404 No\r\nConnection: close\r\n"
                         "Content-Length: 2\r\n\r\nno"
                       : "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno");
    }
    assert_false(s->reported);
    assert_false(s->ended);
    send_segment(s, TCP_FIN | TCP_ACK, NULL, 0, 0);
    receive(s);
    assert_true(s->ended);
    send_segment(s, TCP_ACK, NULL, 0, 0);
    receive(s); /* a SYN, and its answer, and the request */
    assert_int_equal(strncmp(s->request, "GET ", 4), 0);
    answer_file(s, tm_http_file(r), -1);
    assert_int_equal(s->report.word[2], 2);
    expect(s, TM_HTTP_LIFE + 1, 0, "");
}

/* Segments with a few bytes changed, half of them with checksums that are right
 * again: whatever the peer makes of them, it goes on, and says so at the end.
 */
static void test_noise(void **state)
{
    struct server *s = &server;
    uint32_t random = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct inet_headers *h;
        uint8_t frame[TM_NET_FRAME_MAX] = {0};
        uint32_t len;

        if (round % 16 == 0)
            ask(s, 2, 2 | 2 << 16);
        s->sequence = 0;
        h = (struct inet_headers *)frame;
        put_headers(s, h, TCP_ACK, random % 200);
        for (unsigned i = 0; i < 4; i++) {
            random = random * 1664525 + 1013904223;
            frame[14 + (random >> 8) % 60] = random >> 16;
        }
        len = inet_get16(h->length);
        if (round & 1 && len >= 40 && len <= 1500) {
            inet_put16(h->ip_checksum, 0);
            inet_put16(h->ip_checksum, ~ones(frame + 14, 20, 0));
            inet_put16(h->checksum, 0);
            inet_put16(h->checksum,
                       ~ones(frame + 34, len - 20,
                             ones(frame + 26, 8, INET_TCP + len - 20)));
        }
        net_peer_take(&s->peer, frame, 60 + random % 1455);
        receive(s);
    }
    assert_true(s->reported);
    expect(s, 0, s->report.length, "request ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_answers),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_wrong_answers),
        cmocka_unit_test(test_broken_protocol),
        cmocka_unit_test(test_a_connections_life),
        cmocka_unit_test(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
