/* The virtio-net driver: raw Ethernet frames, interrupt-driven. */
#include "kernel.h"
#include "virtio.h"

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
    unsigned untold; /* receive buffers posted since the last notification */
    bool eager;      /* NET_EAGER */
} net;

static void interrupt(void)
{
    virtio_ack(&net.dev);
    if (!net.eager) {
        virtio_want_interrupts(net.queue[RX], false);
        virtio_want_interrupts(net.queue[TX], false);
    }
    proc_wake(&net);
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
        !virtio_negotiate(&net.dev, 0) || !setup_buffers(RX) || !setup_buffers(TX))
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
    virtio_want_interrupts(net.queue[RX], net.eager);
    virtio_want_interrupts(net.queue[TX], net.eager);
}

static bool completed(unsigned which)
{
    return net.queue[which]->used.idx != net.seen[which];
}

/* Sleeps until an interrupt or the deadline, unless there is a completion. */
static void await(unsigned which, uint64_t deadline)
{
    struct virtio_queue *q = net.queue[which];

    virtio_want_interrupts(q, true);
    /* Interrupts are off, so the completion can't slip in before the sleep. */
    if (!completed(which))
        proc_sleep(&net, deadline);
    virtio_want_interrupts(q, net.eager);
}

/* ---- Sending ------------------------------------------------------------ */

/* Takes back what the device has sent. */
static void reap(void)
{
    struct virtio_queue *q = net.queue[TX];

    while (completed(TX) && net.idle < FRAMES)
        net.idle_tx[net.idle++] =
            (uint8_t)(q->used.ring[net.seen[TX]++ % VIRTQ_SIZE].id / 2 %
                      FRAMES);
}

int64_t net_send(uint64_t user, uint64_t len)
{
    struct virtio_queue *q = net.queue[TX];
    unsigned i;
    int err;

    if (len > FRAME_MAX)
        return -TM_E2BIG;
    for (reap(); !net.idle; reap())
        await(TX, 0);
    i = net.idle_tx[--net.idle];
    err = copy_from_user(net.buffer[TX][i] + FRAME_OFFSET, user, len);
    if (err) {
        net.idle_tx[net.idle++] = (uint8_t)i;
        return err;
    }
    q->desc[2 * i + 1].len = (uint32_t)len;
    virtio_post(q, (uint16_t)(2 * i));
    virtio_notify(&net.dev, q, TX);
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

int64_t net_receive(uint64_t user, uint64_t size, uint64_t timeout_us)
{
    struct virtio_queue *q = net.queue[RX];
    uint64_t deadline = timeout_us ? rdtsc() + us_to_ticks(timeout_us) : 0;
    uint32_t header = HEADER_LEN(net.dev.modern), len;
    unsigned entry, i;
    int err;

    while (!completed(RX)) {
        if (deadline && rdtsc() >= deadline)
            return -TM_ETIMEDOUT;
        tell_refilled();
        await(RX, deadline);
    }
    entry = net.seen[RX]++ % VIRTQ_SIZE;
    i = q->used.ring[entry].id / 2 % FRAMES;
    len = q->used.ring[entry].len;
    len = len > header ? len - header : 0;
    len = len < FRAME_MAX ? len : FRAME_MAX;
    err = copy_to_user(user, net.buffer[RX][i] + FRAME_OFFSET,
                       len < size ? len : size);
    refill(i);
    return err ? err : (int64_t)len;
}
