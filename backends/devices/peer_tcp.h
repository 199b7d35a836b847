/* One TCP connection of the network peer: the client's side, without timers. */
#ifndef TM_PEER_TCP_H
#define TM_PEER_TCP_H

#include "guest/abi/inet.h"
#include "guest/abi/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_TCP_OUT 512 /* longest thing to say at once */

enum peer_tcp_state {
    PEER_TCP_CLOSED,
    PEER_TCP_OPENING, /* SYN sent, or to be sent */
    PEER_TCP_OPEN,
    PEER_TCP_ENDING /* the guest has ended, and so have we */
};

struct peer_tcp {
    enum peer_tcp_state state;
    uint16_t port;
    uint32_t sequence, acknowledged; /* next to send; what the guest has */
    uint32_t window, expected;
    bool syn_due, ack_due, fin_due;
    /* To be said: `out_sent` of `out_len` bytes have been; those from out_split
     * on only when the guest has acknowledged the ones before. */
    uint8_t out[PEER_TCP_OUT];
    uint32_t out_len, out_sent, out_split;
};

/* A segment from the guest. */
struct peer_segment {
    uint16_t port; /* ours */
    uint32_t sequence, acknowledged, window, len;
    unsigned flags;
    const uint8_t *data;
};

/* Takes a frame apart. NULL, or what is wrong with it. */
const char *peer_tcp_parse(const uint8_t *frame, uint32_t len,
                           struct peer_segment *g);

/* c was closed: it will open from that port. */
void peer_tcp_open(struct peer_tcp *c, uint16_t port);
/* Nothing is being said; text is no longer than PEER_TCP_OUT. split: see above;
 * len for none. */
void peer_tcp_say(struct peer_tcp *c, const void *text, uint32_t len,
                  uint32_t split);
/* g is for c. NULL, or what is wrong with it; g->data is the next of the
 * stream. *ended: the guest has ended the connection. */
const char *peer_tcp_take(struct peer_tcp *c, const struct peer_segment *g,
                          bool *ended);
/* Whether there is a segment to send, and that segment: its frame's length. */
bool peer_tcp_due(const struct peer_tcp *c);
uint32_t peer_tcp_give(struct peer_tcp *c, uint8_t frame[TM_NET_FRAME_MAX]);

#endif
