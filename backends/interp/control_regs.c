/* Control and debug registers, and what changes the address space. */
#include "fx.h"
#include "paging.h"
#include "system.h"

#define CR0_KNOWN                                                              \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM |   \
     CR0_NW | CR0_CD | CR0_PG)
#define CR4_KNOWN                                                              \
    (0x3ull | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |       \
     CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_SMEP |        \
     CR4_SMAP)

static bool gp(struct icpu *c)
{
    raise_error(c, NULL, VEC_GP, 0);
    return false;
}

static bool write_cr0(struct icpu *c, uint64_t v)
{
    uint64_t changed;

    if (v >> 32 || (v & CR0_PG && !(v & CR0_PE)) ||
        (v & CR0_NW && !(v & CR0_CD)))
        return gp(c);
    v = (v & CR0_KNOWN) | CR0_ET;
    /* Long mode can't be left by clearing PG alone in 64-bit code. */
    if (!(v & CR0_PG) || !(v & CR0_PE))
        return gp(c);
    changed = v ^ c->cr0;
    c->cr0 = v;
    if (changed & CR0_WP) {
        tlb_flush(c, true);
        paging_flush(c, PAGING_MODE);
    }
    mem_update_mode(c);
    return true;
}

static bool write_cr3(struct icpu *c, uint64_t v)
{
    if (v >> PHYS_BITS)
        return gp(c);
    count(c, EV_CTX_SWITCH);
    c->cr3 = v;
    tlb_flush(c, false);
    paging_flush(c, PAGING_CR3);
    return true;
}

static bool write_cr4(struct icpu *c, uint64_t v)
{
    uint64_t changed;

    if (v & ~CR4_KNOWN || !(v & CR4_PAE))
        return gp(c);
    changed = v ^ c->cr4;
    c->cr4 = v;
    if (changed & (CR4_PGE | CR4_PSE | CR4_PAE | CR4_SMEP | CR4_SMAP)) {
        tlb_flush(c, true);
        paging_flush(c, PAGING_MODE);
    }
    mem_update_mode(c);
    return true;
}

static bool write_cr8(struct icpu *c, uint64_t v)
{
    if (v > 15)
        return gp(c);
    sync_retired(c, NULL);
    fx_leave(c);
    c->vm.bus->set_tpr(c->vm.bus->opaque, v);
    cut_budget(c);
    return true;
}

/* i->rm: the control register; i->reg: the general one. */
static void mov_to_cr(struct icpu *c, const struct insn *i)
{
    uint64_t v = R64(i->reg);
    bool ok = true;

    sync_before(c, i);
    if (!privileged(c))
        return;
    count(c, EV_EXIT_CR);
    switch (i->rm) {
    case 0:
        count(c, EV_CR_MODE);
        ok = write_cr0(c, v);
        break;
    case 2:
        c->cr2 = v;
        break;
    case 3:
        ok = write_cr3(c, v);
        break;
    case 4:
        count(c, EV_CR_MODE);
        ok = write_cr4(c, v);
        break;
    default:
        count(c, EV_CR_WRITE8);
        ok = write_cr8(c, v);
    }
    if (ok)
        done(c, i);
}

static void mov_from_cr(struct icpu *c, const struct insn *i)
{
    uint64_t v;

    sync_before(c, i);
    if (!privileged(c))
        return;
    count(c, EV_EXIT_CR);
    switch (i->rm) {
    case 0:
        v = c->cr0;
        break;
    case 2:
        v = c->cr2;
        break;
    case 3:
        count(c, EV_CR_READ3);
        v = c->cr3;
        break;
    case 4:
        v = c->cr4;
        break;
    default:
        sync_retired(c, NULL);
        fx_leave(c);
        v = c->vm.bus->get_tpr(c->vm.bus->opaque);
    }
    R64(i->reg) = v;
    done(c, i);
}

/* Debug registers are storage: breakpoints never trigger. DR4 and DR5 are DR6
 * and DR7 unless CR4.DE. */
static int debug_register(struct icpu *c, unsigned n)
{
    if (n == 4 || n == 5) {
        if (c->cr4 & CR4_DE) {
            raise_fault(c, NULL, VEC_UD);
            return -1;
        }
        n += 2;
    }
    return (int)n;
}

