/* SYSCALL, SYSRET, HLT, CLI, STI and the rest of the system instructions. */
#include "system.h"

#include "block.h"
#include "seg.h"

#include "../x86/walk.h"

void raise_ud(struct icpu *c, const struct insn *i)
{
    return raise_fault(c, i, VEC_UD);
}

void raise_gp(struct icpu *c, const struct insn *i)
{
    return raise_error(c, i, VEC_GP, 0);
}

static void nop(struct icpu *c, const struct insn *i)
{
    NEXT;
}

/* CLFLUSH faults as a one-byte load does. */
static void clflush(struct icpu *c, const struct insn *i)
{
    if (!mem_slow(c, i, ea_any(c, i), 1, i->seg, 0))
        return;
    NEXT;
}

/* ---- System calls ----------------------------------------------------- */

static void flat_segment(struct x86_seg *s, unsigned sel, uint32_t attr)
{
    s->sel = (uint16_t)sel;
    s->base = 0;
    s->limit = 0xffffffff;
    s->attr = attr;
}

static void insn_syscall(struct icpu *c, const struct insn *i)
{
    unsigned cs = (unsigned)(c->star >> 32) & 0xfffc;

    sync_before(c, i);
    if (!(c->efer & EFER_SCE))
        return raise_fault(c, NULL, VEC_UD);
    count(c, EV_GUEST_SYSCALL);
    count(c, EV_EXIT_SYSCALL);
    done(c, i);
    c->gpr[RCX] = c->rip;
    c->gpr[R11] = get_rflags(c) & ~FL_RF;
    set_rflags(c, get_rflags(c) & ~c->sfmask);
    c->rip = c->lstar;
    flat_segment(&c->seg[CS], cs, 0xa09b);
    flat_segment(&c->seg[SS], (cs + 8) & 0xffff, 0xc093);
    set_cpl(c, 0);
    if (c->budget >= 0)
        return jump_to(c, c->rip);
}

/* Only the 64-bit form: there is no compatibility mode to return to. i->rm:
 * REX.W. */
static void insn_sysret(struct icpu *c, const struct insn *i)
{
    unsigned sel = (unsigned)(c->star >> 48);

    sync_before(c, i);
    if (!(c->efer & EFER_SCE))
        return raise_fault(c, NULL, VEC_UD);
    if (!privileged(c))
        return;
    if (!i->rm)
        return emulation_fails(c, i, "SYSRET to compatibility mode");
    if (!gva_canonical(c->gpr[RCX]))
        return raise_error(c, NULL, VEC_GP, 0);
    count(c, EV_EXIT_SYSCALL);
    done(c, i);
    c->rip = c->gpr[RCX];
    flat_segment(&c->seg[CS], ((sel + 16) & 0xffff) | 3, 0xa0fb);
    flat_segment(&c->seg[SS], ((sel + 8) & 0xffff) | 3, 0xc0f3);
    set_cpl(c, 3);
    set_rflags(c, c->gpr[R11] & (FL_ARITH | FL_TF | FL_IF | FL_DF | FL_IOPL |
                                 FL_NT | FL_AC | FL_ID));
    if (c->budget >= 0 && !c->vm.attention && !(c->rflags & FL_TF))
        return jump_to(c, c->rip);
}

/* ---- Interrupt flag and halt ------------------------------------------ */

static bool may_set_if(struct icpu *c, const struct insn *i)
{
    if (c->cpl <= (c->rflags & FL_IOPL) >> 12)
        return true;
    raise_error(c, i, VEC_GP, 0);
    return false;
}

static void cli(struct icpu *c, const struct insn *i)
{
    if (!may_set_if(c, i))
        return;
    count(c, EV_EXIT_IF);
    c->rflags &= ~FL_IF;
    NEXT;
}

/* The translator puts STI in front of another instruction of its block, which
 * then is the one in the window. Where an interrupt waits, or STI stands
 * alone, the run loop keeps the window. */
