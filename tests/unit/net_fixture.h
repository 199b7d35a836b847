/* A small driver of virtio-net, and commands for its peer. */
#ifndef TM_TEST_NET_FIXTURE_H
#define TM_TEST_NET_FIXTURE_H

#include "virtio_fixture.h"

#include "guest/abi/net.h"

#define RX 0u
#define TX 1u
#define HEADER 12u
#define STRIDE 0x800u /* from a buffer to the next */

#define NO_INTERRUPT 1
#define NO_NOTIFY 1

static inline int setup(void **state)
{
    return virtio_setup(state, 1, 2);
}

/* n receive buffers, each in two pieces, from the next free ones on. */
static inline void give_buffers(struct fixture *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned at = avail(f, RX)[1] % (NUM / 2);

        desc(f, RX)[2 * at] =
            (struct desc){DATA(RX) + at * STRIDE, 20, NEXT | WRITE, 2 * at + 1};
        desc(f, RX)[2 * at + 1] =
            (struct desc){DATA(RX) + at * STRIDE + 20, 1600, WRITE, 0};
        make_available(f, RX, 2 * at);
    }
}

/* Puts a frame of len bytes into the transmit queue, cut after `cut` bytes of
 * header and frame together; no notification. */
static inline void post(struct fixture *f, const struct tm_net_frame *frame,
                        uint32_t len, uint32_t cut)
{
    unsigned at = avail(f, TX)[1] % (NUM / 2);
    uint32_t addr = DATA(TX) + at * STRIDE;

    memset(f->ram.host + addr, 0, STRIDE);
    memcpy(f->ram.host + addr + HEADER, frame,
           len < sizeof(*frame) ? len : sizeof(*frame));
    desc(f, TX)[2 * at] = (struct desc){addr, cut, NEXT, 2 * at + 1};
    desc(f, TX)[2 * at + 1] =
        (struct desc){addr + cut, HEADER + len - cut, 0, 0};
    make_available(f, TX, 2 * at);
}

static inline struct tm_net_frame command(uint16_t number)
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

static inline void send(struct fixture *f, const struct tm_net_frame *frame,
                        uint32_t len)
{
    post(f, frame, len, HEADER);
    notify(f, TX);
}

/* The next frame received: its length, or 0. */
static inline uint32_t receive(struct fixture *f, struct tm_net_frame *frame)
{
    uint16_t *u = used(f, RX);
    uint32_t entry[2], at;

    if (u[1] == taken)
        return 0;
    memcpy(entry, (uint8_t *)u + 4 + 8 * (taken++ % NUM), 8);
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

/* The peer counts what it swallows, and says so. */
static inline void check_sink_and_report(struct fixture *f)
{
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

#endif
