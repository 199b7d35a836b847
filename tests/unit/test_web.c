/* The web servers, listened in on: every segment that the guest sends is taken
 * apart by code of the test's own, and its answers with it. */
#include "workload_fixture.h"

#include "backends/devices/peer_http.h"

#define PORTS 256
#define FIRST_PORT 49152
#define STREAM (2u << 20)
#define STRANGER 1000 /* a port that no connection comes from */

void __real_peer_http_take(struct peer_http *p, const uint8_t *frame,
                           uint32_t len);
uint32_t __real_peer_http_give(struct peer_http *p, uint8_t *frame);
void __wrap_peer_http_take(struct peer_http *p, const uint8_t *frame,
                           uint32_t len);
uint32_t __wrap_peer_http_give(struct peer_http *p, uint8_t *frame);

/* Both directions of a connection. */
struct stream {
    uint8_t *bytes;
    size_t len;
    uint32_t next; /* sequence number */
    bool begun, ended;
};

static struct wire {
    struct stream to[PORTS], from[PORTS];
    unsigned refused, segments, given, damaged;
    bool hostile;
} wire;

/* ---- An own reading of RFC 791 and 9293 --------------------------------- */

static unsigned half(const uint8_t *p)
{
    return p[0] * 256u + p[1];
}

static uint32_t word(const uint8_t *p)
{
    return half(p) * 65536u + half(p + 2);
}

static unsigned ones_sum(unsigned sum, const uint8_t *p, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        sum += i % 2 ? p[i] : p[i] * 256u;
        sum = sum % 65536 + sum / 65536;
    }
    return sum;
}

static void add(struct stream *s, uint32_t sequence, const uint8_t *data,
                size_t len)
{
    assert_true(s->begun && !s->ended);
    assert_int_equal(sequence, s->next);
    if (!s->bytes)
        s->bytes = malloc(STREAM);
    assert_true(s->len + len <= STREAM);
    memcpy(s->bytes + s->len, data, len);
    s->len += len;
    s->next += len;
}

static void listen_in(const uint8_t *frame, uint32_t len, bool from_guest)
{
    const uint8_t *ip = frame + 14, *tcp = ip + 20;
    unsigned total = half(ip + 2), flags = tcp[13], header = tcp[12] / 16 * 4;
    unsigned port = half(from_guest ? tcp + 2 : tcp), n = total - 20 - header;
    struct stream *s;

    assert_int_equal(half(frame + 12), 0x0800);
    assert_true(total >= 40 && total + 14 <= len && len <= 1514);
    assert_true(len == total + 14 || (len == 60 && total < 46));
    assert_int_equal(ip[0], 0x45);
    assert_int_equal(ip[9], 6);
    assert_int_equal(ones_sum(0, ip, 20), 0xffff);
    assert_int_equal(
        ones_sum(ones_sum(6 + total - 20, ip + 12, 8), tcp, total - 20),
        0xffff);
    if (port == STRANGER) {
        assert_true(flags & 4);
        wire.refused++;
        return;
    }
    assert_in_range(port, FIRST_PORT, FIRST_PORT + PORTS - 1);
    s = from_guest ? &wire.from[port - FIRST_PORT]
                   : &wire.to[port - FIRST_PORT];
    if (from_guest && !n && !(flags & 7)) {
        assert_int_equal(word(tcp + 4), s->next);
        return;
    }
    wire.segments++;
    if (flags & 4) { /* the end of the run */
        s->ended = true;
        return;
    }
    if (flags & 2) {
        *s = (struct stream){.next = word(tcp + 4) + 1, .begun = true};
        assert_int_equal(header, 24);
        assert_int_equal(word(tcp + 20), 0x02040000 + 1460);
        return;
    }
    add(s, word(tcp + 4), tcp + header, n);
    if (flags & 1) {
        s->ended = true;
        s->next++;
    }
}

void __wrap_peer_http_take(struct peer_http *p, const uint8_t *frame,
                           uint32_t len)
{
    unsigned refused = wire.refused;

    listen_in(frame, len, true);
    if (wire.refused == refused)
        __real_peer_http_take(p, frame, len);
}

