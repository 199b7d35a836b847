/* The 8254 interval timer, and port 0x61, which gates its channel 2.
 *
 * Enough for calibration and for a periodic tick: binary counts only (the BCD bit
 * is ignored); channel 0 interrupts on pin 2, as on a PC without an 8259. */
#include "devices.h"

#define PIT_PORT 0x40
#define PIT_COMMAND 0x43
#define PIT_CONTROL 0x61 /* system control port B */
#define PIT_HZ 1193182
#define PIT_PIN 2
/* The refresh request, channel 1 on a PC, toggles every 18 clocks. */
#define PIT_REFRESH 18
/* A guest that asks for more interrupts than this would get nothing else. */
#define PIT_PERIOD_MIN 12 /* clocks */

enum pit_access { ACCESS_LOW = 1, ACCESS_HIGH = 2, ACCESS_BOTH = 3 };

struct pit_channel {
    uint8_t mode; /* 0..5 */
    enum pit_access access;
    bool gate;
    bool loaded;    /* a count was written since the last command */
    bool read_high; /* the next read, or write, is of the high byte */
    bool write_high;
    uint8_t low;      /* first half of a two-byte write */
    uint32_t reload;  /* 1..65536 */
    uint64_t start;   /* guest time at which the count began */
    uint64_t stopped; /* clocks counted when the gate closed */
    bool latched, status_latched;
    uint16_t latch;
    uint8_t status;
};

struct pit {
    struct device dev;
    struct pit_channel channel[3];
    uint64_t next; /* when channel 0 interrupts next */
    uint8_t control;
};

