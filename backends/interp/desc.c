/* Descriptor-table registers, segment registers and segment queries. */
#include "seg.h"
#include "system.h"

#include "../x86/walk.h"

/* ---- SGDT, SIDT, LGDT, LIDT ------------------------------------------- */

static bool umip(struct icpu *c)
{
    return !(c->cr4 & CR4_UMIP) || privileged(c);
}

static void count_desc(struct icpu *c)
{
    if (c->cpl != 3)
        count(c, EV_EXIT_DESC);
}

static void store_dtr(struct icpu *c, const struct insn *i,
                      const struct x86_dtr *dtr)
{
    uint8_t *p;

    sync_before(c, i);
    if (!umip(c))
        return;
    p = mem_slow(c, NULL, ea_any(c, i), 10, i->seg, MEM_WRITE | MEM_NOAC);
    if (!p)
        return;
    *(u16a *)p = dtr->limit;
    *(u64a *)(p + 2) = dtr->base;
    mem_commit(c);
    count_desc(c);
    done(c, i);
}

static void sgdt(struct icpu *c, const struct insn *i)
{
    store_dtr(c, i, &c->gdtr);
}

static void sidt(struct icpu *c, const struct insn *i)
{
    store_dtr(c, i, &c->idtr);
}

static void load_dtr(struct icpu *c, const struct insn *i, struct x86_dtr *dtr)
{
    const uint8_t *p;
    uint64_t base;

    sync_before(c, i);
    if (!privileged(c))
        return;
    p = mem_slow(c, NULL, ea_any(c, i), 10, i->seg, MEM_NOAC);
    if (!p)
        return;
    base = *(const u64a *)(p + 2);
    if (!gva_canonical(base))
        return raise_error(c, NULL, VEC_GP, 0);
    dtr->limit = *(const u16a *)p;
    dtr->base = base;
    count_desc(c);
    done(c, i);
}

static void lgdt(struct icpu *c, const struct insn *i)
{
    load_dtr(c, i, &c->gdtr);
}

static void lidt(struct icpu *c, const struct insn *i)
{
    load_dtr(c, i, &c->idtr);
}

/* ---- Selectors: a register (i->reg) or memory (i->rm = 1) ------------- */

static void store_selector(struct icpu *c, const struct insn *i, uint16_t sel)
{
    if (i->rm) {
        u16a *p = mem_slow(c, NULL, ea_any(c, i), 2, i->seg, MEM_WRITE);

        if (!p)
            return;
        *p = sel;
        mem_commit(c);
    } else {
        write_sized(c, i->reg, i->scale, sel);
    }
    done(c, i);
}

static bool load_selector(struct icpu *c, const struct insn *i, uint16_t *sel)
{
    const u16a *p;

    if (!i->rm) {
        *sel = R16(i->reg);
        return true;
    }
    p = mem_slow(c, NULL, ea_any(c, i), 2, i->seg, 0);
    if (!p)
        return false;
    *sel = *p;
    return true;
}

static void sldt(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    if (!umip(c))
        return;
    count_desc(c);
    store_selector(c, i, c->ldtr.sel);
}

static void str(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    if (!umip(c))
        return;
    count_desc(c);
    store_selector(c, i, c->tr.sel);
}

/* The 16-byte system descriptors of long mode. */
static bool system_desc(struct icpu *c, uint16_t sel, unsigned type,
                        struct x86_seg *s)
{
    uint64_t desc[2];

    if (sel & 4 || (sel | 15u) > c->gdtr.limit) {
        raise_error(c, NULL, VEC_GP, sel & ~3u);
        return false;
    }
    if (!mem_read_sys(c, c->gdtr.base + (sel & ~7u), desc, 16))
        return false;
    if (DESC_S(desc[0]) || DESC_TYPE(desc[0]) != type) {
        raise_error(c, NULL, VEC_GP, sel & ~3u);
        return false;
    }
    if (!DESC_P(desc[0])) {
        raise_error(c, NULL, VEC_NP, sel & ~3u);
        return false;
    }
    seg_set(s, sel, desc[0]);
    s->base |= desc[1] << 32;
    if (!gva_canonical(s->base)) {
        raise_error(c, NULL, VEC_GP, sel & ~3u);
        return false;
    }
    return true;
}

static void lldt(struct icpu *c, const struct insn *i)
{
    struct x86_seg s;
    uint16_t sel;

    sync_before(c, i);
    if (!privileged(c) || !load_selector(c, i, &sel))
        return;
    if (!(sel & ~3u))
        seg_set_null(&s, sel);
    else if (!system_desc(c, sel, 2, &s))
        return;
    c->ldtr = s;
    count_desc(c);
    done(c, i);
}

