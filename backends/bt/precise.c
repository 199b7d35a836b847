/* The guest's exact state, from wherever in the cache the host was stopped. */
#include "bt.h"

#include <string.h>

/* AX after `seto %al; lahf`. */
static uint64_t packed_flags(uint64_t rflags, uint64_t ax, uint64_t overflow)
{
    return (rflags & FL_DF) |
           ((ax >> 8) & (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF)) |
           (overflow ? FL_OF : 0);
}

/* The n-th that were pushed. */
static uint64_t stacked_flags(const struct bt_cpu *cpu, unsigned n)
{
    return cpu->flag_stack[8 - n] & BT_ARITH_FLAGS;
}

void bt_unspill(struct bt_cpu *cpu, unsigned fix)
{
    for (unsigned k = 0; k < SPILLS; k++)
        if (fix & 1u << k)
            cpu->gpr[bt_spill_regs[k]] = cpu->spill[k];
}

/* Where the RET at its end is expected to go. */
static uint64_t expected(const struct bt_cpu *cpu, const struct bt_frag *f)
{
    int32_t pc;

    memcpy(&pc, cpu->bt->rw + f->expects, 4);
    return (uint64_t)pc;
}

static void fix_more(struct bt_cpu *cpu, const struct bt_frag *f, unsigned fix)
{
    const uint64_t rax = cpu->gpr[RAX], rcx = cpu->gpr[RCX];

    bt_unspill(cpu, fix);
    switch (fix & FIX_MORE) {
    case FIX_RDI:
        cpu->gpr[RDI] -= SHADOW_DELTA;
        break;
    case FIX_FLAGS:
        cpu->rflags = packed_flags(cpu->rflags, rax, rax & 1);
        break;
    case FIX_FLAGS7:
        cpu->rflags = packed_flags(cpu->rflags, rax, rax & 0x80);
        break;
    case FIX_SWAP:
        cpu->kernel_gs_base = rcx;
        break;
    case FIX_RIP_RCX:
        cpu->rip = rcx;
        break;
    case FIX_RIP_SUM:
        cpu->rip = rcx + expected(cpu, f);
        break;
    case FIX_RIP_SUM1:
        cpu->rip = rcx + expected(cpu, f) - 1;
        break;
    case FIX_RIP_RET:
        cpu->rip = expected(cpu, f);
        break;
    case FIX_TARGET:
        cpu->rip = cpu->target;
        break;
    case FIX_TAKEN:
        cpu->rip = f->taken;
        break;
    case FIX_POPF:
        cpu->rflags = stacked_flags(cpu, 2);
        break;
    case FIX_FLSTK:
        cpu->rflags = stacked_flags(cpu, 1);
        break;
    }
}

/* In an indirect entry, at this offset, or in a jump around it. */
static void in_entry(struct bt *bt, const struct bt_frag *f, uint32_t off)
{
    uint32_t begin;
    const struct bt_entry *t = bt_entry_at(bt, f, off, &begin);
    unsigned k = t ? t->nmarks : 0;

    bt->cpu->rip = t ? bt->cpu->target : f->pc;
    while (k > 1 && begin + t->marks[k - 1].at > off)
        k--;
    if (k)
        fix_more(bt->cpu, f, t->marks[k - 1].fix);
}

static void in_code(struct bt *bt, uint32_t off)
{
    const struct bt_frag *f = bt_frag_at(bt, off);
    const struct bt_map *m = &bt->maps[f->map];
    unsigned k = f->nmap;

    if (off < f->inner) {
        in_entry(bt, f, off);
        return;
    }
    while (k > 1 && m[k - 1].off > off)
        k--;
    m += k - 1;
    bt->cpu->rip = f->pc + f->off[m->insn];
    bt->s.int_shadow = m->insn < 64 && f->sti >> m->insn & 1;
    fix_more(bt->cpu, f, m->fix);
    bt->cpu->gpr[RSP] += (uint64_t)m->rsp;
    /* The branch is done, and with it the shadow. */
    if (bt->cpu->rip != f->pc + f->off[m->insn])
        bt->s.int_shadow = 0;
}

/* On the way out by this exit, the registers still as they were. */
static void leaving(struct bt_cpu *cpu, const struct bt_exit *e)
{
    switch (e->kind) {
    case BT_EXIT_RETURN:
        fix_more(cpu, NULL, bt_spilled[BT_BY_RETURN] | FIX_RIP_RCX);
        break;
    case BT_EXIT_MISS:
        fix_more(cpu, NULL, bt_spilled[cpu->exit] | FIX_TARGET);
        break;
    case BT_EXIT_JUMP:
    case BT_EXIT_IRQ:
        cpu->rip = e->target;
        break;
    default:
        cpu->rip = e->pc;
    }
}

static void in_stub(struct bt *bt, uint32_t off)
{
    uint32_t owner = bt->stub_owner[off / BT_STUB];
    const struct bt_frag *f;

    if (owner & BT_OWNER_EXIT) {
        const struct bt_exit *e = &bt->exits[owner & ~BT_OWNER_EXIT];

        if (off >= e->table + BT_SPILLING)
            bt_unspill(bt->cpu, bt_spilled[BT_BY_JUMP]);
        bt->cpu->rip = e->target;
        return;
    }
    if (!(owner & BT_OWNER_FRAG)) {
        leaving(bt->cpu, &bt->exits[owner]);
        return;
    }
    f = &bt->frags[owner & ~BT_OWNER_FRAG];
    in_entry(bt, f, off);
}

/* In the code that all share. */
static void in_fixed(struct bt *bt, uint32_t off)
{
    const struct bt_exit *e = &bt->exits[bt->cpu->exit];
    enum bt_way way = off >= bt->miss[BT_BY_RETURN] ? BT_BY_RETURN : BT_BY_JUMP;

    if (off >= bt->miss[0]) {
        fix_more(bt->cpu, NULL, bt_spilled[way] | FIX_TARGET);
        return;
    }
    /* Saving: nothing has changed yet. */
    leaving(bt->cpu, e);
    bt->s.int_shadow = e->kind == BT_EXIT_IRQ;
}

void bt_precise(struct bt *bt)
{
    struct bt_cpu *cpu = bt->cpu;
    uint64_t rip = cpu->host.regs.rip;
    uint32_t off = (uint32_t)(rip - BT_CACHE);
    bool cache = rip - BT_CACHE < BT_CACHE_SIZE;

    /* On the way back from a callout all is in place but the registers. */
    for (unsigned k = 0; k < BT_CALLOUTS; k++)
        if (cache && off >= bt->callouts[k].saved && off < bt->callouts[k].end)
            return;
    memcpy(cpu->gpr, cpu->host.regs.gpr, sizeof(cpu->gpr));
    cpu->rflags = cpu->host.regs.rflags;
    bt->s.int_shadow = 0;
    if (!cache)
        cpu->rip = rip;
    else if (off < bt->fixed)
        in_fixed(bt, off);
    else if (off < bt->code)
        in_code(bt, off);
    else
        in_stub(bt, off);
}
