/* Registers between struct x86_state and KVM. */
#include "kvm.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

/* MSRs that live in struct x86_state and not in KVM's other structs. */
static const struct {
    uint32_t index;
    size_t field;
} msr_fields[] = {
#define MSR_FIELD(index, field)                                                \
    {                                                                          \
        index, offsetof(struct x86_state, field)                               \
    }
    MSR_FIELD(MSR_STAR, star),
    MSR_FIELD(MSR_LSTAR, lstar),
    MSR_FIELD(MSR_CSTAR, cstar),
    MSR_FIELD(MSR_SFMASK, sfmask),
    MSR_FIELD(MSR_KERNEL_GS_BASE, kernel_gs_base),
    MSR_FIELD(MSR_SYSENTER_CS, sysenter_cs),
    MSR_FIELD(MSR_SYSENTER_ESP, sysenter_esp),
    MSR_FIELD(MSR_SYSENTER_EIP, sysenter_eip),
    MSR_FIELD(MSR_PAT, pat),
    MSR_FIELD(MSR_TSC_AUX, tsc_aux),
    MSR_FIELD(MSR_TSC_DEADLINE, tsc_deadline),
#undef MSR_FIELD
};
#define MSR_FIELDS (sizeof(msr_fields) / sizeof(msr_fields[0]))
_Static_assert(MSR_FIELDS <= KVM_MSRS_MAX, "room for every MSR");

struct one_msr {
    struct kvm_msrs head;
    struct kvm_msr_entry entry;
};

static size_t field_of(uint32_t index)
{
    for (size_t i = 0; i < MSR_FIELDS; i++)
        if (msr_fields[i].index == index)
            return msr_fields[i].field;
    return 0;
}

void kvm_state_init(struct kvm_vm *k)
{
    for (size_t i = 0; i < MSR_FIELDS; i++) {
        struct one_msr m = {.head.nmsrs = 1,
                            .entry.index = msr_fields[i].index};

        if (ioctl(k->vcpu_fd, KVM_GET_MSRS, &m) == 1)
            k->msr[k->msr_count++] = msr_fields[i].index;
    }
}

static int get_msrs(struct kvm_vm *k, struct x86_state *s)
{
    for (unsigned i = 0; i < k->msr_count; i++) {
        struct one_msr m = {.head.nmsrs = 1, .entry.index = k->msr[i]};

        if (ioctl(k->vcpu_fd, KVM_GET_MSRS, &m) != 1)
            return -EIO;
        memcpy((char *)s + field_of(k->msr[i]), &m.entry.data, 8);
    }
    return 0;
}

static int set_msrs(struct kvm_vm *k, const struct x86_state *s)
{
    for (unsigned i = 0; i < k->msr_count; i++) {
        struct one_msr m = {.head.nmsrs = 1, .entry.index = k->msr[i]};

        memcpy(&m.entry.data, (const char *)s + field_of(k->msr[i]), 8);
        if (ioctl(k->vcpu_fd, KVM_SET_MSRS, &m) != 1)
            return -EIO;
    }
    return 0;
}

static void get_seg(struct x86_seg *to, const struct kvm_segment *from)
{
    to->base = from->base;
    to->limit = from->limit;
    to->sel = from->selector;
    to->attr = from->type | (from->s ? SEG_S : 0) | from->dpl << 5 |
               (from->present ? SEG_P : 0) | from->avl << 8 |
               (from->l ? SEG_L : 0) | (from->db ? SEG_DB : 0) |
               (from->g ? SEG_G : 0) | (from->unusable ? SEG_UNUSABLE : 0);
}

static void set_seg(struct kvm_segment *to, const struct x86_seg *from)
{
    *to = (struct kvm_segment){
        .base = from->base,
        .limit = from->limit,
        .selector = from->sel,
        .type = SEG_TYPE(from->attr),
        .present = !!(from->attr & SEG_P),
        .dpl = SEG_DPL(from->attr),
        .db = !!(from->attr & SEG_DB),
        .s = !!(from->attr & SEG_S),
        .l = !!(from->attr & SEG_L),
        .g = !!(from->attr & SEG_G),
        .avl = !!(from->attr & 0x100),
        .unusable = (from->attr & SEG_UNUSABLE) || !(from->attr & SEG_P),
    };
}

static void get_sregs(struct x86_state *s, const struct kvm_sregs *r)
{
    get_seg(&s->seg[ES], &r->es);
    get_seg(&s->seg[CS], &r->cs);
    get_seg(&s->seg[SS], &r->ss);
    get_seg(&s->seg[DS], &r->ds);
    get_seg(&s->seg[FS], &r->fs);
    get_seg(&s->seg[GS], &r->gs);
    get_seg(&s->ldtr, &r->ldt);
    get_seg(&s->tr, &r->tr);
    s->gdtr = (struct x86_dtr){.base = r->gdt.base, .limit = r->gdt.limit};
    s->idtr = (struct x86_dtr){.base = r->idt.base, .limit = r->idt.limit};
    s->cr0 = r->cr0;
    s->cr2 = r->cr2;
    s->cr3 = r->cr3;
    s->cr4 = r->cr4;
    s->cr8 = r->cr8;
    s->efer = r->efer;
    s->apic_base = r->apic_base;
}

