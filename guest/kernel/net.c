/* The virtio-net driver: frames for raw receivers and for IP, interrupt-driven.
 */
#include "kernel.h"
#include "virtio.h"
#include "../abi/inet.h"

#define ID_NET 1
#define RX 0
#define TX 1

/* Frame i of a queue is descriptors 2i (the header) and 2i + 1 (the frame):
 * the legacy interface wants them apart. Each has half a page. */
#define FRAMES (VIRTQ_SIZE / 2)
#define BUFFER_SIZE (PAGE_SIZE / 2)
#define FRAME_OFFSET 16
#define FRAME_MAX 1514
#define HEADER_LEN(modern) ((modern) ? 12u : 10u)

/* Until the device is told about buffers that became free. */
#define REFILL_BATCH (FRAMES / 2)

static enum { UNKNOWN, ABSENT, READY } presence;

static struct net {
    struct virtio_device dev;
    struct virtio_queue *queue[2];
    uint8_t *buffer[2][FRAMES];
    uint16_t seen[2];        /* used entries taken */
    uint8_t idle_tx[FRAMES]; /* frames that are not with the device: a stack */
    unsigned idle;
    uint8_t
        sent[FRAMES]; /* the others, in the order of their posting: a ring */
    unsigned sent_first, sent_end;
    unsigned untold; /* receive buffers posted since the last notification */
    bool eager;      /* NET_EAGER */
    bool awaited[2]; /* somebody sleeps until there is a completion */
    void (*ip)(const uint8_t *frame, uint32_t len);
    /* Frames that came and that a raw receiver has not taken yet: a ring. */
    struct {
        uint8_t buffer;
        uint16_t len;
    } raw[FRAMES];
    unsigned first, waiting;
} net;

static bool has(uint64_t feature)
{
    return net.dev.features & feature;
}

static void wake(unsigned which)
{
    if (net.awaited[which])
        proc_wake(&net.queue[which]);
    net.awaited[which] = false;
}

/* With the event index: at the next completion, or so late that it never comes
 * to that. Look at the used ring once more before sleeping. */
static void want_interrupts(unsigned which, bool on)
{
    struct virtio_queue *q = net.queue[which];

    if (has(VIRTIO_F_EVENT_IDX))
        virtio_interrupt_at(q, (uint16_t)(q->used.idx + (on ? 0 : 0x7fff)));
    else
        virtio_want_interrupts(q, on);
}

/* With IP there is no interrupt again until net_idle: whoever works on frames
 * looks by himself when he has done. */
static void interrupt(void)
{
    virtio_ack(&net.dev);
    want_interrupts(RX, net.eager);
    want_interrupts(TX, net.eager);
    wake(TX);
    if (net.ip)
        net_poll();
    else
        wake(RX);
}

static bool setup_buffers(unsigned which)
{
    struct virtio_queue *q = virtio_queue(&net.dev, which);
    uint16_t dir = which == RX ? DESC_WRITE : 0;
    uint64_t pa = 0;

    if (!q)
        return false;
    net.queue[which] = q;
    for (unsigned i = 0; i < FRAMES; i++) {
        pa = i % 2 ? pa + BUFFER_SIZE : page_alloc_zero();
        if (!pa)
            return false;
        net.buffer[which][i] = phys_to_virt(pa);
        q->desc[2 * i] =
            (struct vring_desc){pa, HEADER_LEN(net.dev.modern), DESC_NEXT | dir,
                                (uint16_t)(2 * i + 1)};
        q->desc[2 * i + 1] =
            (struct vring_desc){pa + FRAME_OFFSET, FRAME_MAX, dir, 0};
    }
    return true;
}

/* On first use: a boot that needs no network does not pay for it. */
static void probe(void)
{
    presence = ABSENT;
    if (!virtio_find(&net.dev, ID_NET, interrupt) ||
        !virtio_negotiate(&net.dev, VIRTIO_F_EVENT_IDX | VIRTIO_F_IN_ORDER) ||
        !setup_buffers(RX) || !setup_buffers(TX))
        return;
    for (unsigned i = 0; i < FRAMES; i++) {
        virtio_post(net.queue[RX], (uint16_t)(2 * i));
        net.idle_tx[net.idle++] = (uint8_t)i;
    }
    virtio_start(&net.dev);
    virtio_notify(&net.dev, net.queue[RX], RX);
    presence = READY;
    net_set_mode(0);
}

int net_probe(void)
{
    if (presence == UNKNOWN)
        probe();
    return presence == READY ? 0 : -TM_ENODEV;
}

void net_address(uint8_t mac[6])
{
    for (unsigned i = 0; i < 6; i++)
        mac[i] = virtio_config8(&net.dev, i);
}

void net_set_mode(unsigned mode)
{
    net.eager = mode & NET_EAGER;
    want_interrupts(RX, net.eager);
    want_interrupts(TX, net.eager);
}

static bool completed(unsigned which)
{
    return net.queue[which]->used.idx != net.seen[which];
}

/* Sleeps until an interrupt or the deadline, unless there is a completion. */
static void await(unsigned which, uint64_t deadline)
{
    want_interrupts(which, true);
    /* Interrupts are off, so the completion can't slip in before the sleep. */
    if (!completed(which)) {
        net.awaited[which] = true;
        proc_sleep(&net.queue[which], deadline);
    }
    want_interrupts(which, net.eager);
}

