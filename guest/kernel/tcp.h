/* What the two halves of TCP share: sockets (tcp.c) and segments. */
#ifndef TM_KERNEL_TCP_H
#define TM_KERNEL_TCP_H

#include "../abi/inet.h"
#include "../abi/net.h"
#include "kernel.h"

enum tcp_state {
    TCP_CLOSED,
    TCP_LISTEN,
    TCP_SYN_RCVD,
    TCP_ESTABLISHED,
    TCP_CLOSE_WAIT, /* the peer has ended */
    TCP_LAST_ACK,   /* and so have we */
    TCP_FIN_WAIT_1, /* we have ended */
    TCP_FIN_WAIT_2, /* and the peer knows */
    TCP_CLOSING     /* both have ended, neither knew */
};

struct sock {
    enum tcp_state state;
    unsigned holders; /* processes */
    bool unaccepted;  /* established, and waits for tcp_accept */
    bool reset;
    bool waited;      /* somebody sleeps on it */
    uint64_t arrival; /* of unaccepted ones: their order */

    uint8_t peer_mac[6];
    uint16_t port, peer_port, mss;
    uint32_t peer_ip;
    uint32_t sent, acknowledged; /* next to send; oldest not acknowledged */
    uint32_t window;             /* the peer's, from `acknowledged` on */
    uint32_t expected;           /* next to receive */
    unsigned owed;               /* segments that we have not acknowledged */

    /* What came and was not read: a ring of a page. */
    uint64_t page;
    uint32_t head, tail;
};

/* ---- tcp.c -------------------------------------------------------------- */

/* The connection between these, or NULL. */
struct sock *tcp_find(uint32_t peer_ip, unsigned peer_port, unsigned port);
struct sock *tcp_find_listener(unsigned port);
/* A closed one with a page, or NULL. */
struct sock *tcp_new(void);
/* Something happened that somebody may wait for. */
void tcp_wake(struct sock *s);

/* ---- tcp_segment.c ------------------------------------------------------ */

/* A frame from the driver; of any contents. */
void tcp_input(const uint8_t *frame, uint32_t len);
/* Completes and posts a segment whose len bytes of data are in place. */
void tcp_output(struct sock *s, struct net_buffer *b, unsigned flags,
                uint32_t len);
/* A segment without data, and the notification. */
void tcp_control(struct sock *s, unsigned flags);
void tcp_acknowledge(struct sock *s);
/* Sends a reset; the connection is closed. */
void tcp_abort(struct sock *s);

#endif
