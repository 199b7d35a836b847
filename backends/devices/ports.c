/* Devices of one port: POST diagnostics, debug exit, doorbell, PM timer. */
#include "devices.h"
#include "guest/abi/abi.h"

/* ---- POST: a latch ------------------------------------------------------- */

struct post {
    struct device dev;
    uint8_t value;
};

static uint64_t post_read(struct device *d, uint16_t port, unsigned size)
{
    (void)port, (void)size;
    return ((struct post *)d)->value;
}

static void post_write(struct device *d, uint16_t port, unsigned size,
                       uint64_t v)
{
    (void)port, (void)size;
    ((struct post *)d)->value = v;
}

const struct device_class device_post = {
    .name = "post",
    .size = sizeof(struct post),
    .io = {{TM_PORT_POST, 1}},
    .io_width = 1,
    .io_read = post_read,
    .io_write = post_write,
};

/* ---- Debug exit: any write ends the machine ------------------------------ */

static void exit_write(struct device *d, uint16_t port, unsigned size,
                       uint64_t v)
{
    (void)port, (void)size;
    d->board->host->power_off(d->board->opaque, v);
}

const struct device_class device_exit = {
    .name = "exit",
    .size = sizeof(struct device),
    .io = {{TM_PORT_EXIT, 1}},
    .io_width = 4,
    .io_write = exit_write,
};

/* ---- Doorbell ------------------------------------------------------------ */

static void doorbell_write(struct device *d, uint16_t port, unsigned size,
                           uint64_t v)
{
    (void)port, (void)size;
    d->board->host->doorbell(d->board->opaque, v);
}

const struct device_class device_doorbell = {
    .name = "doorbell",
    .size = sizeof(struct device),
    .io = {{TM_PORT_DOORBELL, 1}},
    .io_width = 4,
    .io_write = doorbell_write,
};

/* ---- ACPI PM timer: 24 bits at 3.579545 MHz of guest time ---------------- */

#define PMTIMER_PORT 0x608
#define PMTIMER_HZ 3579545

static uint64_t pmtimer_read(struct device *d, uint16_t port, unsigned size)
{
    uint64_t v = board_periods(d->board, board_now(d->board), PMTIMER_HZ);

    (void)size;
    return (v & 0xffffff) >> 8 * (port - PMTIMER_PORT);
}

const struct device_class device_pmtimer = {
    .name = "pmtimer",
    .size = sizeof(struct device),
    .io = {{PMTIMER_PORT, 4}},
    .io_width = 4,
    .io_read = pmtimer_read,
};
