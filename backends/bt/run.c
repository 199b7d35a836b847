/* The run loop: into the cache or the user's own code, and what brings it back.
 */
#include "bt.h"

#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

#include "../../guest/abi/abi.h"

/* What a part of the run loop says: go on, leave run(), or begin anew. */
enum verdict { GO_ON, LEAVE, AGAIN };

/* ---- State
 * --------------------------------------------------------------------- */

static unsigned state_cpl(const struct x86_state *s)
{
    return SEG_DPL(s->seg[SS].attr) | (s->seg[CS].sel & 3);
}

void bt_load_state(struct bt *bt)
{
    const struct x86_state *s = &bt->s;
    struct bt_cpu *cpu = bt->cpu;

    memcpy(cpu->gpr, s->gpr, sizeof(cpu->gpr));
    cpu->rip = s->rip;
    cpu->rflags = s->rflags & BT_ARITH_FLAGS;
    cpu->sys_flags = (s->rflags & ~(BT_ARITH_FLAGS | FL_IF)) | 2;
    cpu->vif = s->rflags & FL_IF;
    cpu->tpr = cpu->tpr_sync = s->cr8;
    cpu->fs_base = s->seg[FS].base;
    cpu->gs_base = s->seg[GS].base;
    cpu->kernel_gs_base = s->kernel_gs_base;
    bt->cpl = state_cpl(s);
}

void bt_store_state(struct bt *bt)
{
    struct x86_state *s = &bt->s;
    const struct bt_cpu *cpu = bt->cpu;

    memcpy(s->gpr, cpu->gpr, sizeof(s->gpr));
    s->rip = cpu->rip;
    s->rflags = (cpu->rflags & BT_ARITH_FLAGS) | cpu->sys_flags | cpu->vif;
    s->cr8 = cpu->tpr;
    s->seg[FS].base = cpu->fs_base;
    s->seg[GS].base = cpu->gs_base;
    s->kernel_gs_base = cpu->kernel_gs_base;
}

/* ---- Emulation
 * -------------------------------------------------------------------- */

static void follow_writes(struct bt *bt, unsigned cpl)
{
    const struct interp_write *w;
    unsigned n = interp_stepper_writes(bt->stepper, &w);

    bt->traced = n == INTERP_WRITES;
    if (n == INTERP_WRITES) { /* there may be more */
        shadow_flush(bt->shadow);
        bt->flush = true;
        bt_dtlb_clear(bt);
        return;
    }
    for (unsigned k = 0; k < n; k++) {
        if (shadow_is_traced(bt->shadow, w[k].gpa)) {
            bt->traced = true;
            bt_dtlb_clear(bt);
        }
        shadow_written(bt->shadow, w[k].gpa, w[k].len, cpl);
        bt_cache_written(bt, w[k].gpa, w[k].len);
    }
}

/* Nobody's exit. */
void bt_follow_post(struct bt *bt)
{
    const struct vm_bus *bus = bt->vm.bus;
    struct event_counters *ev = &bt->vm.events;
    uint64_t count = ev->count[EV_EXIT_IO], ticks = ev->ticks[EV_EXIT_IO];

    if (!bus || !bus->io_read)
        return;
    bt->cpu->post = (uint8_t)bus->io_read(bus->opaque, TM_PORT_POST, 1);
    ev->count[EV_EXIT_IO] = count;
    ev->ticks[EV_EXIT_IO] = ticks;
}

static enum verdict finish(struct bt *bt, unsigned cpl, int err)
{
    const struct walk_regs now = bt_walk_regs(bt);
    gva_t gva;

    if (err) {
        bt->exit->kind = EXIT_ERROR;
        snprintf(bt->exit->why, REASON_MAX,
                 "the interpreter can't take over at rip %#llx",
                 (unsigned long long)bt->s.rip);
        return LEAVE;
    }
    bt_load_state(bt);
    follow_writes(bt, cpl);
    switch (interp_stepper_flushed(bt->stepper, &gva)) {
    case INTERP_FLUSH_PAGE:
        shadow_invlpg(bt->shadow, gva);
        bt_revalidate_page(bt, gva);
        break;
    case INTERP_FLUSH_CR3:
        shadow_load_cr3(bt->shadow, &now);
        bt_revalidate(bt, false);
        break;
    case INTERP_FLUSH_ALL:
        shadow_set_regs(bt->shadow, &now);
        bt_revalidate(bt, true);
        break;
    case INTERP_FLUSH_NONE:
        break;
    }
    if (bt->exit->kind == EXIT_KICKED || bt->exit->kind == EXIT_HLT ||
        bt->exit->kind == EXIT_HLT_DEAD)
        return AGAIN;
    return LEAVE;
}

