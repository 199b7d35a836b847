/* virtio-net: its identity, interrupts and order, and drivers that lie. */
#include "net_fixture.h"

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
        assert_int_equal(board_mmio_read(&f->board, device + 0x100 + i, 1),
                         mac[i]);
    set(f, 0x30, 2);
    assert_int_equal(reg(f, 0x34), 0); /* no third queue */
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

    start_with(f, IN_ORDER | EVENT_IDX);
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

/* ---- Drivers that lie ---------------------------------------------------- */

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
        {DATA(TX), 64, TABLE, 0},                        /* indirect */
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        desc(f, TX)[0] = rows[i];
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
        desc(f, RX)[0] = rows[i];
        make_available(f, RX, 0);
        notify(f, RX);
        /* Looked at when there is something to receive. */
        assert_int_equal(reg(f, 0x70), 15);
        send(f, &out, 60);
        check_stopped(f);
    }
}

/* Rings full of anything, frames of anything: nothing outside RAM is touched,
 * and a reset always helps. */
static void test_noise(void **state)
{
    struct fixture *f = *state;
    unsigned stopped = 0;

    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned q = RX; q <= TX; q++) {
            for (unsigned i = 0; i < NUM; i++) {
                uint64_t r = rng();

                desc(f, q)[i] = (struct desc){
                    .addr = r % 64 ? r >> 8 & (FIXTURE_RAM / 2 - 1) : r,
                    .len = r % 61 ? r >> 40 & 0x7ff : r >> 20,
                    .flags = (q == RX ? WRITE : 0) | (r % 3 ? 0 : NEXT) |
                             (r % 97 ? 0 : 7),
                    .next = r % 89 ? r >> 32 & (NUM - 1) : r >> 48,
                };
            }
            make_available(f, q, rng() % NUM);
        }
        /* And now and then a frame that means something. */
        post(f,
             &(struct tm_net_frame){.ethertype = {0x88, 0xb5},
                                    .command = rng() % 8,
                                    .count = rng() % 40,
                                    .length = rng() % 1600},
             60 + rng() % 1000, HEADER);
        notify(f, rng() % 4);
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
    check_sink_and_report(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_identity),           TEST(test_interrupts),
        TEST(test_in_order),           TEST(test_bad_transmit_chains),
        TEST(test_bad_receive_chains), TEST(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