static void mov_to_dr(struct icpu *c, const struct insn *i)
{
    uint64_t v = R64(i->reg);
    int n;

    sync_before(c, i);
    n = debug_register(c, i->rm);
    if (n < 0 || !privileged(c))
        return;
    if (n >= 6 && v >> 32)
        return raise_error(c, NULL, VEC_GP, 0);
    count(c, EV_EXIT_OTHER);
    if (n == 6)
        v = (v & 0xe00f) | 0xffff0ff0;
    else if (n == 7)
        v = (v & 0xffff2bff) | 0x400;
    c->dr[n] = v;
    done(c, i);
}

static void mov_from_dr(struct icpu *c, const struct insn *i)
{
    int n;

    sync_before(c, i);
    n = debug_register(c, i->rm);
    if (n < 0 || !privileged(c))
        return;
    count(c, EV_EXIT_OTHER);
    R64(i->reg) = c->dr[n];
    done(c, i);
}

static void clts(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    if (!privileged(c))
        return;
    count(c, EV_EXIT_CR);
    count(c, EV_CR_MODE);
    c->cr0 &= ~CR0_TS;
    mem_update_mode(c);
    done(c, i);
}

static void invlpg(struct icpu *c, const struct insn *i)
{
    gva_t va = ea_any(c, i);

    sync_before(c, i);
    if (!privileged(c))
        return;
    count(c, EV_EXIT_INVLPG);
    tlb_flush_page(c, va);
    if (c->paging)
        c->paging->policy->flush_page(c, va);
    done(c, i);
}

/* The low word of CR0. LMSW can set PE but not clear it. */
static void smsw(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    if (c->cr4 & CR4_UMIP && !privileged(c))
        return;
    if (i->rm) { /* memory */
        u16a *p = mem_slow(c, NULL, ea_any(c, i), 2, i->seg, MEM_WRITE);

        if (!p)
            return;
        *p = (uint16_t)c->cr0;
        mem_commit(c);
    } else {
        write_sized(c, i->reg, i->scale, c->cr0);
    }
    if (c->cpl != 3)
        count(c, EV_EXIT_CR);
    done(c, i);
}

static void lmsw(struct icpu *c, const struct insn *i)
{
    uint64_t v;

    sync_before(c, i);
    if (!privileged(c))
        return;
    if (i->rm) {
        const u16a *p = mem_slow(c, NULL, ea_any(c, i), 2, i->seg, 0);

        if (!p)
            return;
        v = *p;
    } else {
        v = R16(i->reg);
    }
    count(c, EV_EXIT_CR);
    count(c, EV_CR_MODE);
    c->cr0 = (c->cr0 & ~0xeull) | (v & 0xf);
    mem_update_mode(c);
    done(c, i);
}

bool select_cr(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];
    bool to = a->kind == OPND_CR || a->kind == OPND_DR;

    ch->faults = ch->ends = true;
    switch (x->op) {
    case ZYDIS_MNEMONIC_MOV:
        if (!to && b->kind != OPND_CR && b->kind != OPND_DR)
            break;
        i->rm = to ? a->reg : b->reg;
        i->reg = reg_offset(to ? b : a);
        if (a->kind == OPND_CR || b->kind == OPND_CR)
            ch->fn = to ? mov_to_cr : mov_from_cr;
        else
            ch->fn = to ? mov_to_dr : mov_from_dr;
        return true;
    case ZYDIS_MNEMONIC_CLTS:
        ch->fn = clts;
        return true;
    case ZYDIS_MNEMONIC_INVLPG:
        ch->fn = invlpg;
        return true;
    case ZYDIS_MNEMONIC_SMSW:
    case ZYDIS_MNEMONIC_LMSW:
        i->rm = a->kind == OPND_MEM;
        i->scale =
            a->kind == OPND_MEM ? i->scale : (uint8_t)size_index(a->size);
        ch->fn = x->op == ZYDIS_MNEMONIC_SMSW ? smsw : lmsw;
        return true;
    default:
        break;
    }
    ch->ends = false;
    ch->faults = x->has_mem;
    return false;
}
