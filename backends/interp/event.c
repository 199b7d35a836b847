/* Delivery of exceptions and interrupts through the IDT. */
#include "event.h"

#include "mem.h"
#include "seg.h"

#include "../x86/walk.h"

uint64_t insn_rip(const struct insn *i)
{
    const struct block *b = insn_block(i);
    uint64_t rip = b->rip;

    for (unsigned k = 0; k < i->idx; k++)
        rip += b->insn[k].len;
    return rip;
}

void sync_before(struct icpu *c, const struct insn *i)
{
    c->rip = insn_rip(i);
    c->budget -= i->idx;
}

void sync_after(struct icpu *c, const struct insn *i)
{
    c->rip = insn_rip(i) + i->len;
    c->budget -= i->idx + 1;
}

static void set_pending(struct icpu *c, const struct insn *i, unsigned vector,
                        bool has_error, uint32_t error)
{
    if (i)
        sync_before(c, i);
    c->pending.vector = (uint8_t)vector;
    c->pending.valid = true;
    c->pending.trap = false;
    c->pending.soft = 0;
    c->pending.has_error = has_error;
    c->pending.error = error;
}

void raise_fault(struct icpu *c, const struct insn *i, unsigned vector)
{
    set_pending(c, i, vector, false, 0);
}

void raise_error(struct icpu *c, const struct insn *i, unsigned vector,
                 uint32_t error)
{
    set_pending(c, i, vector, true, error);
}

void raise_trap(struct icpu *c, unsigned vector)
{
    set_pending(c, NULL, vector, false, 0);
    c->pending.trap = true;
}

void emulation_fails(struct icpu *c, const struct insn *i, const char *why)
{
    c->leave = true;
    c->exit_kind = EXIT_EMULATION;
    c->failed = why;
    c->failed_len = i->len;
}

uint64_t get_rflags(const struct icpu *c)
{
    return c->rflags | flags_unpack(c->fl) | 2;
}

void set_rflags(struct icpu *c, uint64_t v)
{
    c->fl = flags_pack(v);
    c->rflags = v & ~(FL_ARITH | FL_RF | FL_VM);
    mem_update_mode(c);
}

void set_cpl(struct icpu *c, unsigned cpl)
{
    sync_retired(c, NULL);
    if (c->cpl == 3)
        c->vm.events.count[EV_INSN_USER] += c->vm.retired - c->user_mark;
    c->user_mark = c->vm.retired;
    c->cpl = (uint8_t)cpl;
    mem_update_mode(c);
}

/* ---- Delivery --------------------------------------------------------- */

enum source { EXTERNAL, HARDWARE, SOFTWARE };

struct delivery {
    unsigned vector;
    enum source source;
    bool has_error, fault;
    uint32_t error;
};

static bool refuse(struct icpu *c, unsigned vector, uint32_t error)
{
    raise_error(c, NULL, vector, error);
    return false;
}

/* The stack the handler runs on. */
static bool new_stack(struct icpu *c, unsigned ist, unsigned cpl, unsigned ext,
                      uint64_t *rsp)
{
    unsigned at;

    *rsp = c->gpr[RSP];
    if (!ist && cpl == c->cpl)
        return true;
    at = ist ? 0x24 + 8 * (ist - 1) : 4 + 8 * cpl;
    if (at + 7 > c->tr.limit)
        return refuse(c, VEC_TS, (c->tr.sel & ~3u) | ext);
    if (!mem_read_sys(c, c->tr.base + at, rsp, 8))
        return false;
    if (!gva_canonical(*rsp))
        return refuse(c, VEC_SS, ext);
    return true;
}

