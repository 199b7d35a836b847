/* Sockets: the server's side of TCP, without timers (see abi/inet.h). */
#include "kernel.h"
#include "tcp.h"

static struct sock socks[TCP_SOCKETS];
_Static_assert(TCP_SOCKETS == 8 * sizeof(current->sockets), "a bit for each");

/* Their addresses count: processes sleep on them. */
static char any_socket;
static bool any_waited;

static struct sock *held(uint64_t number)
{
    if (number >= TCP_SOCKETS || !(current->sockets >> number & 1))
        return NULL;
    return &socks[number];
}

static unsigned number_of(const struct sock *s)
{
    return (unsigned)(s - socks);
}

struct sock *tcp_find(uint32_t peer_ip, unsigned peer_port, unsigned port)
{
    for (struct sock *s = socks; s < &socks[TCP_SOCKETS]; s++)
        if (s->peer_port == peer_port && s->port == port &&
            s->state > TCP_LISTEN && s->peer_ip == peer_ip)
            return s;
    return NULL;
}

struct sock *tcp_find_listener(unsigned port)
{
    for (struct sock *s = socks; s < &socks[TCP_SOCKETS]; s++)
        if (s->state == TCP_LISTEN && s->port == port)
            return s;
    return NULL;
}

struct sock *tcp_new(void)
{
    for (struct sock *s = socks; s < &socks[TCP_SOCKETS]; s++) {
        uint64_t page = s->page;

        if (s->state != TCP_CLOSED || s->holders)
            continue;
        if (!page) /* stays with the slot */
            page = page_alloc();
        if (!page)
            return NULL;
        memset(s, 0, sizeof(*s));
        s->page = page;
        return s;
    }
    return NULL;
}

void tcp_wake(struct sock *s)
{
    if (s->waited)
        proc_wake(s);
    s->waited = false;
    if (any_waited)
        proc_wake(&any_socket);
    any_waited = false;
}

/* Until tcp_wake, unless what came meanwhile was enough to call it. */
static void wait_for(struct sock *s)
{
    s->waited = true;
    proc_sleep(s, 0);
}

/* ---- Accepting ---------------------------------------------------------- */

int tcp_listen(uint64_t port)
{
    struct sock *s;

    if (!port || port > 0xffff)
        return -TM_EINVAL;
    if (tcp_find_listener((unsigned)port))
        return -TM_EADDRINUSE;
    s = tcp_new();
    if (!s)
        return -TM_ENOMEM;
    s->state = TCP_LISTEN;
    s->port = (uint16_t)port;
    s->holders = 1;
    current->sockets |= 1u << number_of(s);
    net_set_ip(tcp_input);
    return (int)number_of(s);
}

/* The connection that waits for longest. */
static struct sock *first_waiting(const struct sock *listener)
{
    struct sock *first = NULL;

    for (struct sock *s = socks; s < &socks[TCP_SOCKETS]; s++)
        if (s->unaccepted && s->port == listener->port &&
            (!first || s->arrival < first->arrival))
            first = s;
    return first;
}

int tcp_accept(uint64_t listener)
{
    struct sock *l = held(listener), *s;

    if (!l)
        return -TM_EBADF;
    if (l->state != TCP_LISTEN)
        return -TM_EINVAL;
    while (!(s = first_waiting(l))) {
        net_poll();
        if (!first_waiting(l))
            wait_for(l);
    }
    s->unaccepted = false;
    s->holders = 1;
    current->sockets |= 1u << number_of(s);
    return (int)number_of(s);
}

/* ---- Receiving ---------------------------------------------------------- */

/* The other side sends no more. */
static bool at_end(const struct sock *s)
{
    return s->state == TCP_CLOSED || s->state == TCP_CLOSE_WAIT ||
           s->state == TCP_LAST_ACK;
}

static bool can_go_on(const struct sock *s)
{
    if (s->state == TCP_LISTEN)
        return first_waiting(s);
    return s->head != s->tail || at_end(s);
}

static int64_t take_data(struct sock *s, uint64_t user, uint64_t len)
{
    uint32_t n = s->tail - s->head, done = 0;

    n = n < len ? n : (uint32_t)len;
    while (done < n) {
        uint32_t offset = (s->head + done) % PAGE_SIZE, piece = n - done;
        const char *from = (const char *)phys_to_virt(s->page) + offset;
        int err;

        piece = piece < PAGE_SIZE - offset ? piece : PAGE_SIZE - offset;
        err = copy_to_user(user + done, from, piece);
        if (err)
            return err;
        done += piece;
    }
    s->head += n;
    return n;
}

int64_t tcp_receive(uint64_t number, uint64_t user, uint64_t len)
{
    struct sock *s = held(number);

    if (!s)
        return -TM_EBADF;
    if (s->state == TCP_LISTEN)
        return -TM_EINVAL;
    while (len && !can_go_on(s)) {
        net_poll();
        if (can_go_on(s))
            break;
        /* Nothing will carry it for a while. */
        if (s->owed)
            tcp_acknowledge(s);
        wait_for(s);
    }
    if (s->head == s->tail && s->reset)
        return -TM_ECONNRESET;
    return take_data(s, user, len);
}

