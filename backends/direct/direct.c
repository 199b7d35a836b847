/* The backend "direct": classical trap-and-emulate, the guest's ring 0 and ring
 * 3 both at the host's CPL 3. */
#include "direct.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

/* RFLAGS that guest code changes without a trap. POPF's silence about IF and
 * IOPL is the architecture's fault: that is what this backend shows. */
#define NATIVE_FLAGS                                                           \
    (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF | FL_DF | FL_TF | FL_NT |   \
     FL_AC | FL_ID)

static int probe(char why[REASON_MAX])
{
    return host_probe(why);
}

static const char *paging(void)
{
    return shadow_policies[0];
}

/* For a crash of the VMM itself. */
static void report(void *opaque, int fd, bool in_guest)
{
    static const char *const kinds[] = {"exception", "syscall", "kick", "left"};
    const struct direct *d = opaque;
    char text[200];
    int n;

    n = snprintf(text, sizeof(text),
                 "guest rip %#llx cpl %u cr3 %#llx; last traps:",
                 (unsigned long long)(in_guest ? d->host.regs.rip : d->st.rip),
                 direct_cpl(d), (unsigned long long)d->st.cr3);
    if (write(fd, text, (size_t)n) < 0)
        return;
    for (unsigned k = 0; k < DIRECT_TRACES && k < d->traced; k++) {
        const struct direct_trace *t =
            &d->traces[(d->traced - 1 - k) % DIRECT_TRACES];

        n = snprintf(text, sizeof(text), "%s %s at %#llx cpl %u", k ? "," : "",
                     kinds[t->kind & 3], (unsigned long long)t->rip, t->cpl);
        if (t->kind == HOST_EXCEPTION)
            n += snprintf(text + n, sizeof(text) - (size_t)n,
                          " vector %u address %#llx", t->vector,
                          (unsigned long long)t->address);
        if (write(fd, text, (size_t)n) < 0)
            return;
    }
}

static void destroy(struct vm *vm)
{
    struct direct *d = (struct direct *)vm;

    if (d->shadow)
        shadow_destroy(d->shadow);
    if (d->stepper)
        interp_stepper_destroy(d->stepper);
    host_detach(&d->host);
}

static int create(struct vm *vm, char why[REASON_MAX])
{
    struct direct *d = (struct direct *)vm;
    struct shadow_config config = {
        .ram = vm->ram,
        .events = &vm->events,
        .policy = vm->paging,
        .kernel_exec = true,
    };
    int err = paging_options_parse(vm->options, &config.options, why);

    if (err)
        return err;
    d->stepper = interp_stepper_create(vm, why);
    if (!d->stepper)
        return -ENOMEM;
    d->shadow = shadow_create(&config, why);
    if (!d->shadow) {
        destroy(vm);
        return -EBUSY;
    }
    err = host_attach(&d->host, vm->tsc_khz, why);
    if (err) {
        destroy(vm);
        return err;
    }
    d->host.report = report;
    d->host.opaque = d;
    return 0;
}

static int get_state(struct vm *vm, struct x86_state *s)
{
    struct direct *d = (struct direct *)vm;

    *s = d->st;
    s->fx = d->host.regs.fx;
    if (vm->bus && vm->bus->get_tpr)
        s->cr8 = vm->bus->get_tpr(vm->bus->opaque);
    return 0;
}

static int set_state(struct vm *vm, const struct x86_state *s)
{
    struct direct *d = (struct direct *)vm;
    const struct walk_regs regs = {s->cr0, s->cr3, s->cr4, s->efer};

    if (!(s->efer & EFER_LMA) || !(s->seg[CS].attr & SEG_L))
        return -ENOTSUP; /* only 64-bit code */
    d->st = *s;
    d->host.regs.fx = s->fx;
    if (vm->bus && vm->bus->set_tpr)
        vm->bus->set_tpr(vm->bus->opaque, s->cr8);
    /* RAM may have been written, too. */
    shadow_flush(d->shadow);
    shadow_set_regs(d->shadow, &regs);
    return 0;
}

/* ---- Running ------------------------------------------------------------- */

