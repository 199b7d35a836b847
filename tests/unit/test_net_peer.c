/* The network peer: its commands, what it ignores, and how it polls. */
#include "net_fixture.h"

/* ---- Commands ------------------------------------------------------------ */

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
    check_sink_and_report(*state);
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

#define BACKLOG 64u /* answers the peer keeps */

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

/* ---- Polling ------------------------------------------------------------- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_echo),
        TEST(test_stream),
        TEST(test_stream_of_impossible_frames),
        TEST(test_sink_and_report),
        TEST(test_what_the_peer_ignores),
        TEST(test_answers_wait_for_buffers),
        TEST(test_polling),
        TEST(test_reset_ends_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