int64_t tcp_wait(uint64_t mask)
{
    mask &= current->sockets;
    if (!mask)
        return -TM_EBADF;
    for (;;) {
        uint32_t ready = 0;

        net_poll();
        for (uint64_t rest = mask; rest; rest &= rest - 1) {
            unsigned i = (unsigned)__builtin_ctzll(rest);

            if (can_go_on(&socks[i]))
                ready |= 1u << i;
        }
        if (ready)
            return ready;
        for (unsigned i = 0; i < TCP_SOCKETS; i++)
            if (mask >> i & 1 && socks[i].owed)
                tcp_acknowledge(&socks[i]);
        any_waited = true;
        proc_sleep(&any_socket, 0);
    }
}

/* ---- Sending ------------------------------------------------------------ */

/* Up to max bytes of the pieces from *at on, into a frame. */
static int gather(uint8_t *to, uint32_t max, const struct tcp_piece **piece,
                  uint64_t *at, const struct tcp_piece *end)
{
    uint32_t done = 0;

    while (done < max && *piece < end) {
        uint64_t n = (*piece)->len - *at;
        int err;

        n = n < max - done ? n : max - done;
        err = copy_from_user(to + done, (uint64_t)(*piece)->data + *at, n);
        if (err)
            return err;
        done += (uint32_t)n;
        *at += n;
        if (*at == (*piece)->len) {
            ++*piece;
            *at = 0;
        }
    }
    return (int)done;
}

static uint32_t window_room(const struct sock *s)
{
    uint32_t out = s->sent - s->acknowledged;

    return out < s->window ? s->window - out : 0;
}

int64_t tcp_send(uint64_t number, const struct tcp_piece *piece, unsigned n)
{
    const struct tcp_piece *end = piece + n;
    struct sock *s = held(number);
    uint64_t at = 0, left = 0;
    int64_t total;

    if (!s)
        return -TM_EBADF;
    for (unsigned i = 0; i < n; i++)
        left += piece[i].len;
    total = (int64_t)left;
    while (left) {
        uint32_t max = window_room(s);
        struct net_buffer b;
        int len;

        if (s->state != TCP_ESTABLISHED && s->state != TCP_CLOSE_WAIT)
            return s->reset ? -TM_ECONNRESET : -TM_EPIPE;
        if (!max) {
            net_kick();
            net_poll();
            if (!window_room(s) && s->state != TCP_CLOSED)
                wait_for(s);
            continue;
        }
        if (!net_take(&b, TCP_SOCKETS)) {
            net_wait_taken();
            continue;
        }
        max = max < s->mss ? max : s->mss;
        len = gather(b.frame + INET_HEADERS, max, &piece, &at, end);
        if (len < 0) {
            net_give_back(&b);
            net_kick();
            return len;
        }
        left -= (uint64_t)len;
        tcp_output(s, &b, TCP_ACK | (left ? 0 : TCP_PSH), (uint32_t)len);
    }
    net_kick();
    return total;
}

/* ---- Closing ------------------------------------------------------------ */

static void reset_waiting(const struct sock *listener)
{
    for (struct sock *s = socks; s < &socks[TCP_SOCKETS]; s++)
        if (s->port == listener->port && !s->holders && s->unaccepted)
            tcp_abort(s);
}

static void let_go(struct sock *s)
{
    if (--s->holders)
        return;
    switch (s->state) {
    case TCP_LISTEN:
        s->state = TCP_CLOSED;
        reset_waiting(s);
        break;
    case TCP_ESTABLISHED:
        s->state = TCP_FIN_WAIT_1;
        tcp_control(s, TCP_FIN | TCP_ACK);
        break;
    case TCP_CLOSE_WAIT:
        s->state = TCP_LAST_ACK;
        tcp_control(s, TCP_FIN | TCP_ACK);
        break;
    default:
        break;
    }
}

int tcp_close(uint64_t number)
{
    struct sock *s = held(number);

    if (!s)
        return -TM_EBADF;
    current->sockets &= ~(1u << number);
    let_go(s);
    return 0;
}

void tcp_fork(struct proc *child)
{
    child->sockets = current->sockets;
    for (uint32_t rest = child->sockets; rest; rest &= rest - 1)
        socks[__builtin_ctz(rest)].holders++;
}

void tcp_drop(struct proc *p)
{
    for (uint32_t rest = p->sockets; rest; rest &= rest - 1)
        let_go(&socks[__builtin_ctz(rest)]);
    p->sockets = 0;
}

void tcp_end(void)
{
    for (struct sock *s = socks; s < &socks[TCP_SOCKETS]; s++) {
        s->holders = 0;
        if (s->state > TCP_LISTEN)
            tcp_abort(s);
        s->state = TCP_CLOSED;
    }
    any_waited = false;
    net_set_ip(NULL);
}