static void ltr(struct icpu *c, const struct insn *i)
{
    struct x86_seg s;
    uint16_t sel;
    uint8_t type;

    sync_before(c, i);
    if (!privileged(c) || !load_selector(c, i, &sel))
        return;
    if (!(sel & ~3u))
        return raise_error(c, NULL, VEC_GP, 0);
    if (!system_desc(c, sel, 9, &s))
        return;
    s.attr |= 2; /* busy */
    type = (uint8_t)s.attr;
    if (!mem_write_sys(c, c->gdtr.base + (sel & ~7u) + 5, &type, 1))
        return;
    c->tr = s;
    count_desc(c);
    done(c, i);
}

/* ---- MOV, PUSH and POP of segment registers: imm is the register ------ */

static void mov_from_sreg(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    store_selector(c, i, c->seg[i->imm].sel);
}

static void loaded(struct icpu *c, const struct insn *i)
{
    if (i->imm == SS)
        c->shadow = c->shadow_ss = true;
    done(c, i);
    if (c->shadow)
        cut_budget(c);
}

static void mov_to_sreg(struct icpu *c, const struct insn *i)
{
    uint16_t sel;

    sync_before(c, i);
    if (!load_selector(c, i, &sel) || !seg_load(c, (unsigned)i->imm, sel))
        return;
    loaded(c, i);
}

/* i->scale: log2 of the operand size. Only two bytes are stored, as by CPUs; the
 * rest of the slot is zero in the 64-bit form. */
static void push_sreg(struct icpu *c, const struct insn *i)
{
    unsigned size = 1u << i->scale;
    uint64_t rsp = c->gpr[RSP] - size;
    void *p;

    sync_before(c, i);
    p = mem_slow(c, NULL, rsp, size, SS, MEM_WRITE);
    if (!p)
        return;
    if (size == 2)
        *(u16a *)p = c->seg[i->imm].sel;
    else
        *(u64a *)p = c->seg[i->imm].sel;
    mem_commit(c);
    c->gpr[RSP] = rsp;
    done(c, i);
}

static void pop_sreg(struct icpu *c, const struct insn *i)
{
    unsigned size = 1u << i->scale;
    const u16a *p;

    sync_before(c, i);
    p = mem_slow(c, NULL, c->gpr[RSP], size, SS, 0);
    if (!p || !seg_load(c, (unsigned)i->imm, *p))
        return;
    c->gpr[RSP] += size;
    loaded(c, i);
}

/* LSS, LFS, LGS. i->rm: log2 of the offset's size; no window follows LSS. */
static void load_far(struct icpu *c, const struct insn *i)
{
    unsigned size = 1u << i->rm;
    uint64_t offset = 0;
    const uint8_t *p;
    uint16_t sel;

    sync_before(c, i);
    p = mem_slow(c, NULL, ea_any(c, i), size + 2, i->seg, MEM_NOAC);
    if (!p)
        return;
    for (unsigned k = 0; k < size; k++)
        offset |= (uint64_t)p[k] << 8 * k;
    sel = (uint16_t)(p[size] | p[size + 1] << 8);
    if (!seg_load(c, (unsigned)i->imm, sel))
        return;
    write_sized(c, i->reg, i->rm, offset);
    done(c, i);
}

/* ---- LAR, LSL, VERR, VERW --------------------------------------------- */

static void set_zf(struct icpu *c, bool zf)
{
    c->fl = (uint16_t)((c->fl & ~(FL_ZF << 8)) | (zf ? FL_ZF << 8 : 0));
}

/* Read a descriptor without faulting on a bad selector. 1: visible at this
 * privilege; 0: not; -1: a page fault is pending. */
static int query(struct icpu *c, uint16_t sel, uint64_t *desc)
{
    const struct x86_dtr *gdt = &c->gdtr;
    unsigned dpl, type;

    if (!(sel & ~3u))
        return 0;
    if (sel & 4) {
        if (c->ldtr.attr & SEG_UNUSABLE || (sel | 7u) > c->ldtr.limit)
            return 0;
    } else if ((sel | 7u) > gdt->limit) {
        return 0;
    }
    if (!seg_read_desc(c, sel, desc, VEC_GP, 0))
        return -1;
    type = DESC_TYPE(*desc);
    dpl = DESC_DPL(*desc);
    if (DESC_S(*desc) &&
        (type & (TYPE_CODE | TYPE_CONFORMING)) == (TYPE_CODE | TYPE_CONFORMING))
        return 1;
    return c->cpl <= dpl && (sel & 3) <= dpl;
}

/* LAR knows these system types in long mode: LDT, TSS (available, busy), call
 * gate; LSL not the gate. */
static bool query_type(uint64_t desc, bool lar)
{
    unsigned type = DESC_TYPE(desc);

    if (DESC_S(desc))
        return true;
    return type == 2 || type == 9 || type == 11 || (lar && type == 12);
}

