/* The network peer as HTTP/1.1 client; the protocol is in guest/abi/net.h. */
#ifndef TM_PEER_HTTP_H
#define TM_PEER_HTTP_H

#include "peer_tcp.h"

#define PEER_HTTP_HEAD 512 /* longest head of an answer */
#define PEER_HTTP_REASON 80

/* What a connection is about. */
struct peer_exchange {
    struct peer_tcp tcp;
    unsigned made; /* requests, so far */
    bool waiting;  /* for an answer */
    bool closing;  /* it said close; the guest must end it */
    bool queued;   /* in `due` */

    uint32_t request; /* its number */
    enum tm_http_kind kind;
    char head[PEER_HTTP_HEAD];
    uint32_t head_len;
    bool in_body;
    uint32_t status, content_length, body; /* body: bytes that have come */
    uint64_t first;
    bool wrong;
};

/* Numbers of connections, in order. */
struct peer_queue {
    uint8_t entry[TM_HTTP_CONNECTIONS];
    unsigned first, count;
};

struct peer_http {
    struct tm_net_frame command;
    bool active; /* the command is not yet answered */
    uint32_t asked, limit, at_once, flags;
    uint32_t issued, waiting, right, wrong;
    uint64_t digest, bytes, opened;
    uint16_t port;
    char reason[PEER_HTTP_REASON];

    struct peer_exchange conn[TM_HTTP_CONNECTIONS];
    struct peer_queue idle, due;
    uint8_t *file[TM_HTTP_FILES]; /* what they must hold; NULL: not made yet */
};

/* Zeroed memory is a client without connections. reset: as when the cable was
 * plugged in; it also frees. */
void peer_http_reset(struct peer_http *p);

/* A TM_NET_HTTP command. One that comes while another is under way is ignored.
 */
void peer_http_start(struct peer_http *p, const struct tm_net_frame *command);
/* An IPv4 frame. */
void peer_http_take(struct peer_http *p, const uint8_t *frame, uint32_t len);
/* True, once: the command has come to its end; *answer is to be sent. */
bool peer_http_done(struct peer_http *p, struct tm_net_frame *answer);

/* Whether there is a segment to send, and that segment: its frame's length. */
bool peer_http_ready(const struct peer_http *p);
uint32_t peer_http_give(struct peer_http *p, uint8_t frame[TM_NET_FRAME_MAX]);

#endif
