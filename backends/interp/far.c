/* IRET, and far jumps, calls and returns. */
#include "seg.h"
#include "system.h"

#include "../x86/walk.h"

static bool refuse(struct icpu *c, unsigned vector, uint16_t sel)
{
    raise_error(c, NULL, vector, sel & ~3u);
    return false;
}

static uint64_t slot(const void *p, unsigned size, unsigned n)
{
    if (size == 2)
        return ((const u16a *)p)[n];
    if (size == 4)
        return ((const u32a *)p)[n];
    return ((const u64a *)p)[n];
}

/* ---- Returns to the same or an outer level ---------------------------- */

struct target {
    uint64_t rip, rsp;
    uint16_t cs, ss;
    uint64_t cs_desc, ss_desc;
};

/* CS of a return: SDM vol. 2, IRET and RET. */
static bool check_cs(struct icpu *c, struct target *t, const struct insn *i)
{
    unsigned rpl = t->cs & 3, type;

    if (!(t->cs & ~3u))
        return refuse(c, VEC_GP, 0);
    if (!seg_read_desc(c, t->cs, &t->cs_desc, VEC_GP, 0))
        return false;
    type = DESC_TYPE(t->cs_desc);
    if (!DESC_S(t->cs_desc) || !(type & TYPE_CODE) || rpl < c->cpl)
        return refuse(c, VEC_GP, t->cs);
    if (type & TYPE_CONFORMING ? DESC_DPL(t->cs_desc) > rpl
                               : DESC_DPL(t->cs_desc) != rpl)
        return refuse(c, VEC_GP, t->cs);
    if (!DESC_P(t->cs_desc))
        return refuse(c, VEC_NP, t->cs);
    if (!DESC_L(t->cs_desc)) {
        emulation_fails(c, i, "far return to compatibility mode");
        return false;
    }
    if (DESC_DB(t->cs_desc))
        return refuse(c, VEC_GP, t->cs);
    return true;
}

static bool check_ss(struct icpu *c, struct target *t)
{
    unsigned rpl = t->cs & 3, type;

    t->ss_desc = 0;
    if (!(t->ss & ~3u)) {
        if (rpl == 3 || (t->ss & 3) != rpl)
            return refuse(c, VEC_GP, t->ss);
        return true;
    }
    if (!seg_read_desc(c, t->ss, &t->ss_desc, VEC_GP, 0))
        return false;
    type = DESC_TYPE(t->ss_desc);
    if ((t->ss & 3) != rpl || DESC_DPL(t->ss_desc) != rpl ||
        !DESC_S(t->ss_desc) || type & TYPE_CODE || !(type & TYPE_RW))
        return refuse(c, VEC_GP, t->ss);
    if (!DESC_P(t->ss_desc))
        return refuse(c, VEC_SS, t->ss);
    return seg_mark_accessed(c, t->ss, &t->ss_desc);
}

static bool check_target(struct icpu *c, struct target *t, const struct insn *i,
                         bool with_ss)
{
    if (!check_cs(c, t, i) || (with_ss && !check_ss(c, t)))
        return false;
    if (!gva_canonical(t->rip))
        return refuse(c, VEC_GP, 0);
    return seg_mark_accessed(c, t->cs, &t->cs_desc);
}

static void enter_target(struct icpu *c, const struct target *t, bool with_ss)
{
    unsigned rpl = t->cs & 3;
    bool outer = rpl != c->cpl;

    c->rip = t->rip;
    seg_set(&c->seg[CS], t->cs, t->cs_desc);
    if (with_ss) {
        c->gpr[RSP] = t->rsp;
        if (t->ss_desc) {
            seg_set(&c->seg[SS], t->ss, t->ss_desc);
        } else {
            seg_set_null(&c->seg[SS], t->ss);
            c->seg[SS].attr |= rpl << 5;
        }
    }
    set_cpl(c, rpl);
    if (outer)
        seg_drop_privileged(c);
}

/* i->rm: operand size. In 64-bit mode IRET always pops RSP and SS. */
static void iret(struct icpu *c, const struct insn *i)
{
    unsigned size = i->rm, cpl = c->cpl;
    uint64_t flags, mask;
    struct target t;
    const void *p;

    sync_before(c, i);
    count(c, EV_EXIT_IRET);
    if (c->rflags & FL_NT)
        return raise_error(c, NULL, VEC_GP, 0);
    p = mem_slow(c, NULL, c->gpr[RSP], 5 * size, SS, MEM_NOAC);
    if (!p)
        return;
    t.rip = slot(p, size, 0);
    t.cs = (uint16_t)slot(p, size, 1);
    flags = slot(p, size, 2);
    t.rsp = slot(p, size, 3);
    t.ss = (uint16_t)slot(p, size, 4);
    if (!check_target(c, &t, i, true))
        return;

    mask = FL_ARITH | FL_TF | FL_DF | FL_NT;
    if (size != 2)
        mask |= FL_AC | FL_ID;
    if (cpl == 0)
        mask |= FL_IOPL;
    if (cpl <= (c->rflags & FL_IOPL) >> 12)
        mask |= FL_IF;
    c->budget--;
    enter_target(c, &t, true);
    set_rflags(c, (get_rflags(c) & ~mask) | (flags & mask));
}