static void set_sregs(struct kvm_sregs *r, const struct x86_state *s)
{
    set_seg(&r->es, &s->seg[ES]);
    set_seg(&r->cs, &s->seg[CS]);
    set_seg(&r->ss, &s->seg[SS]);
    set_seg(&r->ds, &s->seg[DS]);
    set_seg(&r->fs, &s->seg[FS]);
    set_seg(&r->gs, &s->seg[GS]);
    set_seg(&r->ldt, &s->ldtr);
    set_seg(&r->tr, &s->tr);
    r->gdt = (struct kvm_dtable){.base = s->gdtr.base, .limit = s->gdtr.limit};
    r->idt = (struct kvm_dtable){.base = s->idtr.base, .limit = s->idtr.limit};
    r->cr0 = s->cr0;
    r->cr2 = s->cr2;
    r->cr3 = s->cr3;
    r->cr4 = s->cr4;
    r->cr8 = s->cr8;
    r->efer = s->efer;
    r->apic_base = s->apic_base;
}

static void get_regs(struct x86_state *s, const struct kvm_regs *r)
{
    const uint64_t gpr[16] = {r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp,
                              r->rsi, r->rdi, r->r8,  r->r9,  r->r10, r->r11,
                              r->r12, r->r13, r->r14, r->r15};

    memcpy(s->gpr, gpr, sizeof(gpr));
    s->rip = r->rip;
    s->rflags = r->rflags;
}

static void set_regs(struct kvm_regs *r, const struct x86_state *s)
{
    const uint64_t *g = s->gpr;

    *r = (struct kvm_regs){
        .rax = g[RAX],
        .rcx = g[RCX],
        .rdx = g[RDX],
        .rbx = g[RBX],
        .rsp = g[RSP],
        .rbp = g[RBP],
        .rsi = g[RSI],
        .rdi = g[RDI],
        .r8 = g[R8],
        .r9 = g[R9],
        .r10 = g[R10],
        .r11 = g[R11],
        .r12 = g[R12],
        .r13 = g[R13],
        .r14 = g[R14],
        .r15 = g[R15],
        .rip = s->rip,
        .rflags = s->rflags | 2, /* bit 1 is always set */
    };
}

/* XSAVE, because KVM_GET_FPU leaves MXCSR out. The area begins with the FXSAVE
 * image; after it comes the bitmap of components that aren't in their initial
 * state, of which ours are x87 and SSE. */
#define XSTATE_BV (512 / 4)
#define XSTATE_X87_SSE 3u

static int set_fpu(struct kvm_vm *k, const struct x86_fx *fx)
{
    struct kvm_xsave area;

    if (ioctl(k->vcpu_fd, KVM_GET_XSAVE, &area) < 0)
        return -errno;
    memcpy(area.region, fx, sizeof(*fx));
    area.region[XSTATE_BV] |= XSTATE_X87_SSE;
    return ioctl(k->vcpu_fd, KVM_SET_XSAVE, &area) < 0 ? -errno : 0;
}

static int get_fpu(struct kvm_vm *k, struct x86_fx *fx)
{
    struct kvm_xsave area;

    if (ioctl(k->vcpu_fd, KVM_GET_XSAVE, &area) < 0)
        return -errno;
    memcpy(fx, area.region, sizeof(*fx));
    return 0;
}

int kvm_get_state(struct vm *vm, struct x86_state *s)
{
    struct kvm_vm *k = (struct kvm_vm *)vm;
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    struct kvm_debugregs debug;
    struct kvm_vcpu_events events;
    struct kvm_mp_state mp;
    int err;

    if (ioctl(k->vcpu_fd, KVM_GET_REGS, &regs) < 0 ||
        ioctl(k->vcpu_fd, KVM_GET_SREGS, &sregs) < 0 ||
        ioctl(k->vcpu_fd, KVM_GET_DEBUGREGS, &debug) < 0 ||
        ioctl(k->vcpu_fd, KVM_GET_VCPU_EVENTS, &events) < 0 ||
        ioctl(k->vcpu_fd, KVM_GET_MP_STATE, &mp) < 0)
        return -errno;
    memset(s, 0, sizeof(*s));
    get_regs(s, &regs);
    get_sregs(s, &sregs);
    memcpy(s->dr, debug.db, sizeof(debug.db));
    s->dr[6] = debug.dr6;
    s->dr[7] = debug.dr7;
    s->int_shadow = events.interrupt.shadow != 0;
    s->halted = mp.mp_state == KVM_MP_STATE_HALTED;
    err = get_fpu(k, &s->fx);
    return err ? err : get_msrs(k, s);
}

int kvm_set_state(struct vm *vm, const struct x86_state *s)
{
    struct kvm_vm *k = (struct kvm_vm *)vm;
    struct kvm_mp_state mp = {.mp_state = s->halted ? KVM_MP_STATE_HALTED
                                                    : KVM_MP_STATE_RUNNABLE};
    struct kvm_debugregs debug = {.dr6 = s->dr[6], .dr7 = s->dr[7]};
    struct kvm_vcpu_events events = {
        .flags = KVM_VCPUEVENT_VALID_SHADOW,
        /* Which of the two windows it is doesn't matter to KVM. */
        .interrupt.shadow = s->int_shadow ? KVM_X86_SHADOW_INT_STI : 0,
    };
    struct kvm_regs regs;
    struct kvm_sregs sregs;
    int err;

    memset(&sregs, 0, sizeof(sregs));
    memcpy(debug.db, s->dr, sizeof(debug.db));
    set_regs(&regs, s);
    set_sregs(&sregs, s);
    if (ioctl(k->vcpu_fd, KVM_SET_SREGS, &sregs) < 0 ||
        ioctl(k->vcpu_fd, KVM_SET_REGS, &regs) < 0 ||
        ioctl(k->vcpu_fd, KVM_SET_DEBUGREGS, &debug) < 0 ||
        ioctl(k->vcpu_fd, KVM_SET_VCPU_EVENTS, &events) < 0 ||
        ioctl(k->vcpu_fd, KVM_SET_MP_STATE, &mp) < 0)
        return -errno;
    err = set_fpu(k, &s->fx);
    return err ? err : set_msrs(k, s);
}