static void sti(struct icpu *c, const struct insn *i)
{
    if (!may_set_if(c, i))
        return;
    count(c, EV_EXIT_IF);
    if (c->rflags & FL_IF)
        NEXT;
    c->rflags |= FL_IF;
    if (likely(!c->vm.attention && i->idx + 1 < insn_block(i)->n))
        NEXT;
    sync_after(c, i);
    cut_budget(c);
    c->shadow = true;
}

static void hlt(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    if (!privileged(c))
        return;
    count(c, EV_EXIT_HLT);
    done(c, i);
    c->halted = true;
}

/* ---- Others ----------------------------------------------------------- */

static void swapgs(struct icpu *c, const struct insn *i)
{
    uint64_t base = c->seg_base[GS];

    if (c->cpl)
        return raise_error(c, i, VEC_GP, 0);
    c->seg_base[GS] = c->kernel_gs_base;
    c->kernel_gs_base = base;
    NEXT;
}

/* No hypercall is implemented: -KVM_ENOSYS, as KVM answers an unknown one. */
static void hypercall(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    count(c, EV_EXIT_HYPERCALL);
    c->gpr[RAX] = (uint64_t)-1000ll;
    done(c, i);
}

static void wbinvd(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    if (!privileged(c))
        return;
    count(c, EV_EXIT_OTHER);
    done(c, i);
}

/* i->rm: the segment; i->scale: log2 of the operand size; imm: 1 to write. */
static void fsgsbase(struct icpu *c, const struct insn *i)
{
    uint64_t v;

    if (!(c->cr4 & CR4_FSGSBASE))
        return raise_fault(c, i, VEC_UD);
    if (!i->imm) {
        write_sized(c, i->reg, i->scale, c->seg_base[i->rm]);
        NEXT;
    }
    v = i->scale == 2 ? R32(i->reg) : R64(i->reg);
    if (!gva_canonical(v))
        return raise_error(c, i, VEC_GP, 0);
    c->seg_base[i->rm] = v;
    NEXT;
}

static void smap_ac(struct icpu *c, const struct insn *i)
{
    if (c->cpl || !(c->cr4 & CR4_SMAP))
        return raise_fault(c, i, VEC_UD);
    if (i->imm)
        c->rflags |= FL_AC;
    else
        c->rflags &= ~FL_AC;
    mem_update_mode(c);
    NEXT;
}

static void int3(struct icpu *c, const struct insn *i)
{
    sync_after(c, i);
    raise_trap(c, VEC_BP);
    c->pending.soft = i->len;
}

/* INT1 asks no gate for permission: hardware's own #DB. */
static void int1(struct icpu *c, const struct insn *i)
{
    sync_after(c, i);
    raise_trap(c, VEC_DB);
}

static void int_n(struct icpu *c, const struct insn *i)
{
    uint64_t start = insn_rip(i);

    sync_after(c, i);
    event_soft_int(c, (unsigned)i->imm, start);
}

/* ---- Selection -------------------------------------------------------- */

#define ENDS 1u
#define FAULTS 2u

