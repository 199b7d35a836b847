/* virtio-net: one pair of queues and the peer behind them (virtio 1.2, 5.1). */
#include "net_peer.h"
#include "virtio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET_ID 1

#define NET_F_MAC (1ull << 5)

enum { NET_RX, NET_TX };

/* Before each frame. We negotiate nothing that gives it a meaning, but for
 * num_buffers, which is always 1. */
struct net_header {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
_Static_assert(sizeof(struct net_header) == 12, "virtio_net_hdr");

struct net {
    uint64_t poll_at; /* guest time of the next look; UINT64_MAX: not polling */
    struct net_peer peer;
};

static void net_reset(struct virtio_slot *s)
{
    struct net *n = s->state;

    n->poll_at = UINT64_MAX;
    net_peer_reset(&n->peer);
}

static int net_create(struct virtio_slot *s, char why[REASON_MAX])
{
    s->state = calloc(1, sizeof(struct net));
    if (!s->state) {
        snprintf(why, REASON_MAX, "out of memory for the network");
        return -ENOMEM;
    }
    net_reset(s);
    return 0;
}

static void net_destroy(struct virtio_slot *s)
{
    net_reset(s);
    free(s->state);
}

static uint64_t net_features(struct virtio_slot *s)
{
    (void)s;
    return NET_F_MAC | VIRTIO_F_RING;
}

static void net_config(struct virtio_slot *s, void *to)
{
    static const uint8_t mac[6] = TM_NET_MAC;

    (void)s;
    memcpy(to, mac, sizeof(mac));
}

/* One frame out. */
static int64_t net_serve(struct virtio_slot *s, unsigned queue,
                         const struct virtq_chain *c, const char **why)
{
    struct net *n = s->state;
    uint8_t frame[TM_NET_FRAME_MAX];
    uint64_t len;

    (void)queue;
    if (c->readable_len < sizeof(struct net_header)) {
        *why = "a frame without a header";
        return -EINVAL;
    }
    len = c->readable_len - sizeof(struct net_header);
    if (len > sizeof(frame)) {
        *why = "a frame longer than Ethernet's";
        return -EINVAL;
    }
    virtq_read(c, sizeof(struct net_header), frame, len);
    net_peer_take(&n->peer, frame, len);
    return 0;
}

/* What the peer has, into what the driver made available. */
static void net_deliver(struct virtio_slot *s)
{
    static const struct net_header header = {.num_buffers = 1};
    struct net *n = s->state;
    struct virtq_chain chain;
    uint8_t frame[TM_NET_FRAME_MAX];
    bool pushed = false;

    while (net_peer_ready(&n->peer) && virtio_pop(s, NET_RX, &chain) > 0) {
        uint32_t len;

        if (chain.writable_len < sizeof(header) + sizeof(frame)) {
            virtio_break(s, "a receive buffer shorter than a frame");
            break;
        }
        len = net_peer_give(&n->peer, frame);
        virtq_write(&chain, 0, &header, sizeof(header));
        virtq_write(&chain, sizeof(header), frame, len);
        virtio_push(s, NET_RX, &chain, sizeof(header) + len);
        virtio_publish(s, NET_RX);
        pushed = true;
    }
    if (pushed)
        virtio_signal(s, NET_RX);
    /* New buffers matter only while frames wait for them. */
    virtio_suppress(s, NET_RX, !net_peer_ready(&n->peer));
}

/* The vCPU stands still meanwhile: nothing comes between the last look at the
 * queue and the word that notifications are wanted again. */
static void net_transmit(struct virtio_slot *s, uint64_t now)
{
    struct net *n = s->state;
    unsigned served = virtio_serve(s, NET_TX);
    const uint64_t before = n->poll_at;

    n->poll_at = UINT64_MAX;
    if (served && n->peer.poll_us)
        n->poll_at = now + board_ticks(s->board, n->peer.poll_us, 1000000);
    virtio_suppress(s, NET_TX, n->poll_at != UINT64_MAX);
    net_deliver(s);
    if (n->poll_at != before)
        board_rearm(s->board);
}

static void net_notify(struct virtio_slot *s, unsigned queue)
{
    if (queue == NET_RX)
        net_deliver(s);
    else
        net_transmit(s, board_now(s->board));
}

static uint64_t net_deadline(struct virtio_slot *s)
{
    return ((struct net *)s->state)->poll_at;
}

const struct virtio_class virtio_net = {
    .id = NET_ID,
    .queues = 2,
    .create = net_create,
    .destroy = net_destroy,
    .features = net_features,
    .config = net_config,
    .serve = net_serve,
    .reset = net_reset,
    .notify = net_notify,
    .deadline = net_deadline,
    .expire = net_transmit,
};