static enum verdict step(struct bt *bt)
{
    uint64_t io = bt->vm.events.count[EV_EXIT_IO];
    unsigned cpl = bt->cpl;
    int err;

    bt_store_state(bt);
    bt->s.fx = bt->cpu->host.regs.fx;
    err = interp_step(bt->stepper, &bt->s, 1, bt->exit);
    bt->cpu->host.regs.fx = bt->s.fx;
    if (bt->vm.events.count[EV_EXIT_IO] != io)
        bt_follow_post(bt);
    return finish(bt, cpl, err);
}

static enum verdict deliver(struct bt *bt, int vector, bool trap,
                            bool has_error, uint32_t error)
{
    const struct interp_event event = {vector, trap, has_error, error};
    const struct vm_bus *bus = bt->vm.bus;
    int err;

    if (vector < 0 && bt->cpu->tpr != bt->cpu->tpr_sync && bus) {
        bus->set_tpr(bus->opaque, bt->cpu->tpr);
        bt->cpu->tpr_sync = bt->cpu->tpr;
    }
    bt_store_state(bt);
    err = interp_deliver(bt->stepper, &bt->s, &event, bt->exit);
    return finish(bt, 0, err);
}

/* ---- Traps
 * -------------------------------------------------------------------------- */

static struct bt_frag *trapped_fragment(struct bt *bt)
{
    uint64_t off = bt->cpu->host.regs.rip - BT_CACHE;

    return off < BT_CACHE_SIZE ? bt_frag_at(bt, (uint32_t)off) : NULL;
}

/* REP STOS or MOVS: no update of a table, but a page that is filled anew. */
static bool is_rep_store(const struct bt *bt)
{
    const struct walk_regs regs = bt_walk_regs(bt);
    struct walk_result w;
    const uint8_t *p;

    if (x86_walk(bt->vm.ram, &regs, bt->cpu->rip, WALK_PEEK, &w))
        return false;
    p = ram_ptr(bt->vm.ram, w.gpa, 3);
    if (!p || p[0] != 0xf3)
        return false;
    p += p[1] == 0x48 ? 2 : 1;
    return *p == 0xaa || *p == 0xab || *p == 0xa4 || *p == 0xa5;
}

static enum verdict emulate(struct bt *bt, const struct shadow_fault *f)
{
    struct event_counters *ev = &bt->vm.events;
    struct bt_frag *frag = trapped_fragment(bt);
    uint64_t begin = bt->cpu->host.trap.begin;
    enum verdict v;

    if (f->reason == SHADOW_TRACED && is_rep_store(bt)) {
        shadow_end_trace(bt->shadow, f->gpa);
        ev->ticks[EV_FAULT_TRACE] += __rdtsc() - begin;
        return AGAIN;
    }
    if (frag && (f->reason == SHADOW_TRACED || f->reason == SHADOW_DEVICE))
        bt_adapt_fault(bt, frag);
    v = step(bt);
    if (f->reason == SHADOW_TRACED)
        ev->ticks[EV_FAULT_TRACE] += __rdtsc() - begin;
    return v;
}

static enum verdict page_fault(struct bt *bt)
{
    struct event_counters *ev = &bt->vm.events;
    const struct walk_regs regs = bt_walk_regs(bt);
    const struct host_trap *t = &bt->cpu->host.trap;
    struct shadow_fault f;
    enum shadow_verdict v =
        shadow_fault(bt->shadow, &regs, bt->cpl, t->address, t->error, &f);
    enum verdict r;

    if (v == SHADOW_RETRY) {
        /* The registers in host.regs are still those of the access. */
        ev->ticks[f.event] += __rdtsc() - t->begin;
        return GO_ON;
    }
    bt_precise(bt);
    switch (v) {
    case SHADOW_GUEST:
        bt->s.cr2 = f.gva;
        r = deliver(bt, VEC_PF, false, true, f.error);
        ev->ticks[EV_FAULT_TRUE] += __rdtsc() - t->begin;
        return r;
    case SHADOW_EMULATE:
        return emulate(bt, &f);
    case SHADOW_OUTSIDE: /* slow, but right */
        return step(bt);
    default:
        bt->exit->kind = EXIT_ERROR;
        memcpy(bt->exit->why, f.why, sizeof(f.why));
        return LEAVE;
    }
}