/* ---- What the link never does, and a hostile peer may ------------------- */

static uint8_t last[TM_NET_FRAME_MAX];
static uint32_t last_len;

static void set_half(uint8_t *p, unsigned v)
{
    p[0] = v >> 8;
    p[1] = v & 255;
}

/* Makes the checksums right again. */
static void seal(uint8_t *frame)
{
    unsigned total = half(frame + 16);

    set_half(frame + 24, 0);
    set_half(frame + 24, 65535 - ones_sum(0, frame + 14, 20));
    set_half(frame + 50, 0);
    set_half(frame + 50,
             65535 - ones_sum(ones_sum(6 + total - 20, frame + 26, 8),
                              frame + 34, total - 20));
}

static uint32_t damage(uint8_t *frame)
{
    memcpy(frame, last, last_len);
    switch (wire.damaged++ % 8) {
    case 0: /* the same once more */
        break;
    case 1:
        frame[51] ^= 1; /* its checksum is wrong */
        break;
    case 2:
        set_half(frame + 34, STRANGER);
        frame[47] = 16; /* an ACK, out of nothing */
        seal(frame);
        break;
    case 3:
        set_half(frame + 16, 2000); /* longer than the frame */
        break;
    case 4:
        set_half(frame + 16, 30); /* shorter than its headers */
        break;
    case 5:
        frame[46] = 0xf0; /* options beyond its end */
        seal(frame);
        break;
    case 6:
        set_half(frame + 38, half(frame + 38) + 100); /* of the future */
        seal(frame);
        break;
    case 7: /* a reset that is out of its window */
        frame[47] = 4;
        set_half(frame + 38, half(frame + 38) + 3000);
        seal(frame);
        break;
    }
    return last_len;
}

uint32_t __wrap_peer_http_give(struct peer_http *p, uint8_t *frame)
{
    uint32_t len;

    if (wire.hostile && last_len && ++wire.given % 3 == 0)
        return damage(frame);
    len = __real_peer_http_give(p, frame);
    listen_in(frame, len, false);
    memcpy(last, frame, len);
    last_len = len;
    return len;
}

/* ---- An own reading of RFC 9112 ----------------------------------------- */

struct tally {
    unsigned answers, status[600];
    uint64_t bytes;
};

/* The next line, terminated, without its CRLF. */
static char *take_line(char **at)
{
    char *line = *at, *end = strstr(line, "\r\n");

    assert_non_null(end);
    *end = '\0';
    *at = end + 2;
    return line;
}

static void check_body(const char *target, const uint8_t *body, size_t len)
{
    unsigned file;

    assert_int_equal(sscanf(target, "/f%u", &file), 1);
    assert_true(file < TM_HTTP_FILES);
    assert_int_equal(len, tm_http_size(file));
    for (size_t w = 0; w < len / 8; w++) {
        uint64_t expected = tm_http_word(file, w);

        assert_memory_equal(body + 8 * w, &expected, 8);
    }
}

/* One request and its answer; both texts end in a NUL that isn't theirs. */
static void check_exchange(char **to, char **from, struct tally *t)
{
    char *request = take_line(to), *status_line = take_line(from), *line;
    char method[16] = "", target[64] = "", version[16] = "";
    int words = sscanf(request, "%15s %63s %15s", method, target, version);
    bool host = false, head = !strcmp(method, "HEAD");
    unsigned status = 0, expected = 200;
    long length = -1;

    while (*(line = take_line(to)))
        host |= !strncmp(line, "Host: ", 6);
    if (words < 3 || (!host && strcmp(version, "HTTP/1.0")))
        expected = 400;
    else if (!head && strcmp(method, "GET"))
        expected = 501;
    else if (strstr(target, "none"))
        expected = 404;
    assert_int_equal(sscanf(status_line, "HTTP/1.1 %u ", &status), 1);
    assert_int_equal(status, expected);
    while (*(line = take_line(from)))
        if (!strncmp(line, "Content-Length: ", 16))
            length = atol(line + 16);
    assert_true(length > 0);
    t->answers++;
    t->status[status]++;
    if (head)
        return;
    if (status == 200)
        check_body(target, (uint8_t *)*from, length);
    *from += length;
    t->bytes += length;
}