/* imm: 1 for LAR, and the log2 of the destination's size above it. */
static void lar_lsl(struct icpu *c, const struct insn *i)
{
    bool lar = i->imm & 1;
    struct x86_seg s;
    uint64_t desc = 0;
    uint16_t sel;
    int r;

    sync_before(c, i);
    if (i->rm) {
        if (!load_selector(c, i, &sel))
            return;
    } else {
        sel = R16(i->index);
    }
    r = query(c, sel, &desc);
    if (r < 0)
        return;
    r = r && query_type(desc, lar);
    if (r) {
        seg_set(&s, sel, desc);
        write_sized(c, i->reg, (unsigned)i->imm >> 1,
                    lar ? desc >> 32 & 0xffff00 : s.limit);
    }
    set_zf(c, r);
    done(c, i);
}

static void verr_verw(struct icpu *c, const struct insn *i)
{
    uint64_t desc = 0;
    uint16_t sel;
    unsigned type;
    int r;

    sync_before(c, i);
    if (!load_selector(c, i, &sel))
        return;
    r = query(c, sel, &desc);
    if (r < 0)
        return;
    type = DESC_TYPE(desc);
    if (!DESC_S(desc))
        r = 0;
    else if (i->imm) /* VERR */
        r = r && (!(type & TYPE_CODE) || type & TYPE_RW);
    else
        r = r && !(type & TYPE_CODE) && type & TYPE_RW;
    set_zf(c, r);
    done(c, i);
}

/* ---- Selection -------------------------------------------------------- */

static bool select_sreg(const struct x86_insn *x, struct insn *i,
                        struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];

    if (a->kind == OPND_SREG && x->op == ZYDIS_MNEMONIC_MOV) {
        i->imm = a->reg;
        i->rm = b->kind == OPND_MEM;
        i->reg = b->kind == OPND_MEM ? 0 : reg_offset(b);
        ch->fn = a->reg == CS ? raise_ud : mov_to_sreg;
    } else if (b->kind == OPND_SREG && x->op == ZYDIS_MNEMONIC_MOV) {
        i->imm = b->reg;
        i->rm = a->kind == OPND_MEM;
        i->reg = reg_offset(a);
        if (!i->rm)
            i->scale = (uint8_t)size_index(a->size);
        ch->fn = mov_from_sreg;
    } else if (a->kind == OPND_SREG) {
        i->imm = a->reg;
        i->scale = x->opsize == 2 ? 1 : 3;
        ch->fn = x->op == ZYDIS_MNEMONIC_PUSH ? push_sreg : pop_sreg;
    } else {
        return false;
    }
    return true;
}

static bool select_far_pointer(const struct x86_insn *x, struct insn *i,
                               struct choice *ch)
{
    switch (x->op) {
    case ZYDIS_MNEMONIC_LSS:
        i->imm = SS;
        break;
    case ZYDIS_MNEMONIC_LFS:
        i->imm = FS;
        break;
    case ZYDIS_MNEMONIC_LGS:
        i->imm = GS;
        break;
    default:
        return false;
    }
    i->rm = (uint8_t)size_index(x->opnd[0].size);
    ch->fn = load_far;
    return true;
}

static bool select_query(const struct x86_insn *x, struct insn *i,
                         struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];

    i->imm = (x->op == ZYDIS_MNEMONIC_LAR) | (int)size_index(a->size) << 1;
    i->rm = b->kind == OPND_MEM;
    i->reg = reg_offset(a);
    if (!i->rm)
        i->index = reg_offset(b);
    ch->fn = lar_lsl;
    return true;
}

bool select_desc(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    static const struct {
        uint16_t op;
        insn_fn *fn;
    } table[] = {
        {ZYDIS_MNEMONIC_SGDT, sgdt},      {ZYDIS_MNEMONIC_SIDT, sidt},
        {ZYDIS_MNEMONIC_LGDT, lgdt},      {ZYDIS_MNEMONIC_LIDT, lidt},
        {ZYDIS_MNEMONIC_SLDT, sldt},      {ZYDIS_MNEMONIC_STR, str},
        {ZYDIS_MNEMONIC_LLDT, lldt},      {ZYDIS_MNEMONIC_LTR, ltr},
        {ZYDIS_MNEMONIC_VERR, verr_verw}, {ZYDIS_MNEMONIC_VERW, verr_verw},
    };

    ch->ends = ch->faults = true;
    if (select_sreg(x, i, ch) || select_far_pointer(x, i, ch))
        return true;
    if (x->op == ZYDIS_MNEMONIC_LAR || x->op == ZYDIS_MNEMONIC_LSL)
        return select_query(x, i, ch);
    for (unsigned k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
        if (x->op != table[k].op)
            continue;
        i->rm = x->opnd[0].kind == OPND_MEM;
        if (!i->rm)
            i->scale = (uint8_t)size_index(x->opnd[0].size);
        i->imm = x->op == ZYDIS_MNEMONIC_VERR;
        ch->fn = table[k].fn;
        return true;
    }
    ch->ends = false;
    ch->faults = x->has_mem;
    return false;
}