static const struct row {
    uint16_t op;
    insn_fn *fn;
    unsigned flags;
} table[] = {
    {ZYDIS_MNEMONIC_NOP, nop, 0},
    {ZYDIS_MNEMONIC_PAUSE, nop, 0},
    {ZYDIS_MNEMONIC_ENDBR32, nop, 0},
    {ZYDIS_MNEMONIC_ENDBR64, nop, 0},
    {ZYDIS_MNEMONIC_RDSSPD, nop, 0},
    {ZYDIS_MNEMONIC_RDSSPQ, nop, 0},
    {ZYDIS_MNEMONIC_LFENCE, nop, 0},
    {ZYDIS_MNEMONIC_MFENCE, nop, 0},
    {ZYDIS_MNEMONIC_SFENCE, nop, 0},
    {ZYDIS_MNEMONIC_PREFETCH, nop, 0},
    {ZYDIS_MNEMONIC_PREFETCHNTA, nop, 0},
    {ZYDIS_MNEMONIC_PREFETCHT0, nop, 0},
    {ZYDIS_MNEMONIC_PREFETCHT1, nop, 0},
    {ZYDIS_MNEMONIC_PREFETCHT2, nop, 0},
    {ZYDIS_MNEMONIC_PREFETCHW, nop, 0},
    {ZYDIS_MNEMONIC_PREFETCHWT1, nop, 0},
    {ZYDIS_MNEMONIC_CLFLUSH, clflush, FAULTS},
    {ZYDIS_MNEMONIC_SYSCALL, insn_syscall, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_SYSRET, insn_sysret, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_CLI, cli, FAULTS},
    {ZYDIS_MNEMONIC_STI, sti, FAULTS},
    {ZYDIS_MNEMONIC_HLT, hlt, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_SWAPGS, swapgs, FAULTS},
    {ZYDIS_MNEMONIC_VMCALL, hypercall, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_VMMCALL, hypercall, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_WBINVD, wbinvd, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_INVD, wbinvd, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_CPUID, insn_cpuid, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_RDMSR, insn_rdmsr, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_WRMSR, insn_wrmsr, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_RDTSC, insn_rdtsc, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_RDTSCP, insn_rdtscp, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_RDPMC, raise_gp, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_STAC, smap_ac, FAULTS},
    {ZYDIS_MNEMONIC_CLAC, smap_ac, FAULTS},
    {ZYDIS_MNEMONIC_INT3, int3, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_INT, int_n, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_INT1, int1, ENDS | FAULTS},
    {ZYDIS_MNEMONIC_RDFSBASE, fsgsbase, FAULTS},
    {ZYDIS_MNEMONIC_RDGSBASE, fsgsbase, FAULTS},
    {ZYDIS_MNEMONIC_WRFSBASE, fsgsbase, FAULTS},
    {ZYDIS_MNEMONIC_WRGSBASE, fsgsbase, FAULTS},
};

bool select_system(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct row *r = table;

    if (select_cr(x, i, ch) || select_desc(x, i, ch))
        return true;
    while (r < table + sizeof(table) / sizeof(table[0]) && r->op != x->op)
        r++;
    if (r == table + sizeof(table) / sizeof(table[0]))
        return false;
    ch->fn = r->fn;
    ch->ends = r->flags & ENDS;
    ch->faults = r->flags & FAULTS;
    switch (x->op) {
    case ZYDIS_MNEMONIC_STI:
        ch->shadow = true;
        break;
    case ZYDIS_MNEMONIC_SYSRET:
        i->rm = x->zi.raw.rex.W;
        break;
    case ZYDIS_MNEMONIC_STAC:
    case ZYDIS_MNEMONIC_CLAC:
        i->imm = x->op == ZYDIS_MNEMONIC_STAC;
        break;
    case ZYDIS_MNEMONIC_INT:
        i->imm &= 0xff;
        if (i->imm == VEC_BP)
            ch->fn = int3;
        break;
    case ZYDIS_MNEMONIC_RDFSBASE:
    case ZYDIS_MNEMONIC_RDGSBASE:
    case ZYDIS_MNEMONIC_WRFSBASE:
    case ZYDIS_MNEMONIC_WRGSBASE:
        i->rm =
            x->op == ZYDIS_MNEMONIC_RDFSBASE || x->op == ZYDIS_MNEMONIC_WRFSBASE
                ? FS
                : GS;
        i->imm = x->op == ZYDIS_MNEMONIC_WRFSBASE ||
                 x->op == ZYDIS_MNEMONIC_WRGSBASE;
        i->scale = (uint8_t)size_index(x->opnd[0].size);
        break;
    default:
        break;
    }
    return true;
}
