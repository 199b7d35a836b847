/* virtio-net and its peer: round trips, streams, polling, drivers that lie. */
#include "board_fixture.h"

#include "backends/devices/lapic.h"
#include "backends/devices/virtq.h"
#include "guest/abi/abi.h"
#include "guest/abi/net.h"

#define SLOT 1
#define BASE (TM_VIRTIO_GPA + SLOT * TM_VIRTIO_STEP)
#define VECTOR 0x66
#define NUM 32u
#define RX 0u
#define TX 1u
#define HEADER 12u
#define BACKLOG 64u /* answers the peer keeps */

/* Rings and buffers of queue q. */
#define DESC(q) (0x10000u + 0x10000u * (q))
#define AVAIL(q) (DESC(q) + 0x4000u)
#define USED(q) (DESC(q) + 0x8000u)
#define DATA(q) (0x100000u + 0x100000u * (q))
#define STRIDE 0x800u

#define NEXT 1
#define WRITE 2
#define NEEDS_RESET 0x40
#define NO_INTERRUPT 1
#define NO_NOTIFY 1

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

static const struct device_class *const table[] = {
    &device_lapic, &device_ioapic, &device_virtio, NULL};

static uint16_t seen[2]; /* used entries looked at */

static uint32_t reg(struct fixture *f, unsigned r)
{
    return mmio_r(f, BASE + r);
}

static void set(struct fixture *f, unsigned r, uint32_t v)
{
    mmio_w(f, BASE + r, v);
}

static struct desc *desc_of(struct fixture *f, unsigned q, unsigned i)
{
    return (struct desc *)(f->ram.host + DESC(q)) + i;
}

static uint16_t *avail(struct fixture *f, unsigned q)
{
    return (uint16_t *)(f->ram.host + AVAIL(q));
}

static uint16_t *used(struct fixture *f, unsigned q)
{
    return (uint16_t *)(f->ram.host + USED(q));
}

static void notify(struct fixture *f, unsigned q)
{
    set(f, 0x50, q);
}

static void make_available(struct fixture *f, unsigned q, uint16_t head)
{
    uint16_t *a = avail(f, q);

    a[2 + a[1] % NUM] = head;
    a[1]++;
}

static void start_with(struct fixture *f, uint64_t features)
{
    set(f, 0x70, 0);
    set(f, 0x70, 3);
    set(f, 0x24, 1);
    set(f, 0x20, features >> 32 | 1); /* VERSION_1 */
    set(f, 0x24, 0);
    set(f, 0x20, features);
    set(f, 0x70, 11);
    assert_int_equal(reg(f, 0x70), 11);
    for (unsigned q = RX; q <= TX; q++) {
        memset(f->ram.host + DESC(q), 0, 0x10000);
        set(f, 0x30, q);
        assert_int_equal(reg(f, 0x34), VIRTQ_MAX);
        set(f, 0x38, NUM);
        set(f, 0x80, DESC(q));
        set(f, 0x90, AVAIL(q));
        set(f, 0xa0, USED(q));
        set(f, 0x44, 1);
        seen[q] = 0;
    }
    set(f, 0x70, 15);
}

static void start(struct fixture *f)
{
    start_with(f, 0);
}

