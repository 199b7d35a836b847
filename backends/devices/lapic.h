/* The local APIC's state, shared by its registers and its timer. */
#ifndef TM_LAPIC_H
#define TM_LAPIC_H

#include "../machine/board.h"

/* Registers, by MMIO offset / 16, which is also the x2APIC MSR - 0x800. */
/* clang-format off */
enum lapic_reg {
    LAPIC_ID = 0x02, LAPIC_VERSION = 0x03, LAPIC_TPR = 0x08, LAPIC_APR = 0x09,
    LAPIC_PPR = 0x0a, LAPIC_EOI = 0x0b, LAPIC_LDR = 0x0d, LAPIC_DFR = 0x0e,
    LAPIC_SVR = 0x0f, LAPIC_ISR = 0x10, LAPIC_TMR = 0x18, LAPIC_IRR = 0x20,
    LAPIC_ESR = 0x28, LAPIC_ICR = 0x30, LAPIC_ICR_HIGH = 0x31,
    LAPIC_LVT = 0x32, /* timer, thermal, perf, LINT0, LINT1, error */
    LAPIC_INITIAL = 0x38, LAPIC_CURRENT = 0x39, LAPIC_DIVIDE = 0x3e,
    LAPIC_SELF_IPI = 0x3f
};
enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1,
                 LVT_ERROR, LVT_COUNT };
/* clang-format on */

/* LVT entry:  18..17      16    15       14       13        12     10..8  7..0
 *             timer mode  mask  trigger  remote   polarity  sent   mode   vector
 */
#define LVT_VECTOR(v) ((v)&0xff)
#define LVT_MASKED 0x10000u
#define LVT_MODE(v) (((v) >> 17) & 3)
#define LVT_ONESHOT 0
#define LVT_PERIODIC 1
#define LVT_DEADLINE 2

/* What the timer counts in one-shot and periodic mode, before division. */
#define LAPIC_BUS_HZ 1000000000ull

struct lapic_timer {
    uint32_t initial, divide; /* as the guest wrote them */
    uint64_t period;          /* ticks that `initial` lasts */
    uint64_t expires; /* guest time; UINT64_MAX: not running. Masked or not:
                         the counter runs either way. */
};

struct lapic {
    struct device dev;
    uint64_t base; /* the APIC base MSR */
    uint32_t tpr, ldr, dfr, svr;
    uint32_t esr, esr_pending; /* errors become visible by a write */
    uint32_t icr, icr_high;
    uint32_t lvt[LVT_COUNT];
    uint32_t irr[8], isr[8], tmr[8];
    struct lapic_timer timer;
};

/* The APIC base MSR */
#define BASE_BSP 0x100ull
#define BASE_X2APIC 0x400ull
#define BASE_ENABLE 0x800ull

static inline bool lapic_x2apic(const struct lapic *l)
{
    return l->base & BASE_X2APIC;
}

/* Bits of each LVT entry that software may write. */
extern const uint32_t lapic_lvt_writable[LVT_COUNT];

void lapic_reset(struct lapic *l);
/* Tells the host whether a vector is deliverable. */
void lapic_update(struct lapic *l);
/* One register in the current mode; false: there is none that can be read, or
 * written. */
bool lapic_read(struct lapic *l, unsigned reg, uint32_t *v);
bool lapic_write(struct lapic *l, unsigned reg, uint32_t v);
/* lapic_msr.c */
bool lapic_msr_read(struct device *d, uint32_t msr, uint64_t *v);
bool lapic_msr_write(struct device *d, uint32_t msr, uint64_t v);

/* A vector asks for service. */
void lapic_raise(struct lapic *l, uint8_t vector, bool level);

/* lapic_timer.c: all of these first catch up with now. */
uint64_t lapic_timer_deadline(struct device *d);
void lapic_timer_expire(struct device *d, uint64_t now);
void lapic_timer_set_initial(struct lapic *l, uint32_t count);
uint32_t lapic_timer_current(struct lapic *l);
void lapic_timer_set_divide(struct lapic *l, uint32_t v);
void lapic_timer_set_lvt(struct lapic *l, uint32_t v);
uint64_t lapic_timer_get_tsc(struct lapic *l);
void lapic_timer_set_tsc(struct lapic *l, uint64_t when);

#endif