static void check_streams(struct tally *t)
{
    memset(t, 0, sizeof(*t));
    for (unsigned i = 0; i < PORTS; i++) {
        struct stream *to = &wire.to[i], *from = &wire.from[i];
        char *request = (char *)to->bytes, *answer = (char *)from->bytes;

        if (!to->len)
            continue;
        assert_true(to->len < STREAM && from->len < STREAM);
        to->bytes[to->len] = from->bytes[from->len] = '\0';
        while (request < (char *)to->bytes + to->len)
            check_exchange(&request, &answer, t);
        assert_ptr_equal(answer, from->bytes + from->len);
        assert_true(from->ended);
        free(to->bytes);
        free(from->bytes);
    }
    memset(&wire, 0, sizeof(wire));
}

/* ---- Runs --------------------------------------------------------------- */

static void boot(struct transcript *t, const char *bench)
{
    last_len = 0;
    transcript_run(t, bench, 600, NULL);
}

/* What the requests of the checksum must have been answered with. */
static uint64_t checksum(void)
{
    static const struct {
        unsigned status;
        const char *body;
    } answers[TM_HTTP_KINDS] = {{200, NULL},
                                {200, NULL},
                                {404, "404 Not Found"},
                                {200, NULL},
                                {200, NULL},
                                {200, NULL},
                                {501, "501 Not Implemented"},
                                {400, "400 Bad Request"},
                                {400, "400 Bad Request"}};
    uint64_t sum = 0, bytes = 0;

    for (uint32_t r = 0; r < 2 * TM_HTTP_KINDS; r++) {
        const char *body = answers[r % TM_HTTP_KINDS].body;
        unsigned file = r * 0x9e3779b97f4a7c15 >> 60;
        uint64_t length = body ? strlen(body) : tm_http_size(file), first = 0;

        if (body)
            memcpy(&first, body, 8);
        else if (r % TM_HTTP_KINDS != 1)
            first = tm_http_word(file, 0);
        sum +=
            tm_http_digest(r, answers[r % TM_HTTP_KINDS].status, length, first);
        bytes += r % TM_HTTP_KINDS == 1 ? 0 : length;
    }
    return fold(sum, bytes);
}

/* Warm-up and two batches of 600, and 18 for the checksum. */
static void check_run(struct transcript *run, const char *bench)
{
    struct tally t;

    boot(run, bench);
    check_streams(&t);
    assert_int_equal(t.answers, 3 * 600 + 18);
    assert_int_equal(t.status[400], 4);
    assert_int_equal(t.status[501], 2);
    assert_int_equal(t.status[404], 2 + 3 * (600 / 64));
    assert_checksum(run, checksum());
}

/* The paper's difference between Apache on Linux and on Windows. */
static void test_servers(void **state)
{
    struct transcript prefork, event;

    (void)state;
    check_run(&prefork, "web-prefork");
    check_run(&event, "web-event");
    assert_true(prefork.end.kernel.count[EV_CTX_SWITCH] * 10 >= 9 * 2 * 600);
    assert_true(prefork.end.kernel.count[EV_CTX_SWITCH] >=
                5 * event.end.kernel.count[EV_CTX_SWITCH]);
    /* Otherwise they do the same. */
    assert_true(prefork.end.kernel.count[EV_INSN_USER] * 10 <
                event.end.kernel.count[EV_INSN_USER] * 11);
}

/* Segments that must change nothing, between those that must arrive. */
static void test_hostile_segments(void **state)
{
    struct transcript run;
    struct tally t;

    (void)state;
    wire.hostile = true;
    boot(&run, "web-event");
    assert_true(wire.damaged > 500);
    assert_true(wire.refused >= wire.damaged / 8 - 1);
    check_streams(&t);
    assert_int_equal(t.answers, 3 * 600 + 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_hostile_segments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