static int setup(void **state)
{
    static struct fixture f;

    fixture_open(&f, table);
    mmio_w(&f, TM_LAPIC_GPA + LAPIC_SVR * 16, 0x1ff);
    mmio_w(&f, TM_IOAPIC_GPA, 0x10 + 2 * (TM_VIRTIO_IRQ + SLOT));
    mmio_w(&f, TM_IOAPIC_GPA + 0x10, VECTOR);
    start(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

/* ---- A small driver --------------------------------------------------------
 */

/* n receive buffers, each in two pieces, from the next free ones on. */
static void give_buffers(struct fixture *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned at = avail(f, RX)[1] % (NUM / 2);

        *desc_of(f, RX, 2 * at) =
            (struct desc){DATA(RX) + at * STRIDE, 20, NEXT | WRITE, 2 * at + 1};
        *desc_of(f, RX, 2 * at + 1) =
            (struct desc){DATA(RX) + at * STRIDE + 20, 1600, WRITE, 0};
        make_available(f, RX, 2 * at);
    }
}

/* Puts a frame of len bytes into the transmit queue, cut after `cut` bytes of
 * header and frame together; no notification. */
static void post(struct fixture *f, const struct tm_net_frame *frame,
                 uint32_t len, uint32_t cut)
{
    unsigned at = avail(f, TX)[1] % (NUM / 2);
    uint32_t addr = DATA(TX) + at * STRIDE;

    memset(f->ram.host + addr, 0, STRIDE);
    memcpy(f->ram.host + addr + HEADER, frame,
           len < sizeof(*frame) ? len : sizeof(*frame));
    *desc_of(f, TX, 2 * at) = (struct desc){addr, cut, NEXT, 2 * at + 1};
    *desc_of(f, TX, 2 * at + 1) =
        (struct desc){addr + cut, HEADER + len - cut, 0, 0};
    make_available(f, TX, 2 * at);
}

static struct tm_net_frame command(uint16_t number)
{
    struct tm_net_frame f = {
        .to = {2, 0, 0, 0, 0, 2},
        .from = {2, 0, 0, 0, 0, 1},
        .ethertype = {0x88, 0xb5},
        .command = number,
        .sequence = 77,
    };

    for (unsigned w = 0; w < sizeof(f.word) / 8; w++)
        f.word[w] = 0x0101010101010101ull * (w + 3);
    return f;
}

static void send(struct fixture *f, const struct tm_net_frame *frame,
                 uint32_t len)
{
    post(f, frame, len, HEADER);
    notify(f, TX);
}

/* The next frame received: its length, or 0. */
static uint32_t receive(struct fixture *f, struct tm_net_frame *frame)
{
    uint16_t *u = used(f, RX);
    uint32_t entry[2], at;

    if (u[1] == seen[RX])
        return 0;
    memcpy(entry, (uint8_t *)u + 4 + 8 * (seen[RX]++ % NUM), 8);
    at = DATA(RX) + entry[0] / 2 * STRIDE;
    assert_in_range(entry[1], HEADER + TM_NET_FRAME_MIN,
                    HEADER + TM_NET_FRAME_MAX);
    /* No flags, no offload, one buffer. */
    for (unsigned i = 0; i < HEADER; i++)
        assert_int_equal(f->ram.host[at + i], i == 10);
    memset(frame, 0, sizeof(*frame));
    memcpy(frame, f->ram.host + at + HEADER, sizeof(*frame));
    return entry[1] - HEADER;
}

/* ---- What the device is -----------------------------------------------------
 */

static void test_identity(void **state)
{
    static const uint8_t mac[6] = TM_NET_MAC;
    struct fixture *f = *state;

    assert_int_equal(reg(f, 0x08), 1);
    /* MAC; indirect tables, event index; in order */
    assert_int_equal(reg(f, 0x10), 1 << 5 | 1 << 28 | 1 << 29);
    set(f, 0x14, 1);
    assert_int_equal(reg(f, 0x10), 1 | 1 << 3);
    set(f, 0x14, 0);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(board_mmio_read(&f->board, BASE + 0x100 + i, 1),
                         mac[i]);
    set(f, 0x30, 2);
    assert_int_equal(reg(f, 0x34), 0); /* no third queue */
}

/* ---- Commands ---------------------------------------------------------------
 */

static void test_echo(void **state)
{
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_ECHO), in;
    unsigned round = 0;

    for (uint32_t len = TM_NET_FRAME_MIN; len <= TM_NET_FRAME_MAX; len += 7) {
        give_buffers(f, 1);
        out.sequence = len;
        /* Any cut will do, through the header as well. */
        post(f, &out, len, 1 + round++ * 13 % (HEADER + len - 1));
        notify(f, TX);
        assert_int_equal(receive(f, &in), len);
        assert_int_equal(in.command, TM_NET_ECHO | TM_NET_REPLY);
        assert_int_equal(in.sequence, len);
        assert_memory_equal(in.to, out.from, 6);
        assert_memory_equal(in.from, out.to, 6);
        assert_memory_equal(in.word, out.word, (len - 32) / 8 * 8);
        assert_int_equal(receive(f, &in), 0);
        assert_int_equal(used(f, TX)[1], round);
    }
}

static void test_interrupts(void **state)
{
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_ECHO);

    give_buffers(f, 4);
    send(f, &out, 64);
    assert_int_equal(reg(f, 0x60), 1);
    assert_true(f->attention);
    assert_int_equal(fixture_ack(f), VECTOR);
    mmio_w(f, TM_LAPIC_GPA + LAPIC_EOI * 16, 0);
    set(f, 0x64, 1);
    assert_int_equal(reg(f, 0x60), 0);
    /* Neither queue wants any; then one does. */
    avail(f, RX)[0] = avail(f, TX)[0] = NO_INTERRUPT;
    send(f, &out, 64);
    assert_int_equal(used(f, RX)[1], 2);
    assert_int_equal(reg(f, 0x60), 0);
    avail(f, RX)[0] = 0;
    send(f, &out, 64);
    assert_int_equal(reg(f, 0x60), 1);
    set(f, 0x64, 1);
    avail(f, RX)[0] = NO_INTERRUPT;
    avail(f, TX)[0] = 0;
    send(f, &out, 64);
    assert_int_equal(reg(f, 0x60), 1);
}