static bool deliver(struct icpu *c, const struct delivery *d)
{
    unsigned ext = d->source == SOFTWARE ? 0 : 1, cpl, type, n = 0;
    uint32_t index = d->vector * 8 + 2 + ext;
    uint64_t gate[2], desc, rsp, target, frame[6], *to;
    uint16_t sel;

    if (d->vector * 16 + 15 > c->idtr.limit)
        return refuse(c, VEC_GP, index);
    if (!mem_read_sys(c, c->idtr.base + d->vector * 16, gate, 16))
        return false;
    type = gate[0] >> 40 & 0x1f;
    if (type != 0xe && type != 0xf)
        return refuse(c, VEC_GP, index);
    if (d->source == SOFTWARE && DESC_DPL(gate[0]) < c->cpl)
        return refuse(c, VEC_GP, index);
    if (!DESC_P(gate[0]))
        return refuse(c, VEC_NP, index);

    sel = (uint16_t)(gate[0] >> 16);
    if (!(sel & ~3u))
        return refuse(c, VEC_GP, ext);
    if (!seg_read_desc(c, sel, &desc, VEC_GP, ext))
        return false;
    if (!DESC_S(desc) || !(DESC_TYPE(desc) & TYPE_CODE) ||
        DESC_DPL(desc) > c->cpl || !DESC_L(desc) || DESC_DB(desc))
        return refuse(c, VEC_GP, (sel & ~3u) | ext);
    if (!DESC_P(desc))
        return refuse(c, VEC_NP, (sel & ~3u) | ext);
    cpl = DESC_TYPE(desc) & TYPE_CONFORMING ? c->cpl : DESC_DPL(desc);

    if (!new_stack(c, gate[0] >> 32 & 7, cpl, ext, &rsp))
        return false;
    rsp &= ~15ull;
    if (d->has_error)
        frame[n++] = d->error;
    frame[n++] = c->rip;
    frame[n++] = c->seg[CS].sel;
    frame[n++] = get_rflags(c) | (d->fault ? FL_RF : 0);
    frame[n++] = c->gpr[RSP];
    frame[n++] = c->seg[SS].sel;
    rsp -= 8 * n;
    if (!seg_mark_accessed(c, sel, &desc))
        return false;
    to = mem_slow(c, NULL, rsp, 8 * n, SS,
                  MEM_WRITE | MEM_NOAC | (cpl < 3 ? MEM_SYS : 0));
    if (!to)
        return false;
    target = (gate[0] & 0xffff) | (gate[0] >> 48) << 16 |
             (gate[1] & 0xffffffff) << 32;
    if (!gva_canonical(target))
        return refuse(c, VEC_GP, ext);
    for (unsigned k = 0; k < n; k++)
        to[k] = frame[k];
    mem_commit(c);

    c->gpr[RSP] = rsp;
    c->rip = target;
    c->rflags &= ~(FL_TF | FL_NT | FL_RF | FL_VM);
    if (type == 0xe)
        c->rflags &= ~FL_IF;
    seg_set(&c->seg[CS], (uint16_t)((sel & ~3u) | cpl), desc);
    if (cpl != c->cpl) {
        seg_set_null(&c->seg[SS], (uint16_t)cpl);
        c->seg[SS].attr |= cpl << 5;
    }
    set_cpl(c, cpl);
    c->shadow = c->shadow_ss = false;
    c->halted = false;
    return true;
}

/* SDM table 6-4: contributory exceptions. */
static bool contributory(unsigned vector)
{
    return vector == VEC_DE || (vector >= VEC_TS && vector <= VEC_GP);
}

static bool makes_double(unsigned first, unsigned second)
{
    if (first == VEC_PF)
        return second == VEC_PF || contributory(second);
    return contributory(first) && contributory(second);
}

static void count_exception(struct icpu *c, unsigned vector)
{
    static const uint8_t events[32] = {
        [VEC_DE] = EV_EXCEPTION_DE, [VEC_DB] = EV_EXCEPTION_DB,
        [VEC_BP] = EV_EXCEPTION_BP, [VEC_UD] = EV_EXCEPTION_UD,
        [VEC_NM] = EV_EXCEPTION_NM, [VEC_DF] = EV_EXCEPTION_DF,
        [VEC_GP] = EV_EXCEPTION_GP, [VEC_PF] = EV_EXCEPTION_PF,
        [VEC_MF] = EV_EXCEPTION_MF, [VEC_XM] = EV_EXCEPTION_MF,
    };
    unsigned ev = events[vector & 31];

    c->vm.events.count[ev ? ev : EV_EXCEPTION_OTHER]++;
    if (vector == VEC_PF)
        c->vm.events.count[EV_FAULT_TRUE]++;
}

bool event_deliver_pending(struct icpu *c)
{
    struct delivery d = {0};

    while (c->pending.valid) {
        struct pending p = c->pending;

        c->pending.valid = false;
        d.vector = p.vector;
        d.has_error = p.has_error;
        d.error = p.error;
        d.fault = !p.trap;
        d.source = p.soft ? SOFTWARE : HARDWARE;
        count_exception(c, p.vector);
        if (deliver(c, &d))
            return true;
        if (p.soft) { /* the INT itself faulted: it hasn't retired */
            c->rip -= p.soft;
            c->budget++;
        }
        if (p.vector == VEC_DF)
            return false;
        if (makes_double(p.vector, c->pending.vector))
            raise_error(c, NULL, VEC_DF, 0);
    }
    return true;
}

bool event_deliver_interrupt(struct icpu *c, unsigned vector)
{
    struct delivery d = {.source = EXTERNAL, .vector = vector};

    c->vm.events.count[EV_INTERRUPT]++;
    if (deliver(c, &d))
        return true;
    return event_deliver_pending(c);
}

void event_soft_int(struct icpu *c, unsigned vector, uint64_t start)
{
    struct delivery d = {.source = SOFTWARE, .vector = vector};

    if (deliver(c, &d))
        return;
    /* The INT itself faulted: it hasn't retired. */
    c->rip = start;
    c->budget++;
}