static enum verdict exception(struct bt *bt)
{
    unsigned vector = bt->cpu->host.trap.vector;

    if (vector == VEC_PF)
        return page_fault(bt);
    bt_precise(bt);
    if (vector == VEC_DB) {
        bt->s.dr[6] |= 0x4000; /* BS */
        return deliver(bt, VEC_DB, true, false, 0);
    }
    if (vector == VEC_BP && bt->cpl == 3)
        return deliver(bt, VEC_BP, true, false, 0);
    return step(bt);
}

static bool is_syscall(const struct bt *bt, gva_t rip)
{
    const struct walk_regs regs = bt_walk_regs(bt);
    struct walk_result w;
    const uint8_t *p;

    if ((rip & 4095) == 4095 || !(bt->s.efer & EFER_SCE) ||
        x86_walk(bt->vm.ram, &regs, rip, WALK_PEEK, &w))
        return false;
    p = ram_ptr(bt->vm.ram, w.gpa, 2);
    return p && p[0] == 0x0f && p[1] == 0x05;
}

static enum verdict system_call(struct bt *bt, uint64_t begin)
{
    if (!is_syscall(bt, bt->cpu->rip))
        return step(bt);
    bt_enter_kernel(bt, bt->cpu->rip + 2);
    bt->vm.events.ticks[EV_EXIT_SYSCALL] += __rdtsc() - begin;
    return AGAIN;
}

/* An access that used to trap: does it still? */
static enum verdict step_simulated(struct bt *bt, const struct bt_exit *e)
{
    const uint64_t *mmio = &bt->vm.events.count[EV_EXIT_MMIO], before = *mmio;
    enum verdict v = step(bt);

    if (bt->traced || *mmio != before)
        bt_adapt_trapped(bt, e);
    else
        bt_adapt_quiet(bt, e);
    return v;
}

static enum verdict left_cache(struct bt *bt)
{
    struct bt_cpu *cpu = bt->cpu;
    struct bt_exit *e = &bt->exits[cpu->exit];

    if (cpu->resume) /* a kick: the state is complete */
        return AGAIN;
    switch (e->kind) {
    case BT_EXIT_STEP:
        return e->simulated ? step_simulated(bt, e) : step(bt);
    case BT_EXIT_STORE:
        return step_simulated(bt, e);
    case BT_EXIT_RETURN:
        bt->missed = BT_BY_RETURN;
        return AGAIN;
    case BT_EXIT_MISS:
        bt->missed = cpu->exit;
        return AGAIN;
    case BT_EXIT_IRQ:
        bt->s.int_shadow = 1;
        return AGAIN;
    case BT_EXIT_SYSCALL: /* unless it is done */
        return bt->cpl == 3 ? step(bt) : AGAIN;
    case BT_EXIT_SYSRET:
        return bt->cpl == 3 ? AGAIN : step(bt);
    }
    return AGAIN;
}

static enum verdict handle(struct bt *bt)
{
    struct bt_cpu *cpu = bt->cpu;
    const struct host_trap *t = &cpu->host.trap;

    bt->last[bt->nlast++ % BT_LAST] =
        (struct bt_last){cpu->host.regs.rip, t->kind, cpu->exit};
    /* The kernel's FS base moves with SWAPGS; the user's with WRFSBASE. */
    if (bt->cpl == 3 && t->kind != HOST_LEFT) {
        if (!bt->opt.user_translate) {
            cpu->fs_base = cpu->host.regs.fs_base;
            cpu->gs_base = cpu->host.regs.gs_base;
        }
        cpu->sys_flags = (cpu->sys_flags & ~BT_USER_FLAGS) |
                         (cpu->host.regs.rflags & BT_USER_FLAGS);
    }
    switch (t->kind) {
    case HOST_LEFT:
        return left_cache(bt);
    case HOST_KICK:
        bt->vm.events.count[EV_EXIT_SIGNAL]++;
        bt_precise(bt);
        return AGAIN;
    case HOST_SYSCALL:
        bt_precise(bt);
        return system_call(bt, t->begin);
    default:
        return exception(bt);
    }
}

