/* Exceptions and IRET within ring 0, without the interpreter. */
#include "direct.h"

#include "../x86/walk.h"

/* Interrupt or trap gate, low word:
 *
 *   63..48         47 46..45 44..40  34..32  31..16    15..0
 *   offset 31..16  P  DPL    type    IST     selector  offset 15..0
 */
#define GATE_TYPE(g) ((g) >> 40 & 0x1f)
#define GATE_P(g) ((g) >> 47 & 1)
#define GATE_IST(g) ((g) >> 32 & 7)
#define GATE_SEL(g) ((uint16_t)((g) >> 16))
#define GATE_INTERRUPT 0xe

/* Is loading sel a change of nothing? The descriptor in memory must be what the
 * segment register holds already. */
static bool same_segment(const struct direct *d, const struct x86_seg *seg,
                         uint16_t sel)
{
    const uint64_t *desc;
    uint32_t attr;

    if (sel != seg->sel || sel & 7 || sel + 7u > d->st.gdtr.limit)
        return false;
    if (!sel)
        return seg->attr & SEG_UNUSABLE;
    desc = shadow_ptr(d->shadow, d->st.gdtr.base + sel, 8, false);
    if (!desc)
        return false;
    attr = (uint32_t)(*desc >> 40 & 0xff) | (uint32_t)(*desc >> 52 & 15) << 12;
    return attr == seg->attr;
}

static bool ordinary(const struct direct *d)
{
    return direct_cpl(d) == 0 && !d->vm.trap_exceptions &&
           !(d->st.rflags & (FL_TF | FL_NT));
}

static void count(struct direct *d, unsigned vector)
{
    uint64_t *n = d->vm.events.count;

    switch (vector) {
    case VEC_DE:
        n[EV_EXCEPTION_DE]++;
        break;
    case VEC_BP:
        n[EV_EXCEPTION_BP]++;
        break;
    case VEC_PF:
        n[EV_EXCEPTION_PF]++;
        n[EV_FAULT_TRUE]++;
        break;
    default:
        n[EV_EXCEPTION_OTHER]++;
    }
}

bool direct_fast_deliver(struct direct *d, unsigned vector, bool trap,
                         bool has_error, uint32_t error)
{
    unsigned n = has_error ? 6 : 5;
    struct x86_state *st = &d->st;
    const uint64_t *gate;
    uint64_t *to, rsp, rip;

    if (vector != VEC_DE && vector != VEC_BP && vector != VEC_PF)
        return false;
    if (!ordinary(d) || vector * 16 + 15 > st->idtr.limit)
        return false;
    gate = shadow_ptr(d->shadow, st->idtr.base + vector * 16, 16, false);
    if (!gate || !GATE_P(gate[0]) || GATE_IST(gate[0]) ||
        (GATE_TYPE(gate[0]) & ~1ull) != GATE_INTERRUPT ||
        !same_segment(d, &st->seg[CS], GATE_SEL(gate[0])))
        return false;
    rip = (gate[0] & 0xffff) | (gate[0] >> 48) << 16 |
          (gate[1] & 0xffffffff) << 32;
    rsp = (st->gpr[RSP] & ~15ull) - 8 * n;
    to = shadow_ptr(d->shadow, rsp, 8 * n, true);
    if (!to || !gva_canonical(rip))
        return false;

    if (has_error)
        *to++ = error;
    to[0] = st->rip;
    to[1] = st->seg[CS].sel;
    to[2] = st->rflags | (trap ? 0 : FL_RF);
    to[3] = st->gpr[RSP];
    to[4] = st->seg[SS].sel;
    st->gpr[RSP] = rsp;
    st->rip = rip;
    st->rflags &= ~FL_RF;
    if (GATE_TYPE(gate[0]) == GATE_INTERRUPT)
        st->rflags &= ~FL_IF;
    st->int_shadow = 0;
    count(d, vector);
    return true;
}

bool direct_fast_iret(struct direct *d)
{
    const uint64_t loaded = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF |
                            FL_DF | FL_IF | FL_IOPL | FL_AC | FL_ID;
    struct x86_state *st = &d->st;
    const uint8_t *code = shadow_ptr(d->shadow, st->rip, 2, false);
    const uint64_t *from;

    if (!code || code[0] != 0x48 || code[1] != 0xcf || !ordinary(d))
        return false;
    from = shadow_ptr(d->shadow, st->gpr[RSP], 40, false);
    if (!from || !gva_canonical(from[0]) || from[2] & ~(loaded | FL_RF | 2) ||
        !same_segment(d, &st->seg[CS], (uint16_t)from[1]) ||
        !same_segment(d, &st->seg[SS], (uint16_t)from[4]))
        return false;
    st->rip = from[0];
    st->rflags = (st->rflags & ~loaded) | (from[2] & loaded);
    st->gpr[RSP] = from[3];
    st->int_shadow = 0;
    d->vm.events.count[EV_EXIT_IRET]++;
    return true;
}
