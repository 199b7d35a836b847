/* The local APIC's timer: one-shot, periodic, TSC deadline (SDM vol. 3A, 11.5.4). */
#include "lapic.h"

/* A guest that asks for a shorter period would get nothing but interrupts;
 * the counter it reads follows the longer period, too. */
#define TIMER_PERIOD_MIN_HZ 100000

static unsigned timer_shift(uint32_t divide)
{
    unsigned code = (divide & 3) | (divide & 8) >> 1;

    return (code + 1) & 7; /* 0: by 2, ... 6: by 128, 7: by 1 */
}

static unsigned timer_mode(const struct lapic *l)
{
    return LVT_MODE(l->lvt[LVT_TIMER]);
}

void lapic_timer_expire(struct device *d, uint64_t now)
{
    struct lapic *l = (struct lapic *)d;
    struct lapic_timer *t = &l->timer;

    if (t->expires > now)
        return;
    if (timer_mode(l) == LVT_PERIODIC)
        t->expires += ((now - t->expires) / t->period + 1) * t->period;
    else
        t->expires = UINT64_MAX;
    if (!(l->lvt[LVT_TIMER] & LVT_MASKED))
        lapic_raise(l, LVT_VECTOR(l->lvt[LVT_TIMER]), false);
}

static void timer_sync(struct lapic *l)
{
    lapic_timer_expire(&l->dev, board_now(l->dev.board));
}

/* A masked timer has nothing to say, so it wakes nobody. */
uint64_t lapic_timer_deadline(struct device *d)
{
    struct lapic *l = (struct lapic *)d;

    return l->lvt[LVT_TIMER] & LVT_MASKED ? UINT64_MAX : l->timer.expires;
}

static void timer_start(struct lapic *l)
{
    struct board *b = l->dev.board;
    struct lapic_timer *t = &l->timer;
    uint64_t least = board_ticks(b, 1, TIMER_PERIOD_MIN_HZ);

    if (!t->initial || timer_mode(l) > LVT_PERIODIC) {
        t->expires = UINT64_MAX;
        return;
    }
    t->period = board_ticks(b, (uint64_t)t->initial << timer_shift(t->divide),
                            LAPIC_BUS_HZ);
    if (timer_mode(l) == LVT_PERIODIC && t->period < least)
        t->period = least;
    t->expires = board_now(b) + t->period;
}

void lapic_timer_set_initial(struct lapic *l, uint32_t count)
{
    timer_sync(l);
    if (timer_mode(l) == LVT_DEADLINE)
        return;
    l->timer.initial = count;
    timer_start(l);
    board_rearm(l->dev.board);
}

uint32_t lapic_timer_current(struct lapic *l)
{
    struct board *b = l->dev.board;
    uint64_t now = board_now(b), left;

    lapic_timer_expire(&l->dev, now);
    if (l->timer.expires == UINT64_MAX || timer_mode(l) > LVT_PERIODIC)
        return 0;
    left = board_periods(b, l->timer.expires - now, LAPIC_BUS_HZ) >>
           timer_shift(l->timer.divide);
    return left < l->timer.initial ? left : l->timer.initial;
}

/* The count goes on from where it is, at the new rate. */
void lapic_timer_set_divide(struct lapic *l, uint32_t v)
{
    struct board *b = l->dev.board;
    uint32_t left = lapic_timer_current(l);
    bool running =
        l->timer.expires != UINT64_MAX && timer_mode(l) <= LVT_PERIODIC;

    l->timer.divide = v & 0xb;
    if (!running)
        return;
    timer_start(l);
    l->timer.expires =
        board_now(b) +
        board_ticks(b, (uint64_t)left << timer_shift(v), LAPIC_BUS_HZ);
    board_rearm(b);
}

void lapic_timer_set_lvt(struct lapic *l, uint32_t v)
{
    bool was = timer_mode(l) == LVT_DEADLINE;

    timer_sync(l);
    l->lvt[LVT_TIMER] = v;
    if (was != (LVT_MODE(v) == LVT_DEADLINE)) {
        l->timer.initial = 0;
        l->timer.expires = UINT64_MAX;
    }
    board_rearm(l->dev.board);
}

uint64_t lapic_timer_get_tsc(struct lapic *l)
{
    timer_sync(l);
    if (timer_mode(l) != LVT_DEADLINE || l->timer.expires == UINT64_MAX)
        return 0;
    return l->timer.expires;
}

void lapic_timer_set_tsc(struct lapic *l, uint64_t when)
{
    timer_sync(l);
    if (timer_mode(l) != LVT_DEADLINE)
        return;
    l->timer.expires = when ? when : UINT64_MAX;
    timer_sync(l); /* a time in the past interrupts now */
    board_rearm(l->dev.board);
}