/* ---- Entering
 * ----------------------------------------------------------------------- */

/* Registers for host_enter(). AGAIN: the instruction was interpreted. */
static enum verdict prepare(struct bt *bt)
{
    struct bt_cpu *cpu = bt->cpu;
    struct host_regs *r = &cpu->host.regs;
    bool translated = bt->cpl != 3 || bt->opt.user_translate;
    struct bt_frag *f;

    if (bt->flush) {
        bt_cache_flush(bt);
        bt->vm.events.count[EV_BT_FLUSH]++;
    }
    /* Units don't know that they were entered behind STI: a kick before their
     * first instruction would let an interrupt in. */
    if (cpu->sys_flags & FL_TF || bt->s.int_shadow)
        return step(bt);
    r->rip = cpu->rip;
    if (translated) {
        f = bt_fragment(bt, cpu->rip, bt->missed);
        bt->missed = BT_DIRECTLY;
        if (!f)
            return step(bt);
        r->rip = bt_host(f->body);
    }
    memcpy(r->gpr, cpu->gpr, sizeof(r->gpr));
    bt_native(bt, &r->rflags, &r->fs_base, &r->gs_base);
    return GO_ON;
}

/* What waits for this vCPU. */
static enum verdict attend(struct bt *bt)
{
    struct vm *vm = &bt->vm;
    unsigned a = __atomic_load_n(&vm->attention, __ATOMIC_ACQUIRE);

    bt->cpu->attention = a;
    if (a & ATTN_KICK) {
        __atomic_fetch_and(&vm->attention, ~ATTN_KICK, __ATOMIC_ACQ_REL);
        bt->exit->kind = EXIT_KICKED;
        return LEAVE;
    }
    if (vm->retired >= vm->limit) {
        bt->exit->kind = EXIT_KICKED;
        return LEAVE;
    }
    if (vm->deadline != UINT64_MAX && __rdtsc() >= vm->deadline) {
        bt->exit->kind = EXIT_TIMER;
        return LEAVE;
    }
    if (a & ATTN_IRQ && bt->cpu->vif) {
        if (bt->s.int_shadow)
            return step(bt);
        return deliver(bt, -1, false, false, 0);
    }
    if (bt->s.halted) {
        bt->exit->kind = bt->cpu->vif ? EXIT_HLT : EXIT_HLT_DEAD;
        return LEAVE;
    }
    /* CPL 3 can't set the host's CR0.TS. Where the guest did, its user code
     * gets the #NM at once, before it is known to touch the FPU. */
    if (bt->s.cr0 & CR0_TS && bt->cpl == 3)
        return deliver(bt, VEC_NM, false, false, 0);
    return GO_ON;
}

/* The kernel's translations touch no FPU register, and FXSAVE forgets where the
 * last x87 instruction was, on some CPUs: keep that. */
static void enter(struct bt *bt)
{
    struct host_cpu *h = &bt->cpu->host;
    struct x86_fx *fx = &h->regs.fx;
    bool keep = bt->cpl != 3 && !bt->opt.user_translate;
    uint64_t fip = fx->fip, fdp = fx->fdp;
    uint16_t fop = fx->fop;

    host_arm(h, bt->vm.deadline);
    host_enter(h);
    if (!keep)
        return;
    fx->fip = fip;
    fx->fdp = fdp;
    fx->fop = fop;
}

int bt_run(struct vm *vm, struct vm_exit *exit)
{
    struct bt *bt = (struct bt *)vm;
    struct host_cpu *h = &bt->cpu->host;
    enum verdict v = AGAIN;

    memset(exit, 0, sizeof(*exit));
    bt->exit = exit;
    host_claim_signals(h);
    while (v != LEAVE) {
        if (v == AGAIN) {
            h->kicked = 0;
            __atomic_signal_fence(__ATOMIC_SEQ_CST);
            v = attend(bt);
            if (v == GO_ON)
                v = prepare(bt);
            if (v != GO_ON)
                continue;
        }
        enter(bt);
        v = handle(bt);
    }
    if (!exit->rip)
        exit->rip = bt->cpu->rip;
    return exit->kind == EXIT_ERROR ? -1 : 0;
}
