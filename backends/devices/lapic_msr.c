/* The local APIC through MSRs: base, x2APIC registers, TSC deadline. */
#include "lapic.h"

static bool lapic_set_base(struct lapic *l, uint64_t v)
{
    const uint64_t mode = v & (BASE_ENABLE | BASE_X2APIC);
    const uint64_t old = l->base & (BASE_ENABLE | BASE_X2APIC);

    /* Address and BSP bit stay, reserved bits are 0. */
    if ((v ^ l->base) & ~(BASE_ENABLE | BASE_X2APIC))
        return false;
    /* Legal steps: off <-> xAPIC -> x2APIC -> off (SDM vol. 3A, 11.12.5). */
    if (mode == BASE_X2APIC || (mode == BASE_ENABLE && (old & BASE_X2APIC)) ||
        ((mode & BASE_X2APIC) && !(old & BASE_ENABLE)))
        return false;
    l->base = v;
    if (!mode)
        lapic_reset(l);
    if (mode != old) {
        l->icr = l->icr_high = 0;
        board_rearm(l->dev.board);
        lapic_update(l);
    }
    return true;
}

bool lapic_msr_read(struct device *d, uint32_t msr, uint64_t *v)
{
    struct lapic *l = (struct lapic *)d;
    unsigned reg = msr - MSR_X2APIC;
    uint32_t low;

    if (msr == MSR_APIC_BASE) {
        *v = l->base;
        return true;
    }
    if (msr == MSR_TSC_DEADLINE) {
        *v = lapic_timer_get_tsc(l);
        return true;
    }
    if (reg > LAPIC_SELF_IPI || !lapic_x2apic(l) || !lapic_read(l, reg, &low))
        return false;
    *v = low;
    if (reg == LAPIC_ICR)
        *v |= (uint64_t)l->icr_high << 32;
    return true;
}

/* Bits that must be 0 in an x2APIC write. */
static uint64_t lapic_reserved(unsigned reg)
{
    switch (reg) {
    case LAPIC_EOI:
    case LAPIC_ESR:
        return UINT64_MAX;
    case LAPIC_TPR:
    case LAPIC_SELF_IPI:
        return ~0xffull;
    case LAPIC_SVR:
        return ~0x1ffull;
    case LAPIC_ICR:
        return 0xfff33000;
    case LAPIC_LVT ... LAPIC_LVT + LVT_COUNT - 1: /* but the read-only two */
        return ~(lapic_lvt_writable[reg - LAPIC_LVT] | 0x5000ull);
    case LAPIC_DIVIDE:
        return ~0xbull;
    default:
        return ~0xffffffffull;
    }
}

bool lapic_msr_write(struct device *d, uint32_t msr, uint64_t v)
{
    struct lapic *l = (struct lapic *)d;
    unsigned reg = msr - MSR_X2APIC;

    if (msr == MSR_APIC_BASE)
        return lapic_set_base(l, v);
    if (msr == MSR_TSC_DEADLINE) {
        lapic_timer_set_tsc(l, v);
        return true;
    }
    if (reg > LAPIC_SELF_IPI || !lapic_x2apic(l) || (v & lapic_reserved(reg)))
        return false;
    if (reg == LAPIC_SELF_IPI) {
        lapic_raise(l, v, false);
        return true;
    }
    if (reg == LAPIC_ICR)
        l->icr_high = v >> 32;
    /* Registers that x2APIC mode doesn't have are refused before they change. */
    if (reg == LAPIC_LDR || reg == LAPIC_DFR || reg == LAPIC_ICR_HIGH)
        return false;
    return lapic_write(l, reg, v);
}
