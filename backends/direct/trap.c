/* Why the guest's code stopped, and what is done about it. */
#include "direct.h"

#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

/* Ticks go to the event that the emulation counted; what it counted none for
 * is exit.emulated. */
static int step_counted(struct direct *d, struct vm_exit *exit)
{
    struct event_counters *ev = &d->vm.events, before = *ev;
    int r = direct_step(d, exit);
    unsigned e;

    for (e = EV_EXIT_IO; e <= EV_INTERRUPT; e++)
        if (ev->count[e] != before.count[e] && e != EV_FAULT_HIDDEN)
            break;
    if (e > EV_INTERRUPT)
        ev->count[e = EV_EXIT_EMULATED]++;
    /* Replaces what the bus charged for its part. */
    ev->ticks[e] = before.ticks[e] + __rdtsc() - d->host.trap.begin;
    return r;
}

static int deliver_counted(struct direct *d, enum tm_event e, int vector,
                           bool trap, bool has_error, uint32_t error,
                           struct vm_exit *exit)
{
    int r = direct_deliver(d, vector, trap, has_error, error, exit);

    d->vm.events.ticks[e] += __rdtsc() - d->host.trap.begin;
    return r;
}

/* REP STOS or REP MOVS at rip: clears or copies, no update of a table. */
static bool is_rep_store(const struct direct *d)
{
    const struct walk_regs regs = direct_walk_regs(d);
    struct walk_result w;
    const uint8_t *p;

    if (x86_walk(d->vm.ram, &regs, d->st.rip, WALK_PEEK, &w))
        return false;
    p = ram_ptr(d->vm.ram, w.gpa, 3);
    if (!p || p[0] != 0xf3)
        return false;
    p += p[1] == 0x48 ? 2 : 1;
    return *p == 0xaa || *p == 0xab || *p == 0xa4 || *p == 0xa5;
}

static int emulate_access(struct direct *d, const struct shadow_fault *f,
                          struct vm_exit *exit)
{
    uint64_t *trace = &d->vm.events.ticks[EV_FAULT_TRACE];
    int r;

    if (f->reason == SHADOW_TRACED && is_rep_store(d)) {
        shadow_end_trace(d->shadow, f->gpa);
        *trace += __rdtsc() - d->host.trap.begin;
        return 0;
    }
    if (f->reason != SHADOW_TRACED)
        return step_counted(d, exit);
    r = direct_step(d, exit);
    *trace += __rdtsc() - d->host.trap.begin;
    return r;
}

static int outside(const struct direct *d, const struct shadow_fault *f,
                   struct vm_exit *exit)
{
    exit->kind = EXIT_ERROR;
    exit->rip = d->st.rip;
    snprintf(exit->why, sizeof(exit->why),
             "unsupported layout: the guest maps %#llx, which direct execution "
             "can't give it (rip %#llx)",
             (unsigned long long)f->gva, (unsigned long long)d->st.rip);
    return 1;
}

static int page_fault(struct direct *d, struct vm_exit *exit)
{
    const struct walk_regs regs = direct_walk_regs(d);
    const struct host_trap *t = &d->host.trap;
    struct shadow_fault f;

    switch (shadow_fault(d->shadow, &regs, direct_cpl(d), t->address, t->error,
                         &f)) {
    case SHADOW_RETRY:
        d->vm.events.ticks[f.event] += __rdtsc() - t->begin;
        return 0;
    case SHADOW_GUEST:
        d->st.cr2 = f.gva;
        return deliver_counted(d, EV_FAULT_TRUE, VEC_PF, false, true, f.error,
                               exit);
    case SHADOW_EMULATE:
        return emulate_access(d, &f, exit);
    case SHADOW_OUTSIDE:
        return outside(d, &f, exit);
    case SHADOW_FAILED:
        break;
    }
    exit->kind = EXIT_ERROR;
    memcpy(exit->why, f.why, sizeof(exit->why));
    return 1;
}

static int exception(struct direct *d, struct vm_exit *exit)
{
    switch (d->host.trap.vector) {
    case VEC_PF:
        return page_fault(d, exit);
    case VEC_DE:
        if (direct_cpl(d) != 0)
            return step_counted(d, exit);
        return deliver_counted(d, EV_EXCEPTION_DE, VEC_DE, false, false, 0,
                               exit);
    case VEC_GP:
        if (!direct_fast_iret(d))
            return step_counted(d, exit);
        d->vm.events.ticks[EV_EXIT_IRET] += __rdtsc() - d->host.trap.begin;
        return 0;
    case VEC_DB:
        d->st.dr[6] |= 0x4000; /* BS */
        return deliver_counted(d, EV_EXCEPTION_DB, VEC_DB, true, false, 0,
                               exit);
    case VEC_BP:
        return deliver_counted(d, EV_EXCEPTION_BP, VEC_BP, true, false, 0,
                               exit);
    case VEC_MF:
    case VEC_XM:
        return deliver_counted(d, EV_EXCEPTION_MF, (int)d->host.trap.vector,
                               false, false, 0, exit);
    default:
        /* Privileged, or faulting: the interpreter finds out which. */
        return step_counted(d, exit);
    }
}

int direct_trap(struct direct *d, struct vm_exit *exit)
{
    const struct host_trap *t = &d->host.trap;

    if (t->kind == HOST_KICK) {
        d->vm.events.count[EV_EXIT_SIGNAL]++;
        return 0;
    }
    d->traces[d->traced++ % DIRECT_TRACES] =
        (struct direct_trace){d->st.rip, t->address, (uint8_t)t->kind,
                              (uint8_t)t->vector, (uint8_t)direct_cpl(d)};
    if (t->kind == HOST_SYSCALL)
        return step_counted(d, exit);
    return exception(d, exit);
}
