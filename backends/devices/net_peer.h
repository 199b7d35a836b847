/* The other end of the virtual cable: a load generator. See guest/abi/net.h. */
#ifndef TM_NET_PEER_H
#define TM_NET_PEER_H

#include "guest/abi/net.h"
#include "peer_http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_PEER_BACKLOG 64 /* answers that wait for a receive buffer */

struct net_peer {
    uint32_t poll_us; /* what the last POLL asked for */

    /* Answers not yet taken: a ring. */
    struct {
        uint32_t len;
        uint8_t bytes[TM_NET_FRAME_MAX];
    } answer[NET_PEER_BACKLOG];
    unsigned first, waiting;
    uint64_t dropped; /* answers that found the ring full */

    /* The stream under way; it goes out when no answer waits. */
    struct tm_net_frame stream;
    uint32_t left, next;

    /* SINK frames since the last REPORT. */
    uint32_t frames, bytes;
    uint64_t sum;

    struct peer_http http;
};

/* As when the cable was plugged in; the memory was zeroed before the first
 * time, and afterwards holds nothing that is to be freed. */
void net_peer_reset(struct net_peer *p);

/* A frame from the guest, of any contents; len is at most TM_NET_FRAME_MAX. */
void net_peer_take(struct net_peer *p, const void *frame, uint32_t len);

/* Is there a frame for the guest? Then net_peer_give() writes it and returns
 * its length. */
bool net_peer_ready(const struct net_peer *p);
uint32_t net_peer_give(struct net_peer *p, uint8_t frame[TM_NET_FRAME_MAX]);

#endif