/* imm: bytes of arguments to drop. */
static void ret_far(struct icpu *c, const struct insn *i)
{
    unsigned size = i->rm;
    struct target t;
    const void *p;
    bool outer;

    sync_before(c, i);
    p = mem_slow(c, NULL, c->gpr[RSP], 2 * size, SS, MEM_NOAC);
    if (!p)
        return;
    t.rip = slot(p, size, 0);
    t.cs = (uint16_t)slot(p, size, 1);
    outer = (t.cs & 3) > c->cpl;
    if (outer) {
        p = mem_slow(c, NULL, c->gpr[RSP] + 2 * size + (uint64_t)i->imm,
                     2 * size, SS, MEM_NOAC);
        if (!p)
            return;
        t.rsp = slot(p, size, 0) + (uint64_t)i->imm;
        t.ss = (uint16_t)slot(p, size, 1);
    }
    if (!check_target(c, &t, i, outer))
        return;
    c->budget--;
    if (!outer)
        c->gpr[RSP] += 2 * size + (uint64_t)i->imm;
    enter_target(c, &t, outer);
}

/* ---- Jumps and calls: only to code of the same level ------------------ */

/* A call gate or a task is #GP here: nobody uses gates in long mode. */
static bool check_jump(struct icpu *c, const struct insn *i, uint16_t sel,
                       uint64_t *desc)
{
    unsigned type, dpl, rpl = sel & 3;

    if (!(sel & ~3u))
        return refuse(c, VEC_GP, 0);
    if (!seg_read_desc(c, sel, desc, VEC_GP, 0))
        return false;
    type = DESC_TYPE(*desc);
    dpl = DESC_DPL(*desc);
    if (!DESC_S(*desc) || !(type & TYPE_CODE))
        return refuse(c, VEC_GP, sel);
    if (type & TYPE_CONFORMING ? dpl > c->cpl : rpl > c->cpl || dpl != c->cpl)
        return refuse(c, VEC_GP, sel);
    if (!DESC_P(*desc))
        return refuse(c, VEC_NP, sel);
    if (!DESC_L(*desc)) {
        emulation_fails(c, i, "far jump to compatibility mode");
        return false;
    }
    if (DESC_DB(*desc))
        return refuse(c, VEC_GP, sel);
    return true;
}

/* imm: 1 for a call; i->rm: operand size; the operand is m16:rm. */
static void jump_far(struct icpu *c, const struct insn *i)
{
    unsigned size = i->rm;
    uint64_t rip, desc, next, rsp = c->gpr[RSP] - 2 * size, from[2];
    const uint8_t *p;
    uint8_t *to = NULL;
    uint16_t sel;

    sync_before(c, i);
    p = mem_slow(c, NULL, ea_any(c, i), size + 2, i->seg, MEM_NOAC);
    if (!p)
        return;
    rip = slot(p, size, 0);
    sel = *(const u16a *)(p + size);
    if (!check_jump(c, i, sel, &desc))
        return;
    if (!gva_canonical(rip)) {
        refuse(c, VEC_GP, 0);
        return;
    }
    if (!seg_mark_accessed(c, sel, &desc))
        return;
    if (i->imm) {
        to = mem_slow(c, NULL, rsp, 2 * size, SS, MEM_WRITE | MEM_NOAC);
        if (!to)
            return;
        next = c->rip + i->len;
        from[0] = next;
        from[1] = c->seg[CS].sel;
        for (unsigned k = 0; k < 2 * size; k++)
            to[k] = (uint8_t)(from[k / size] >> 8 * (k % size));
        mem_commit(c);
        c->gpr[RSP] = rsp;
    }
    c->budget--;
    c->rip = rip;
    seg_set(&c->seg[CS], (uint16_t)((sel & ~3u) | c->cpl), desc);
}

bool select_far(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    bool far = x->zi.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;

    switch (x->op) {
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
        ch->fn = iret;
        break;
    case ZYDIS_MNEMONIC_JMP:
    case ZYDIS_MNEMONIC_CALL:
        if (!far)
            return false;
        i->imm = x->op == ZYDIS_MNEMONIC_CALL;
        ch->fn = jump_far;
        break;
    case ZYDIS_MNEMONIC_RET:
        if (!far)
            return false;
        i->imm = x->opnd[0].kind == OPND_IMM ? x->opnd[0].imm & 0xffff : 0;
        ch->fn = ret_far;
        break;
    default:
        return false;
    }
    i->rm = x->zi.raw.rex.W                                   ? 8
            : x->zi.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE ? 2
                                                              : 4;
    ch->ends = ch->faults = true;
    return true;
}