/* In order, frames that went out together are one used entry, while each that
 * came in has its own, for its length; and interrupts come at the index that
 * the driver named. */
static void test_in_order(void **state)
{
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_SINK), in;

    start_with(f, 1ull << 35 | 1 << 29);
    avail(f, TX)[2 + NUM] = 5; /* at the sixth */
    avail(f, RX)[2 + NUM] = 2; /* at the third */
    for (unsigned i = 0; i < 5; i++)
        post(f, &out, 64, HEADER);
    notify(f, TX);
    assert_int_equal(used(f, TX)[1], 5);
    assert_int_equal(used(f, TX)[2], 4 * 2);       /* the last one's head */
    assert_int_equal(used(f, TX)[2 + 4], 0);       /* and nothing behind it */
    assert_int_equal(used(f, TX)[2 + 4 * NUM], 5); /* tell me of the sixth */
    assert_int_equal(reg(f, 0x60), 0);
    send(f, &out, 64);
    assert_int_equal(used(f, TX)[2 + 4 * 5], 5 * 2);
    assert_int_equal(reg(f, 0x60), 1);
    set(f, 0x64, 1);

    give_buffers(f, 6);
    out = command(TM_NET_ECHO);
    for (unsigned i = 0; i < 6; i++) {
        out.sequence = i;
        send(f, &out, 64 + 8 * i);
        assert_int_equal(receive(f, &in), 64 + 8 * i);
        assert_int_equal(in.sequence, i);
        assert_int_equal(reg(f, 0x60), i == 2);
        set(f, 0x64, 1);
    }
    /* The same, all at once. */
    give_buffers(f, 6);
    avail(f, RX)[2 + NUM] = 8;
    for (unsigned i = 0; i < 6; i++) {
        out.sequence = i;
        post(f, &out, 64 + 8 * i, HEADER);
    }
    notify(f, TX);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(receive(f, &in), 64 + 8 * i);
        assert_int_equal(in.sequence, i);
    }
    assert_int_equal(reg(f, 0x60), 1);
}

static void check_streamed(const struct tm_net_frame *in, uint32_t sequence,
                           uint32_t len)
{
    uint64_t first = (sequence + 1) * 0x9e3779b97f4a7c15ull;

    assert_int_equal(in->command, TM_NET_STREAM | TM_NET_REPLY);
    assert_int_equal(in->sequence, sequence);
    for (uint32_t w = 0; w < (len - 32) / 8; w++)
        assert_true(in->word[w] == first + w);
}

/* Five buffers at a time for 23 frames: what waits, waits for buffers, and says
 * so. */
static void test_stream(void **state)
{
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_STREAM), in;
    uint32_t next = 0;

    out.count = 23;
    out.length = 1499;
    give_buffers(f, 5);
    notify(f, RX);
    assert_int_equal(used(f, RX)[0], NO_NOTIFY); /* nobody waits for buffers */
    send(f, &out, 60);
    while (next < 23) {
        unsigned batch = 23 - next < 5 ? 23 - next : 5;

        for (unsigned i = 0; i < batch; i++) {
            assert_int_equal(receive(f, &in), 1499);
            check_streamed(&in, next++, 1499);
        }
        assert_int_equal(receive(f, &in), 0);
        assert_int_equal(used(f, RX)[0], next < 23 ? 0 : NO_NOTIFY);
        give_buffers(f, 5);
        notify(f, RX);
    }
    assert_int_equal(receive(f, &in), 0);
}

static void test_stream_of_impossible_frames(void **state)
{
    static const uint32_t lengths[] = {0, 31, 59, 1515, 0xffffffff};
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_STREAM), in;

    give_buffers(f, 8);
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        out.count = 3;
        out.length = lengths[i];
        send(f, &out, 60);
        assert_int_equal(receive(f, &in), 0);
    }
    out.length = 60;
    send(f, &out, 60);
    assert_int_equal(receive(f, &in), 60);
}

