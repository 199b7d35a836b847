/* A driver's side of a virtio-mmio device: its registers, rings in RAM. */
#ifndef TM_TEST_VIRTIO_FIXTURE_H
#define TM_TEST_VIRTIO_FIXTURE_H

#include "board_fixture.h"

#include "backends/devices/lapic.h"
#include "backends/devices/virtq.h"
#include "guest/abi/abi.h"

#define VECTOR 0x65
#define NUM 32u /* descriptors of a queue */

/* Rings and buffers of queue q. */
#define DESC(q) (0x10000u + 0x10000u * (q))
#define AVAIL(q) (DESC(q) + 0x4000u)
#define USED(q) (DESC(q) + 0x8000u)
#define DATA(q) (0x100000u + 0x100000u * (q))

#define NEXT 1
#define WRITE 2
#define TABLE 4 /* indirect */
#define NEEDS_RESET 0x40

#define INDIRECT (1ull << 28)
#define EVENT_IDX (1ull << 29)
#define IN_ORDER (1ull << 35)

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

static const struct device_class *const table[] = {
    &device_lapic, &device_ioapic, &device_virtio, NULL};

static gpa_t device;    /* its registers */
static unsigned queues; /* how many it has */
static uint16_t taken;  /* used entries of queue 0 taken */
static uint64_t rng_state;

static inline uint64_t rng(void)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return rng_state;
}

static inline uint32_t reg(struct fixture *f, unsigned r)
{
    return mmio_r(f, device + r);
}

static inline void set(struct fixture *f, unsigned r, uint32_t v)
{
    mmio_w(f, device + r, v);
}

static inline struct desc *desc(struct fixture *f, unsigned q)
{
    return (struct desc *)(f->ram.host + DESC(q));
}

static inline uint16_t *avail(struct fixture *f, unsigned q)
{
    return (uint16_t *)(f->ram.host + AVAIL(q));
}

static inline uint16_t *used(struct fixture *f, unsigned q)
{
    return (uint16_t *)(f->ram.host + USED(q));
}

static inline void notify(struct fixture *f, unsigned q)
{
    set(f, 0x50, q);
}

static inline void make_available(struct fixture *f, unsigned q, uint16_t head)
{
    uint16_t *a = avail(f, q);

    a[2 + a[1] % NUM] = head;
    a[1]++;
}

/* What a driver does before its first request. */
static inline void start_with(struct fixture *f, uint64_t features)
{
    taken = 0;
    set(f, 0x70, 0);
    set(f, 0x70, 1);
    set(f, 0x70, 3);
    set(f, 0x24, 1);
    set(f, 0x20, 1 | features >> 32); /* VERSION_1 */
    set(f, 0x24, 0);
    set(f, 0x20, features);
    set(f, 0x70, 11);
    assert_int_equal(reg(f, 0x70), 11);
    for (unsigned q = 0; q < queues; q++) {
        memset(f->ram.host + DESC(q), 0, 0x10000);
        set(f, 0x30, q);
        assert_int_equal(reg(f, 0x34), VIRTQ_MAX);
        set(f, 0x38, NUM);
        set(f, 0x80, DESC(q));
        set(f, 0x90, AVAIL(q));
        set(f, 0xa0, USED(q));
        set(f, 0x44, 1);
        assert_int_equal(reg(f, 0x44), 1);
    }
    set(f, 0x70, 15);
}

static inline void start(struct fixture *f)
{
    start_with(f, 0);
}

/* A board, its device in `slot` with `n` queues started; VECTOR is its
 * interrupt. */
static inline int virtio_setup(void **state, unsigned slot, unsigned n)
{
    static struct fixture f;

    rng_state = 0x746d;
    device = TM_VIRTIO_GPA + slot * TM_VIRTIO_STEP;
    queues = n;
    fixture_open(&f, table);
    mmio_w(&f, TM_LAPIC_GPA + LAPIC_SVR * 16, 0x1ff);
    mmio_w(&f, TM_IOAPIC_GPA, 0x10 + 2 * (TM_VIRTIO_IRQ + slot));
    mmio_w(&f, TM_IOAPIC_GPA + 0x10, VECTOR);
    start(&f);
    *state = &f;
    return 0;
}

static inline int teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
