/* RDMSR, WRMSR, RDTSC. */
#include "fx.h"
#include "system.h"

#include "paging.h"

static uint64_t guest_now(struct icpu *c)
{
    sync_retired(c, NULL);
    if (!c->vm.deterministic)
        return __builtin_ia32_rdtsc();
    fx_leave(c);
    return c->vm.bus->now(c->vm.bus->opaque);
}

static bool read_msr(struct icpu *c, uint32_t msr, uint64_t *v)
{
    switch (msr) {
    case MSR_TSC:
        *v = guest_now(c) + c->tsc_offset;
        return true;
    case MSR_TSC_ADJUST:
        *v = c->tsc_offset;
        return true;
    case MSR_SYSENTER_CS:
        *v = c->sysenter_cs;
        return true;
    case MSR_SYSENTER_ESP:
        *v = c->sysenter_esp;
        return true;
    case MSR_SYSENTER_EIP:
        *v = c->sysenter_eip;
        return true;
    case MSR_MISC_ENABLE:
        *v = c->misc_enable;
        return true;
    case MSR_PAT:
        *v = c->pat;
        return true;
    case MSR_EFER:
        *v = c->efer;
        return true;
    case MSR_STAR:
        *v = c->star;
        return true;
    case MSR_LSTAR:
        *v = c->lstar;
        return true;
    case MSR_CSTAR:
        *v = c->cstar;
        return true;
    case MSR_SFMASK:
        *v = c->sfmask;
        return true;
    case MSR_FS_BASE:
        *v = c->seg_base[FS];
        return true;
    case MSR_GS_BASE:
        *v = c->seg_base[GS];
        return true;
    case MSR_KERNEL_GS_BASE:
        *v = c->kernel_gs_base;
        return true;
    case MSR_TSC_AUX:
        *v = c->tsc_aux;
        return true;
    default:
        sync_retired(c, NULL);
        fx_leave(c);
        return c->vm.bus->msr_read(c->vm.bus->opaque, msr, v);
    }
}

/* Each byte is a memory type: 0, 1, 4, 5, 6 or 7. */
static bool pat_valid(uint64_t v)
{
    for (unsigned k = 0; k < 64; k += 8) {
        unsigned t = v >> k & 0xff;

        if (t > 7 || t == 2 || t == 3)
            return false;
    }
    return true;
}

static bool write_efer(struct icpu *c, uint64_t v)
{
    const uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    uint64_t changed;

    if (v & ~known || (v ^ c->efer) & EFER_LME)
        return false; /* paging is on: LME can't change */
    v = (v & ~EFER_LMA) | (c->efer & EFER_LMA);
    changed = v ^ c->efer;
    c->efer = v;
    if (changed & EFER_NXE) {
        tlb_flush(c, true);
        paging_flush(c, PAGING_MODE);
    }
    return true;
}

static bool write_address(uint64_t *msr, uint64_t v)
{
    if (!gva_canonical(v))
        return false;
    *msr = v;
    return true;
}

static bool write_msr(struct icpu *c, uint32_t msr, uint64_t v)
{
    bool ok;

    switch (msr) {
    case MSR_TSC:
        c->tsc_offset = v - guest_now(c);
        return true;
    case MSR_TSC_ADJUST:
        c->tsc_offset = v;
        return true;
    case MSR_SYSENTER_CS:
        c->sysenter_cs = v;
        return true;
    case MSR_SYSENTER_ESP:
        return write_address(&c->sysenter_esp, v);
    case MSR_SYSENTER_EIP:
        return write_address(&c->sysenter_eip, v);
    case MSR_MISC_ENABLE:
        c->misc_enable = v;
        return true;
    case MSR_PAT:
        if (!pat_valid(v))
            return false;
        c->pat = v;
        return true;
    case MSR_EFER:
        return write_efer(c, v);
    case MSR_STAR:
        c->star = v;
        return true;
    case MSR_LSTAR:
        return write_address(&c->lstar, v);
    case MSR_CSTAR:
        return write_address(&c->cstar, v);
    case MSR_SFMASK:
        c->sfmask = v & 0xffffffff;
        return true;
    case MSR_FS_BASE:
        return write_address(&c->seg_base[FS], v);
    case MSR_GS_BASE:
        return write_address(&c->seg_base[GS], v);
    case MSR_KERNEL_GS_BASE:
        return write_address(&c->kernel_gs_base, v);
    case MSR_TSC_AUX:
        c->tsc_aux = v & 0xffffffff;
        return true;
    default:
        sync_retired(c, NULL);
        fx_leave(c);
        ok = c->vm.bus->msr_write(c->vm.bus->opaque, msr, v);
        cut_budget(c);
        return ok;
    }
}

/* Which kind of MSR, for those who count what exits. x2APIC's registers are at
 * 0x800: a virtual APIC completes reads, but for the current count (0x39), and
 * writes of TPR, EOI and self-IPI. */
static void count_kind(struct icpu *c, uint32_t msr, bool write)
{
    bool completes =
        write ? msr == 0x808 || msr == 0x80b || msr == 0x83f : msr != 0x839;

    count(c, EV_EXIT_MSR);
    if (msr == MSR_FS_BASE || msr == MSR_GS_BASE || msr == MSR_KERNEL_GS_BASE)
        count(c, EV_MSR_BASE);
    else if (msr >= MSR_STAR && msr <= MSR_SFMASK)
        count(c, EV_MSR_SYSCALL);
    else if (msr >> 8 == 8)
        count(c, completes ? EV_MSR_APICV : EV_MSR_APIC);
    else if (msr == MSR_TSC_DEADLINE)
        count(c, EV_MSR_APIC);
}

void insn_rdmsr(struct icpu *c, const struct insn *i)
{
    uint64_t v;

    sync_before(c, i);
    if (!privileged(c))
        return;
    count_kind(c, (uint32_t)c->gpr[RCX], false);
    if (!read_msr(c, (uint32_t)c->gpr[RCX], &v))
        return raise_error(c, NULL, VEC_GP, 0);
    c->gpr[RAX] = (uint32_t)v;
    c->gpr[RDX] = v >> 32;
    done(c, i);
}

void insn_wrmsr(struct icpu *c, const struct insn *i)
{
    uint64_t v = c->gpr[RDX] << 32 | (uint32_t)c->gpr[RAX];

    sync_before(c, i);
    if (!privileged(c))
        return;
    count_kind(c, (uint32_t)c->gpr[RCX], true);
    if (!write_msr(c, (uint32_t)c->gpr[RCX], v))
        return raise_error(c, NULL, VEC_GP, 0);
    done(c, i);
}

static bool read_tsc(struct icpu *c)
{
    uint64_t v;

    if (c->cr4 & CR4_TSD && c->cpl) {
        raise_error(c, NULL, VEC_GP, 0);
        return false;
    }
    count(c, EV_EXIT_RDTSC);
    v = guest_now(c) + c->tsc_offset;
    c->gpr[RAX] = (uint32_t)v;
    c->gpr[RDX] = v >> 32;
    return true;
}

void insn_rdtsc(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    if (read_tsc(c))
        done(c, i);
}

void insn_rdtscp(struct icpu *c, const struct insn *i)
{
    sync_before(c, i);
    if (!read_tsc(c))
        return;
    c->gpr[RCX] = c->tsc_aux;
    done(c, i);
}