/* ---- Sending ------------------------------------------------------------ */

static void take_back(unsigned i)
{
    net.idle_tx[net.idle++] = (uint8_t)i;
    net.seen[TX]++;
}

/* Takes back what the device has sent. In order, one used entry stands for all
 * frames up to its own. */
static void reap(void)
{
    const struct virtio_queue *q = net.queue[TX];

    while (completed(TX) && net.idle < FRAMES) {
        unsigned id = q->used.ring[net.seen[TX] % VIRTQ_SIZE].id / 2 % FRAMES;
        unsigned i = id;

        do {
            if (has(VIRTIO_F_IN_ORDER))
                i = net.sent[net.sent_first++ % FRAMES];
            take_back(i);
        } while (i != id && net.idle < FRAMES);
    }
}

bool net_take(struct net_buffer *b, unsigned spare)
{
    reap();
    if (net.idle <= spare)
        return false;
    b->index = net.idle_tx[--net.idle];
    b->frame = net.buffer[TX][b->index] + FRAME_OFFSET;
    return true;
}

void net_wait_taken(void)
{
    net_kick();
    await(TX, 0);
}

void net_give_back(const struct net_buffer *b)
{
    net.idle_tx[net.idle++] = b->index;
}

void net_post(const struct net_buffer *b, uint32_t len)
{
    net.queue[TX]->desc[2 * b->index + 1].len = len;
    net.sent[net.sent_end++ % FRAMES] = b->index;
    virtio_post(net.queue[TX], (uint16_t)(2 * b->index));
}

void net_kick(void)
{
    virtio_notify(&net.dev, net.queue[TX], TX);
}

int64_t net_send(uint64_t user, uint64_t len)
{
    struct net_buffer b;
    int err;

    if (len > FRAME_MAX)
        return -TM_E2BIG;
    while (!net_take(&b, 0))
        await(TX, 0);
    err = copy_from_user(b.frame, user, len);
    if (err) {
        net_give_back(&b);
        return err;
    }
    net_post(&b, (uint32_t)len);
    net_kick();
    return (int64_t)len;
}

/* ---- Receiving ---------------------------------------------------------- */

static void tell_refilled(void)
{
    if (net.untold)
        virtio_notify(&net.dev, net.queue[RX], RX);
    net.untold = 0;
}

static void refill(unsigned i)
{
    virtio_post(net.queue[RX], (uint16_t)(2 * i));
    net.untold++;
    if (net.eager || net.untold >= REFILL_BATCH)
        tell_refilled();
}

/* Raw frames that nobody takes must leave buffers for IP. */
static bool keep_raw(unsigned i, uint32_t len)
{
    unsigned at = (net.first + net.waiting) % FRAMES;

    if (net.waiting == (net.ip ? FRAMES / 4 : FRAMES))
        return false;
    net.raw[at].buffer = (uint8_t)i;
    net.raw[at].len = (uint16_t)len;
    net.waiting++;
    return true;
}

static void arrive(unsigned i, uint32_t len)
{
    const uint8_t *frame = net.buffer[RX][i] + FRAME_OFFSET;
    bool ip = len >= INET_ETHERNET && inet_get16(frame + 12) == TM_ETHERTYPE_IP;

    if (!ip && keep_raw(i, len)) {
        if (net.ip)
            wake(RX);
        return;
    }
    if (ip && net.ip)
        net.ip(frame, len);
    refill(i);
}

void net_poll(void)
{
    struct virtio_queue *q = net.queue[RX];
    uint32_t header = HEADER_LEN(net.dev.modern);

    while (completed(RX)) {
        unsigned entry = net.seen[RX]++ % VIRTQ_SIZE;
        uint32_t len = q->used.ring[entry].len;

        len = len > header ? len - header : 0;
        arrive(q->used.ring[entry].id / 2 % FRAMES,
               len < FRAME_MAX ? len : FRAME_MAX);
    }
}

bool net_idle(void)
{
    if (!net.ip)
        return false;
    tell_refilled();
    want_interrupts(RX, true);
    if (!completed(RX))
        return false;
    want_interrupts(RX, net.eager);
    net_poll();
    return true;
}

void net_set_ip(void (*ip)(const uint8_t *frame, uint32_t len))
{
    net.ip = ip;
}

int64_t net_receive(uint64_t user, uint64_t size, uint64_t timeout_us)
{
    uint64_t deadline = timeout_us ? rdtsc() + us_to_ticks(timeout_us) : 0;
    uint32_t len;
    unsigned i;
    int err;

    for (net_poll(); !net.waiting; net_poll()) {
        if (deadline && rdtsc() >= deadline)
            return -TM_ETIMEDOUT;
        tell_refilled();
        await(RX, deadline);
    }
    i = net.raw[net.first].buffer;
    len = net.raw[net.first].len;
    net.first = (net.first + 1) % FRAMES;
    net.waiting--;
    err = copy_to_user(user, net.buffer[RX][i] + FRAME_OFFSET,
                       len < size ? len : size);
    refill(i);
    return err ? err : (int64_t)len;
}
