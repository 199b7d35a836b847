/* The local APIC of the only CPU, xAPIC and x2APIC (SDM vol. 3A, chapter 11).
 *
 * Limits: the base address is fixed; NMI, SMI, INIT and start-up messages have no
 * one to go to and are dropped; the LINT pins are not connected. */
#include "devices.h"
#include "guest/abi/abi.h"
#include "lapic.h"

#define SVR_ENABLE 0x100u
#define LAPIC_VERSION_VALUE (0x14u | (LVT_COUNT - 1) << 16)

/* Error status bits */
#define ESR_SEND_VECTOR 0x20u
#define ESR_RECEIVE_VECTOR 0x40u
#define ESR_REGISTER 0x80u

#define MODE_FIXED 0
#define MODE_LOWEST 1

const uint32_t lapic_lvt_writable[LVT_COUNT] = {
    [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff,
    [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,   [LVT_ERROR] = 0x100ff,
};

/* ---- Vectors and priorities ---------------------------------------------- */

static void vec_set(uint32_t *bits, uint8_t v)
{
    bits[v / 32] |= 1u << v % 32;
}

static void vec_clear(uint32_t *bits, uint8_t v)
{
    bits[v / 32] &= ~(1u << v % 32);
}

static bool vec_test(const uint32_t *bits, uint8_t v)
{
    return bits[v / 32] >> v % 32 & 1;
}

static int vec_highest(const uint32_t *bits)
{
    for (int i = 7; i >= 0; i--)
        if (bits[i])
            return i * 32 + 31 - __builtin_clz(bits[i]);
    return -1;
}

static uint32_t lapic_ppr(const struct lapic *l)
{
    int isr = vec_highest(l->isr);

    if (isr < 0 || l->tpr >> 4 >= (uint32_t)isr >> 4)
        return l->tpr;
    return isr & 0xf0;
}

/* The vector that could be delivered now, or -1. */
static int lapic_pending(const struct lapic *l)
{
    int irr = vec_highest(l->irr);

    if (irr < 0 || !(l->base & BASE_ENABLE) ||
        (uint32_t)irr >> 4 <= lapic_ppr(l) >> 4)
        return -1;
    return irr;
}

void lapic_update(struct lapic *l)
{
    struct board *b = l->dev.board;

    b->host->attention(b->opaque, lapic_pending(l) >= 0);
}

static void lapic_error(struct lapic *l, uint32_t bit)
{
    bool raised = l->esr_pending & bit;

    l->esr_pending |= bit;
    /* An LVT vector below 16 is itself an error: don't chase it. */
    if (!raised && !(l->lvt[LVT_ERROR] & LVT_MASKED) &&
        LVT_VECTOR(l->lvt[LVT_ERROR]) >= 16)
        lapic_raise(l, LVT_VECTOR(l->lvt[LVT_ERROR]), false);
}

void lapic_raise(struct lapic *l, uint8_t vector, bool level)
{
    if (!(l->base & BASE_ENABLE) || !(l->svr & SVR_ENABLE))
        return;
    if (vector < 16) {
        lapic_error(l, ESR_RECEIVE_VECTOR);
        return;
    }
    vec_set(l->irr, vector);
    if (level)
        vec_set(l->tmr, vector);
    else
        vec_clear(l->tmr, vector);
    lapic_update(l);
}

static void lapic_eoi(struct lapic *l)
{
    int v = vec_highest(l->isr);

    if (v < 0)
        return;
    vec_clear(l->isr, v);
    if (vec_test(l->tmr, v))
        board_eoi(l->dev.board, v);
    lapic_update(l);
}

static int lapic_ack(struct device *d)
{
    struct lapic *l = (struct lapic *)d;
    int v = lapic_pending(l);

    if (v >= 0) {
        vec_clear(l->irr, v);
        vec_set(l->isr, v);
    }
    lapic_update(l);
    return v;
}

static uint64_t lapic_get_tpr(struct device *d)
{
    return ((struct lapic *)d)->tpr >> 4;
}

static void lapic_set_tpr(struct device *d, uint64_t cr8)
{
    struct lapic *l = (struct lapic *)d;

    l->tpr = (cr8 & 15) << 4;
    lapic_update(l);
}

/* ---- Messages ------------------------------------------------------------ */

static bool lapic_is_dest(const struct lapic *l, uint32_t dest, bool logical)
{
    uint32_t own;

    /* 8-bit broadcast too: what an I/O APIC sends. The ID is 0. */
    if (!logical)
        return !dest || dest == 0xff || (lapic_x2apic(l) && dest == UINT32_MAX);
    if (lapic_x2apic(l))
        return dest == UINT32_MAX || (dest >> 16 == 0 && (dest & 1));
    own = l->ldr >> 24;
    if (dest == 0xff)
        return true;
    if (l->dfr >> 28 == 0xf) /* flat model */
        return dest & own;
    return dest >> 4 == own >> 4 && (dest & own & 15);
}

static void lapic_message(struct device *d, uint32_t dest, bool logical,
                          uint8_t vector, bool level)
{
    struct lapic *l = (struct lapic *)d;

    if (lapic_is_dest(l, dest, logical))
        lapic_raise(l, vector, level);
}

/* ICR: 19..18 shorthand, 15 trigger, 14 level, 11 logical, 10..8 mode, 7..0 vector */
static void lapic_send(struct lapic *l)
{
    uint32_t dest = lapic_x2apic(l) ? l->icr_high : l->icr_high >> 24;
    unsigned mode = l->icr >> 8 & 7, shorthand = l->icr >> 18 & 3;
    uint8_t vector = l->icr;

    if (mode != MODE_FIXED && mode != MODE_LOWEST)
        return;
    if (vector < 16) {
        lapic_error(l, ESR_SEND_VECTOR);
        return;
    }
    if (shorthand == 3) /* all but self: there is nobody else */
        return;
    if (shorthand || lapic_is_dest(l, dest, l->icr >> 11 & 1))
        lapic_raise(l, vector, false);
}

/* ---- Registers ----------------------------------------------------------- */

bool lapic_read(struct lapic *l, unsigned reg, uint32_t *v)
{
    switch (reg) {
    case LAPIC_ID:
        *v = 0;
        return true;
    case LAPIC_VERSION:
        *v = LAPIC_VERSION_VALUE;
        return true;
    case LAPIC_TPR:
        *v = l->tpr;
        return true;
    case LAPIC_APR: /* with one CPU there is no arbitration */
        *v = 0;
        return !lapic_x2apic(l);
    case LAPIC_PPR:
        *v = lapic_ppr(l);
        return true;
    case LAPIC_LDR:
        *v = lapic_x2apic(l) ? 1 : l->ldr;
        return true;
    case LAPIC_DFR:
        *v = l->dfr;
        return !lapic_x2apic(l);
    case LAPIC_SVR:
        *v = l->svr;
        return true;
    case LAPIC_ISR ... LAPIC_ISR + 7:
        *v = l->isr[reg - LAPIC_ISR];
        return true;
    case LAPIC_TMR ... LAPIC_TMR + 7:
        *v = l->tmr[reg - LAPIC_TMR];
        return true;
    case LAPIC_IRR ... LAPIC_IRR + 7:
        *v = l->irr[reg - LAPIC_IRR];
        return true;
    case LAPIC_ESR:
        *v = l->esr;
        return true;
    case LAPIC_ICR:
        *v = l->icr;
        return true;
    case LAPIC_ICR_HIGH:
        *v = l->icr_high;
        return !lapic_x2apic(l);
    case LAPIC_LVT ... LAPIC_LVT + LVT_COUNT - 1:
        *v = l->lvt[reg - LAPIC_LVT];
        return true;
    case LAPIC_INITIAL:
        *v = l->timer.initial;
        return true;
    case LAPIC_CURRENT:
        *v = lapic_timer_current(l);
        return true;
    case LAPIC_DIVIDE:
        *v = l->timer.divide;
        return true;
    default:
        return false;
    }
}

static void lapic_set_svr(struct lapic *l, uint32_t v)
{
    l->svr = v & 0x1ff; /* EOI-broadcast suppression is not offered */
    if (l->svr & SVR_ENABLE)
        return;
    for (int i = 0; i < LVT_COUNT; i++)
        l->lvt[i] |= LVT_MASKED;
    board_rearm(l->dev.board);
}

static void lapic_set_lvt(struct lapic *l, unsigned i, uint32_t v)
{
    v &= lapic_lvt_writable[i];
    if (!(l->svr & SVR_ENABLE))
        v |= LVT_MASKED;
    if (i == LVT_TIMER)
        lapic_timer_set_lvt(l, v);
    else
        l->lvt[i] = v;
}

bool lapic_write(struct lapic *l, unsigned reg, uint32_t v)
{
    switch (reg) {
    case LAPIC_ID: /* read-only here, as on recent CPUs */
        return !lapic_x2apic(l);
    case LAPIC_TPR:
        l->tpr = v & 0xff;
        lapic_update(l);
        return true;
    case LAPIC_EOI:
        lapic_eoi(l);
        return true;
    case LAPIC_LDR:
        l->ldr = v & 0xff000000;
        return !lapic_x2apic(l);
    case LAPIC_DFR:
        l->dfr = v | 0x0fffffff;
        return !lapic_x2apic(l);
    case LAPIC_SVR:
        lapic_set_svr(l, v);
        return true;
    case LAPIC_ESR:
        l->esr = l->esr_pending;
        l->esr_pending = 0;
        return true;
    case LAPIC_ICR:
        l->icr = v & 0xccfff;
        lapic_send(l);
        return true;
    case LAPIC_ICR_HIGH:
        l->icr_high = v & 0xff000000;
        return !lapic_x2apic(l);
    case LAPIC_LVT ... LAPIC_LVT + LVT_COUNT - 1:
        lapic_set_lvt(l, reg - LAPIC_LVT, v);
        return true;
    case LAPIC_INITIAL:
        lapic_timer_set_initial(l, v);
        return true;
    case LAPIC_DIVIDE:
        lapic_timer_set_divide(l, v);
        return true;
    default:
        return false;
    }
}

/* ---- xAPIC: memory ------------------------------------------------------- */

/* Only aligned 32-bit accesses are defined; others read 0 and write nothing. */
static uint64_t lapic_mmio_read(struct device *d, gpa_t addr, unsigned size)
{
    struct lapic *l = (struct lapic *)d;
    uint32_t v = 0;

    if (!(l->base & BASE_ENABLE) || lapic_x2apic(l))
        return bus_ones(size);
    if (addr % 16 || size != 4)
        return 0;
    if (!lapic_read(l, (addr - TM_LAPIC_GPA) / 16, &v))
        lapic_error(l, ESR_REGISTER);
    return v;
}

static void lapic_mmio_write(struct device *d, gpa_t addr, unsigned size,
                             uint64_t v)
{
    struct lapic *l = (struct lapic *)d;

    if (!(l->base & BASE_ENABLE) || lapic_x2apic(l) || addr % 16 || size != 4)
        return;
    if (!lapic_write(l, (addr - TM_LAPIC_GPA) / 16, v))
        lapic_error(l, ESR_REGISTER);
}

/* ---- Life ---------------------------------------------------------------- */

void lapic_reset(struct lapic *l)
{
    for (int i = 0; i < 8; i++)
        l->irr[i] = l->isr[i] = l->tmr[i] = 0;
    l->tpr = l->ldr = l->esr = l->esr_pending = l->icr = l->icr_high = 0;
    l->dfr = UINT32_MAX;
    l->svr = 0xff;
    for (int i = 0; i < LVT_COUNT; i++)
        l->lvt[i] = LVT_MASKED;
    l->timer.initial = l->timer.divide = 0;
    l->timer.expires = UINT64_MAX;
}

static int lapic_create(struct device *d, char why[REASON_MAX])
{
    struct lapic *l = (struct lapic *)d;

    (void)why;
    l->base = TM_LAPIC_GPA | BASE_ENABLE | BASE_BSP;
    lapic_reset(l);
    return 0;
}

static const struct apic_ops lapic_ops = {
    .get_tpr = lapic_get_tpr,
    .set_tpr = lapic_set_tpr,
    .ack = lapic_ack,
    .msr_read = lapic_msr_read,
    .msr_write = lapic_msr_write,
    .message = lapic_message,
};

const struct device_class device_lapic = {
    .name = "lapic",
    .size = sizeof(struct lapic),
    .mmio = {TM_LAPIC_GPA, 0x1000},
    .irqchip = true,
    .create = lapic_create,
    .mmio_read = lapic_mmio_read,
    .mmio_write = lapic_mmio_write,
    .deadline = lapic_timer_deadline,
    .expire = lapic_timer_expire,
    .apic = &lapic_ops,
};
