/* Frames to and from the VMM's load generator, each of them checked. */
#include "netload.h"
#include "../../guest/abi/net.h"
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

#define CHECKED 16 /* frames that go into a checksum */
#define ANSWER_US 1000000
#define POLL_US 20

static struct tm_net_frame out, in;
static const char *problem;

static void fail(const char *what)
{
    if (!problem)
        problem = what;
}

/* The frame that is sent again and again; only its number changes. */
static void prepare(uint16_t command, uint32_t len)
{
    tm_net_address(&out, command);
    out.sequence = out.count = out.length = 0;
    for (uint32_t w = 0; w < tm_net_words(len); w++)
        out.word[w] = tm_net_word(0, w);
}

static bool is_answer(int64_t len, uint16_t command, uint32_t wanted_len,
                      uint32_t sequence)
{
    return len == wanted_len && in.command == (command | TM_NET_REPLY) &&
           in.sequence == sequence;
}

static void send(uint32_t len)
{
    if (sys_net_send(&out, len) != len)
        fail("a frame could not be sent");
}

const char *netload_refuse(void)
{
    uint8_t mac[6];

    if (sys_net_info(mac) < 0)
        return "no virtio-net device";
    prepare(TM_NET_ECHO, TM_NET_FRAME_MIN);
    send(TM_NET_FRAME_MIN);
    if (!is_answer(sys_net_recv(&in, sizeof(in), ANSWER_US), TM_NET_ECHO,
                   TM_NET_FRAME_MIN, 0))
        return "no load generator answers behind the virtio-net device";
    return NULL;
}

const char *netload_verify(void)
{
    return problem;
}

const char *netload_eager(void)
{
    return sys_net_mode(NET_EAGER) < 0 ? "the network mode can't be set" : NULL;
}

const char *netload_polled(void)
{
    prepare(TM_NET_POLL, TM_NET_FRAME_MIN);
    out.count = POLL_US;
    send(TM_NET_FRAME_MIN);
    return problem;
}

/* First and last word: the rest was compared for the checksum. */
static bool ends_are(uint32_t len, uint32_t sequence)
{
    uint32_t last = tm_net_words(len) - 1;

    return in.word[0] == tm_net_word(sequence, 0) &&
           in.word[last] == tm_net_word(sequence, last);
}

static uint64_t digest(uint64_t sum, uint32_t len, uint32_t sequence)
{
    for (uint32_t w = 0; w < tm_net_words(len); w++) {
        if (in.word[w] != tm_net_word(sequence, w))
            fail("a frame does not hold what it must");
        sum = mix64(sum, in.word[w]);
    }
    return mix64(sum, in.sequence);
}

/* Of the frames that receive() gets; `numbered`: what they hold depends on
 * their number. */
static uint64_t digest_frames(void (*receive)(uint32_t sequence, uint32_t len),
                              uint32_t len, bool numbered)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < CHECKED && !problem; i++) {
        memset(&in, 0, sizeof(in));
        receive(i, len);
        sum = digest(sum, len, numbered ? i : 0);
    }
    return sum;
}

/* ---- Round trips --------------------------------------------------------- */

static void echo_one(uint32_t sequence, uint32_t len)
{
    out.sequence = sequence;
    send(len);
    if (!is_answer(sys_net_recv(&in, sizeof(in), 0), TM_NET_ECHO, len,
                   sequence) ||
        !ends_are(len, 0))
        fail("the echo is not what was sent");
}

void netload_echo(uint64_t n, uint32_t len)
{
    prepare(TM_NET_ECHO, len);
    for (uint64_t op = 0; op < n && !problem; op++)
        echo_one((uint32_t)op, len);
}

uint64_t netload_echo_checksum(uint32_t len)
{
    prepare(TM_NET_ECHO, len);
    return digest_frames(echo_one, len, false);
}

/* ---- Out ----------------------------------------------------------------- */

static uint64_t words_sum(uint32_t len)
{
    uint64_t sum = 0;

    for (uint32_t w = 0; w < tm_net_words(len); w++)
        sum += tm_net_word(0, w);
    return sum;
}

void netload_out(uint64_t n, uint32_t len)
{
    prepare(TM_NET_SINK, len);
    for (uint64_t op = 0; op < n && !problem; op++) {
        out.sequence = (uint32_t)op;
        send(len);
    }
    out.command = TM_NET_REPORT;
    out.sequence = 0;
    send(TM_NET_FRAME_MIN);
    if (problem)
        return;
    if (!is_answer(sys_net_recv(&in, sizeof(in), 0), TM_NET_REPORT,
                   TM_NET_FRAME_MIN, 0))
        fail("the peer's report did not come");
    else if (in.count != (uint32_t)n || in.length != (uint32_t)(n * len) ||
             in.word[0] != n * words_sum(len))
        fail("the peer did not get what was sent");
}

uint64_t netload_out_checksum(uint32_t len)
{
    netload_out(CHECKED, len);
    return mix64(mix64(in.count, in.length), in.word[0]);
}

/* ---- In ------------------------------------------------------------------ */

static void ask(uint64_t n, uint32_t len)
{
    prepare(TM_NET_STREAM, TM_NET_FRAME_MIN);
    out.count = (uint32_t)n;
    out.length = len;
    send(TM_NET_FRAME_MIN);
}

static void receive_one(uint32_t sequence, uint32_t len)
{
    if (!is_answer(sys_net_recv(&in, sizeof(in), 0), TM_NET_STREAM, len,
                   sequence) ||
        !ends_are(len, sequence))
        fail("a frame of the stream is wrong, or out of order");
}

void netload_in(uint64_t n, uint32_t len)
{
    ask(n, len);
    for (uint64_t op = 0; op < n && !problem; op++)
        receive_one((uint32_t)op, len);
}

uint64_t netload_in_checksum(uint32_t len)
{
    ask(CHECKED, len);
    return digest_frames(receive_one, len, true);
}