static void test_sink_and_report(void **state)
{
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_SINK), in;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < 100; i++) {
        send(f, &out, 64 + i);
        for (uint32_t w = 0; w < (64 + i - 32) / 8; w++)
            sum += out.word[w];
    }
    assert_int_equal(used(f, RX)[1], 0);
    give_buffers(f, 2);
    out.command = TM_NET_REPORT;
    send(f, &out, 60);
    assert_int_equal(receive(f, &in), 60);
    assert_int_equal(in.command, TM_NET_REPORT | TM_NET_REPLY);
    assert_int_equal(in.count, 100);
    assert_int_equal(in.length, 64 * 100 + 99 * 100 / 2);
    assert_true(in.word[0] == sum);
    /* The next one begins anew. */
    send(f, &out, 60);
    assert_int_equal(receive(f, &in), 60);
    assert_int_equal(in.count, 0);
    assert_true(in.word[0] == 0);
}

static void test_what_the_peer_ignores(void **state)
{
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_ECHO), in;

    give_buffers(f, 8);
    out.ethertype[0] = 8; /* IPv4 */
    send(f, &out, 60);
    out = command(TM_NET_ECHO | TM_NET_REPLY);
    send(f, &out, 60);
    out = command(0);
    send(f, &out, 60);
    out = command(TM_NET_ECHO);
    send(f, &out, 59);
    send(f, &out, 0);
    assert_int_equal(receive(f, &in), 0);
    assert_int_equal(used(f, TX)[1], 5);
    assert_int_equal(reg(f, 0x70), 15);
}

static void test_answers_wait_for_buffers(void **state)
{
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_ECHO), in;
    uint32_t got = 0;

    for (uint32_t i = 0; i < BACKLOG + 10; i++) {
        out.sequence = i;
        send(f, &out, 60);
    }
    while (got < BACKLOG) {
        give_buffers(f, 8);
        notify(f, RX);
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(receive(f, &in), 60);
            assert_int_equal(in.sequence, got++);
        }
    }
    give_buffers(f, 8);
    notify(f, RX);
    assert_int_equal(receive(f, &in), 0); /* the last ten were dropped */
}

/* ---- Polling ----------------------------------------------------------------
 */

#define US (FIXTURE_TSC_KHZ / 1000)

static void start_polling(struct fixture *f, uint32_t us)
{
    struct tm_net_frame out = command(TM_NET_POLL);

    out.count = us;
    send(f, &out, 60);
}

static void test_polling(void **state)
{
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_ECHO), in;

    give_buffers(f, 8);
    assert_int_equal(used(f, TX)[0], 0);
    start_polling(f, 20);
    assert_int_equal(used(f, TX)[0], NO_NOTIFY);
    assert_true(f->deadline == f->now + 20 * US);
    /* Found without a notification, but not before it is time. */
    post(f, &out, 60, HEADER);
    fixture_advance(f, 20 * US - 1);
    assert_int_equal(receive(f, &in), 0);
    fixture_advance(f, 1);
    assert_int_equal(receive(f, &in), 60);
    assert_int_equal(used(f, TX)[0], NO_NOTIFY);
    /* It found something, so it looks again; then it asks for notifications. */
    fixture_advance(f, 20 * US);
    assert_int_equal(used(f, TX)[0], 0);
    assert_true(f->deadline == UINT64_MAX);
    post(f, &out, 60, HEADER);
    fixture_advance(f, 1000 * US);
    assert_int_equal(receive(f, &in), 0);
    notify(f, TX);
    assert_int_equal(receive(f, &in), 60);
    assert_true(f->deadline != UINT64_MAX);
    start_polling(f, 0);
    assert_int_equal(used(f, TX)[0], 0);
    assert_true(f->deadline == UINT64_MAX);
}

static void test_reset_ends_everything(void **state)
{
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_STREAM), in;

    start_polling(f, 20);
    out.count = 1000;
    out.length = 60;
    send(f, &out, 60);
    out = command(TM_NET_SINK);
    send(f, &out, 60);
    start(f);
    give_buffers(f, 4);
    notify(f, RX);
    fixture_advance(f, 100 * US);
    assert_int_equal(receive(f, &in), 0);
    assert_int_equal(used(f, TX)[0], 0);
    out = command(TM_NET_REPORT);
    send(f, &out, 60);
    assert_int_equal(receive(f, &in), 60);
    assert_int_equal(in.count, 0);
}

/* ---- Drivers that lie
 * -------------------------------------------------------- */

