/* Byte channels between processes: a page of buffer each, blocking ends. */
#include "kernel.h"

/* A channel is one number for both directions of use. Who holds it is a bit in
 * struct proc, so a fork is one assignment. */
struct pipe {
    uint64_t pa;             /* the buffer; 0: the channel doesn't exist */
    uint64_t head, tail;     /* bytes ever read and written */
    unsigned holders;        /* processes */
    char readable, writable; /* only their addresses count: to sleep on */
};

static struct pipe pipes[PIPE_MAX];
_Static_assert(PIPE_MAX == 8 * sizeof(current->pipes), "a bit for each");

static struct pipe *held(uint64_t channel)
{
    if (channel >= PIPE_MAX || !(current->pipes >> channel & 1))
        return NULL;
    return &pipes[channel];
}

int pipe_open(void)
{
    for (int i = 0; i < PIPE_MAX; i++) {
        struct pipe *p = &pipes[i];

        if (p->pa)
            continue;
        p->pa = page_alloc();
        if (!p->pa)
            return -TM_ENOMEM;
        p->head = p->tail = 0;
        p->holders = 1;
        current->pipes |= 1ull << i;
        return i;
    }
    return -TM_EAGAIN;
}

static void let_go(struct pipe *p)
{
    if (!--p->holders) {
        page_unref(p->pa);
        p->pa = 0;
        return;
    }
    /* Whoever is left alone with it waits in vain. */
    proc_wake(&p->readable);
    proc_wake(&p->writable);
}

int pipe_close(uint64_t channel)
{
    struct pipe *p = held(channel);

    if (!p)
        return -TM_EBADF;
    current->pipes &= ~(1ull << channel);
    let_go(p);
    return 0;
}

void pipe_fork(struct proc *child)
{
    child->pipes = current->pipes;
    for (int i = 0; child->pipes && i < PIPE_MAX; i++)
        pipes[i].holders += child->pipes >> i & 1;
}

void pipe_drop(struct proc *p)
{
    for (int i = 0; p->pipes && i < PIPE_MAX; i++) {
        if (!(p->pipes >> i & 1))
            continue;
        p->pipes &= ~(1ull << i);
        let_go(&pipes[i]);
    }
}

/* The buffer at a position, and how much of n lies there in one piece. */
static void *piece(const struct pipe *p, uint64_t at, uint64_t *n)
{
    uint64_t offset = at % PAGE_SIZE;

    if (*n > PAGE_SIZE - offset)
        *n = PAGE_SIZE - offset;
    return (char *)phys_to_virt(p->pa) + offset;
}

int64_t pipe_read(uint64_t channel, uint64_t user, uint64_t len)
{
    struct pipe *p = held(channel);
    uint64_t done = 0;

    if (!p)
        return -TM_EBADF;
    while (len && p->head == p->tail) {
        if (p->holders == 1)
            return 0;
        proc_sleep(&p->readable, 0);
    }
    while (done < len && p->head != p->tail) {
        uint64_t n = p->tail - p->head;
        const void *from;
        int err;

        n = n < len - done ? n : len - done;
        from = piece(p, p->head, &n);
        err = copy_to_user(user + done, from, n);
        if (err)
            return done ? (int64_t)done : err;
        p->head += n;
        done += n;
    }
    proc_wake(&p->writable);
    return (int64_t)done;
}

int64_t pipe_write(uint64_t channel, uint64_t user, uint64_t len)
{
    struct pipe *p = held(channel);
    uint64_t done = 0;

    if (!p)
        return -TM_EBADF;
    while (done < len) {
        uint64_t n = PAGE_SIZE - (p->tail - p->head);
        void *to;
        int err;

        if (!n && p->holders == 1)
            return -TM_EPIPE;
        if (!n) {
            proc_sleep(&p->writable, 0);
            continue;
        }
        n = n < len - done ? n : len - done;
        to = piece(p, p->tail, &n);
        err = copy_from_user(to, user + done, n);
        if (err)
            return done ? (int64_t)done : err;
        p->tail += n;
        done += n;
        proc_wake(&p->readable);
    }
    return (int64_t)done;
}