static bool pit_periodic(const struct pit_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

static uint64_t pit_elapsed(const struct pit *p, const struct pit_channel *c,
                            uint64_t now)
{
    if (!c->gate && c->mode != 1 && c->mode != 5)
        return c->stopped;
    return board_periods(p->dev.board, now - c->start, PIT_HZ);
}

static bool pit_out(const struct pit *p, const struct pit_channel *c,
                    uint64_t now)
{
    uint64_t elapsed;

    if (!c->loaded)
        return c->mode != 0;
    elapsed = pit_elapsed(p, c, now);
    switch (c->mode) {
    case 0:
    case 1:
        return elapsed >= c->reload;
    case 2:
        return elapsed % c->reload != c->reload - 1;
    case 3:
        return elapsed % c->reload < (c->reload + 1) / 2;
    default:
        return elapsed != c->reload;
    }
}

static uint16_t pit_count(const struct pit *p, const struct pit_channel *c,
                          uint64_t now)
{
    uint64_t elapsed = pit_elapsed(p, c, now);

    if (c->mode == 2)
        return c->reload - elapsed % c->reload;
    if (c->mode == 3) /* by two, twice a period */
        return c->reload - 2 * elapsed % c->reload;
    return c->reload - elapsed;
}

/* Channel 0 only: the tick of the next rising edge of OUT. */
static void pit_schedule(struct pit *p, uint64_t now)
{
    struct pit_channel *c = &p->channel[0];
    struct board *b = p->dev.board;
    uint64_t n = 1, period = c->reload;

    p->next = UINT64_MAX;
    if (!c->loaded || c->mode == 1 || c->mode == 5)
        return;
    if (pit_periodic(c)) {
        if (period < PIT_PERIOD_MIN)
            period = PIT_PERIOD_MIN;
        n = pit_elapsed(p, c, now) / period + 1;
    } else if (pit_elapsed(p, c, now) >= period) {
        return;
    }
    p->next = c->start + board_ticks(b, n * period, PIT_HZ);
}

static uint64_t pit_deadline(struct device *d)
{
    return ((struct pit *)d)->next;
}

static void pit_expire(struct device *d, uint64_t now)
{
    struct pit *p = (struct pit *)d;

    board_set_pin(d->board, PIT_PIN, true);
    board_set_pin(d->board, PIT_PIN, false);
    pit_schedule(p, now);
}

static void pit_load(struct pit *p, unsigned i, uint16_t value)
{
    struct pit_channel *c = &p->channel[i];
    uint64_t now = board_now(p->dev.board);

    c->reload = value ? value : 65536;
    c->loaded = true;
    c->start = now;
    c->stopped = 0;
    if (i)
        return;
    pit_schedule(p, now);
    board_rearm(p->dev.board);
}

static void pit_latch_status(struct pit *p, struct pit_channel *c)
{
    if (c->status_latched)
        return;
    c->status = pit_out(p, c, board_now(p->dev.board)) << 7 | !c->loaded << 6 |
                c->access << 4 | c->mode << 1;
    c->status_latched = true;
}

static void pit_latch_count(struct pit *p, struct pit_channel *c)
{
    if (c->latched)
        return;
    c->latch = pit_count(p, c, board_now(p->dev.board));
    c->latched = true;
}

static void pit_command(struct pit *p, uint8_t v)
{
    unsigned i = v >> 6, access = v >> 4 & 3;
    struct pit_channel *c;

    if (i == 3) { /* read-back: the latches are enabled by zeros */
        for (i = 0; i < 3; i++) {
            if (!(v >> (i + 1) & 1))
                continue;
            if (!(v & 0x20))
                pit_latch_count(p, &p->channel[i]);
            if (!(v & 0x10))
                pit_latch_status(p, &p->channel[i]);
        }
        return;
    }
    c = &p->channel[i];
    if (!access) {
        pit_latch_count(p, c);
        return;
    }
    c->access = access;
    c->mode = (v >> 1 & 7) > 5 ? v >> 1 & 3 : v >> 1 & 7;
    c->loaded = c->latched = c->status_latched = false;
    c->read_high = c->write_high = false;
    if (i)
        return;
    pit_schedule(p, 0);
    board_rearm(p->dev.board);
}

static uint8_t pit_read_count(struct pit *p, struct pit_channel *c)
{
    uint16_t v;
    bool high;

    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    v = c->latched ? c->latch : pit_count(p, c, board_now(p->dev.board));
    high =
        c->access == ACCESS_HIGH || (c->access == ACCESS_BOTH && c->read_high);
    if (c->access == ACCESS_BOTH)
        c->read_high = !c->read_high;
    if (c->access != ACCESS_BOTH || high)
        c->latched = false;
    return high ? v >> 8 : v;
}

static void pit_write_count(struct pit *p, unsigned i, uint8_t v)
{
    struct pit_channel *c = &p->channel[i];

    if (c->access == ACCESS_LOW) {
        pit_load(p, i, v);
    } else if (c->access == ACCESS_HIGH) {
        pit_load(p, i, v << 8);
    } else if (!c->write_high) {
        c->low = v;
        c->write_high = true;
    } else {
        c->write_high = false;
        pit_load(p, i, v << 8 | c->low);
    }
}

/* The gate of channel 2: closing it halts modes 0 and 4 where they are, opening it
 * starts the others afresh. */
static void pit_set_gate(struct pit *p, bool gate)
{
    struct pit_channel *c = &p->channel[2];
    uint64_t now = board_now(p->dev.board);

    if (gate == c->gate)
        return;
    if (!gate) {
        c->stopped = pit_periodic(c) ? 0 : pit_elapsed(p, c, now);
        c->gate = false;
        return;
    }
    c->gate = true;
    c->start = now;
    if (c->mode == 0 || c->mode == 4)
        c->start -= board_ticks(p->dev.board, c->stopped, PIT_HZ);
}

static uint64_t pit_read(struct device *d, uint16_t port, unsigned size)
{
    struct pit *p = (struct pit *)d;
    uint64_t now;

    (void)size;
    if (port == PIT_COMMAND)
        return 0; /* write-only */
    if (port != PIT_CONTROL)
        return pit_read_count(p, &p->channel[port - PIT_PORT]);
    now = board_now(d->board);
    return p->control |
           (board_periods(d->board, now, PIT_HZ) / PIT_REFRESH & 1) << 4 |
           pit_out(p, &p->channel[2], now) << 5;
}

static void pit_write(struct device *d, uint16_t port, unsigned size,
                      uint64_t v)
{
    struct pit *p = (struct pit *)d;

    (void)size;
    if (port == PIT_COMMAND) {
        pit_command(p, v);
    } else if (port == PIT_CONTROL) {
        p->control = v & 0x0f;
        pit_set_gate(p, v & 1);
    } else {
        pit_write_count(p, port - PIT_PORT, v);
    }
}

static int pit_create(struct device *d, char why[REASON_MAX])
{
    struct pit *p = (struct pit *)d;

    (void)why;
    for (int i = 0; i < 3; i++) {
        p->channel[i].access = ACCESS_BOTH;
        p->channel[i].reload = 65536;
        p->channel[i].gate = i != 2;
    }
    p->next = UINT64_MAX;
    return 0;
}

const struct device_class device_pit = {
    .name = "pit",
    .size = sizeof(struct pit),
    .io = {{PIT_PORT, 4}, {PIT_CONTROL, 1}},
    .io_width = 1,
    .irqchip = true,
    .create = pit_create,
    .io_read = pit_read,
    .io_write = pit_write,
    .deadline = pit_deadline,
    .expire = pit_expire,
};