/* The device has stopped; a reset helps. */
static void check_stopped(struct fixture *f)
{
    struct tm_net_frame out = command(TM_NET_ECHO), in;
    uint16_t before;

    assert_int_equal(reg(f, 0x70), 15 | NEEDS_RESET);
    before = used(f, TX)[1];
    send(f, &out, 60);
    assert_int_equal(used(f, TX)[1], before);
    start(f);
    give_buffers(f, 1);
    send(f, &out, 60);
    assert_int_equal(receive(f, &in), 60);
    assert_int_equal(reg(f, 0x70), 15);
}

static void test_bad_transmit_chains(void **state)
{
    static const struct desc rows[] = {
        {DATA(TX), HEADER - 1, 0, 0},                    /* half a header */
        {DATA(TX), 0, 0, 0},                             /* nothing */
        {DATA(TX), HEADER + TM_NET_FRAME_MAX + 1, 0, 0}, /* too long */
        {DATA(TX), 0xffffffff, 0, 0},                    /* past RAM */
        {FIXTURE_RAM - 4, 64, 0, 0},                     /* across its end */
        {0xfffffffffffffff0, 64, 0, 0},                  /* wraps */
        {DATA(TX), 64, NEXT, 0},                         /* a loop */
        {DATA(TX), 64, NEXT, NUM},                       /* no such one */
        {DATA(TX), 64, WRITE, 0},                        /* nothing to read */
        {DATA(TX), 64, 4, 0},                            /* indirect */
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        *desc_of(f, TX, 0) = rows[i];
        make_available(f, TX, 0);
        notify(f, TX);
        check_stopped(f);
    }
}

static void test_bad_receive_chains(void **state)
{
    static const struct desc rows[] = {
        {DATA(RX), HEADER + TM_NET_FRAME_MAX - 1, WRITE, 0}, /* too short */
        {DATA(RX), 0, WRITE, 0},
        {DATA(RX), STRIDE, 0, 0}, /* not to be written */
        {FIXTURE_RAM - 4, STRIDE, WRITE, 0},
        {DATA(RX), 64, NEXT | WRITE, 0},
        {DATA(RX), 64, NEXT | WRITE, NUM + 9},
    };
    struct fixture *f = *state;
    struct tm_net_frame out = command(TM_NET_ECHO);

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        *desc_of(f, RX, 0) = rows[i];
        make_available(f, RX, 0);
        notify(f, RX);
        /* Looked at when there is something to receive. */
        assert_int_equal(reg(f, 0x70), 15);
        send(f, &out, 60);
        check_stopped(f);
    }
}

static uint64_t rng(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* Rings full of anything, frames of anything: nothing outside RAM is touched,
 * and a reset always helps. */
static void test_noise(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 0x746d;
    unsigned stopped = 0;

    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned q = RX; q <= TX; q++) {
            for (unsigned i = 0; i < NUM; i++) {
                uint64_t r = rng(&seed);

                *desc_of(f, q, i) = (struct desc){
                    .addr = r % 64 ? r >> 8 & (FIXTURE_RAM / 2 - 1) : r,
                    .len = r % 61 ? r >> 40 & 0x7ff : r >> 20,
                    .flags = (q == RX ? WRITE : 0) | (r % 3 ? 0 : NEXT) |
                             (r % 97 ? 0 : 7),
                    .next = r % 89 ? r >> 32 & (NUM - 1) : r >> 48,
                };
            }
            make_available(f, q, rng(&seed) % NUM);
        }
        /* And now and then a frame that means something. */
        post(f,
             &(struct tm_net_frame){.ethertype = {0x88, 0xb5},
                                    .command = rng(&seed) % 8,
                                    .count = rng(&seed) % 40,
                                    .length = rng(&seed) % 1600},
             60 + rng(&seed) % 1000, HEADER);
        notify(f, rng(&seed) % 4);
        notify(f, TX);
        if (f->deadline != UINT64_MAX && round % 2)
            fixture_advance(f, f->deadline - f->now);
        if (reg(f, 0x70) & NEEDS_RESET) {
            stopped++;
            start(f);
        }
    }
    assert_in_range(stopped, 100, 3000);
    start(f);
    test_sink_and_report(state);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_identity),
        TEST(test_echo),
        TEST(test_interrupts),
        TEST(test_in_order),
        TEST(test_stream),
        TEST(test_stream_of_impossible_frames),
        TEST(test_sink_and_report),
        TEST(test_what_the_peer_ignores),
        TEST(test_answers_wait_for_buffers),
        TEST(test_polling),
        TEST(test_reset_ends_everything),
        TEST(test_bad_transmit_chains),
        TEST(test_bad_receive_chains),
        TEST(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