static void enter(struct direct *d)
{
    struct host_regs *r = &d->host.regs;
    struct x86_state *st = &d->st;

    memcpy(r->gpr, st->gpr, sizeof(r->gpr));
    r->rip = st->rip;
    r->rflags = (st->rflags & NATIVE_FLAGS) | FL_IF | 2;
    r->fs_base = st->seg[FS].base;
    r->gs_base = st->seg[GS].base;
    shadow_set_cpl(d->shadow, direct_cpl(d));
    host_arm(&d->host, d->vm.deadline);
    host_enter(&d->host);
    memcpy(st->gpr, r->gpr, sizeof(st->gpr));
    st->rip = r->rip;
    st->rflags = (st->rflags & ~NATIVE_FLAGS) | (r->rflags & NATIVE_FLAGS);
    st->seg[FS].base = r->fs_base;
    st->seg[GS].base = r->gs_base;
}

/* What waits for this vCPU. 0: nothing; 1: leave; 2: look again. */
static int attend(struct direct *d, struct vm_exit *exit)
{
    struct vm *vm = &d->vm;
    unsigned a = __atomic_load_n(&vm->attention, __ATOMIC_ACQUIRE);
    int r;

    if (a & ATTN_KICK) {
        __atomic_fetch_and(&vm->attention, ~ATTN_KICK, __ATOMIC_ACQ_REL);
        exit->kind = EXIT_KICKED;
        return 1;
    }
    if (vm->deadline != UINT64_MAX && __rdtsc() >= vm->deadline) {
        exit->kind = EXIT_TIMER;
        return 1;
    }
    if (a & ATTN_IRQ && d->st.rflags & FL_IF) {
        d->host.trap.begin = __rdtsc();
        r = d->st.int_shadow ? direct_step(d, exit)
                             : direct_deliver(d, -1, false, false, 0, exit);
        vm->events.ticks[EV_INTERRUPT] += __rdtsc() - d->host.trap.begin;
        return r ? r : 2;
    }
    if (d->st.halted) {
        exit->kind = d->st.rflags & FL_IF ? EXIT_HLT : EXIT_HLT_DEAD;
        return 1;
    }
    /* A timer that arrives between STI and HLT must not be delivered there: the
     * interpreter takes the instruction in the shadow, no signal interrupts it.
     */
    if (d->st.int_shadow) {
        d->host.trap.begin = __rdtsc();
        r = direct_step(d, exit);
        return r ? r : 2;
    }
    /* CPL 3 can't set the host's CR0.TS. Where the guest did, its user code
     * gets the #NM at once, before it is known to touch the FPU. */
    if (d->st.cr0 & CR0_TS && direct_cpl(d) == 3) {
        r = direct_deliver(d, VEC_NM, false, false, 0, exit);
        return r ? r : 2;
    }
    return 0;
}

static int run(struct vm *vm, struct vm_exit *exit)
{
    struct direct *d = (struct direct *)vm;
    int r;

    memset(exit, 0, sizeof(*exit));
    host_claim_signals(&d->host);
    for (;;) {
        d->host.kicked = 0;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        r = attend(d, exit);
        if (r == 2)
            continue;
        if (!r) {
            enter(d);
            r = direct_trap(d, exit);
        }
        if (r)
            break;
    }
    exit->rip = exit->rip ? exit->rip : d->st.rip;
    return r < 0 ? r : 0;
}

static void kick(struct vm *vm)
{
    __atomic_fetch_or(&vm->attention, ATTN_KICK, __ATOMIC_RELEASE);
    host_kick(&((struct direct *)vm)->host);
}

static void ram_written(struct vm *vm, gpa_t gpa, uint64_t len)
{
    struct direct *d = (struct direct *)vm;

    shadow_written(d->shadow, gpa, len, 0);
    interp_stepper_ram_written(d->stepper, gpa, len);
}

extern const struct backend backend_direct;
const struct backend backend_direct = {
    .name = "direct",
    .summary = "trap-and-emulate: all guest code runs natively at CPL 3",
    .class = BACKEND_VCPU,
    .caps = CAP_SANDBOX | CAP_LOW_LAYOUT,
    .probe = probe,
    .paging = paging,
    .policies = shadow_policies,
    .vm_size = sizeof(struct direct),
    .create = create,
    .destroy = destroy,
    .get_state = get_state,
    .set_state = set_state,
    .run = run,
    .kick = kick,
    .ram_written = ram_written,
};
