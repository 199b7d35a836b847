/* The interpreter's run loop. */
#include "run.h"

#include "block.h"
#include "event.h"
#include "fx.h"

/* Instructions between looks at the clock and at vm->attention. */
#define CHUNK 2048

void run_account(struct icpu *c)
{
    struct event_counters *ev = &c->vm.events;

    ev->count[EV_INSN_RETIRED] += c->vm.retired - c->counted;
    c->counted = c->vm.retired;
    if (c->cpl == 3)
        ev->count[EV_INSN_USER] += c->vm.retired - c->user_mark;
    c->user_mark = c->vm.retired;
}

static void rebase(struct icpu *c)
{
    sync_retired(c, NULL);
    c->retired_base = c->vm.retired;
    c->budget = c->budget_start = 0;
}

static int leave_run(struct icpu *c, struct vm_exit *exit, enum exit_kind kind)
{
    exit->kind = kind;
    exit->rip = c->rip;
    fx_leave(c);
    run_account(c);
    return 0;
}

static uint64_t now(struct icpu *c)
{
    if (!c->vm.deterministic)
        return __builtin_ia32_rdtsc();
    fx_leave(c);
    return c->vm.bus->now(c->vm.bus->opaque);
}

/* An exception: to the caller, or to the guest. True: leave with *kind. */
static bool handle_pending(struct icpu *c, struct vm_exit *exit,
                           enum exit_kind *kind)
{
    if (c->vm.trap_exceptions) {
        *kind = EXIT_EXCEPTION;
        exit->vector = c->pending.vector;
        exit->has_error = c->pending.has_error;
        exit->error = c->pending.error;
        c->pending.valid = false;
        return true;
    }
    *kind = EXIT_SHUTDOWN;
    return !event_deliver_pending(c);
}

/* Interrupts and kicks. True: leave with *kind. */
static bool handle_attention(struct icpu *c, enum exit_kind *kind)
{
    unsigned a = __atomic_load_n(&c->vm.attention, __ATOMIC_ACQUIRE);
    int vector;

    if (a & ATTN_KICK) {
        __atomic_fetch_and(&c->vm.attention, ~ATTN_KICK, __ATOMIC_ACQ_REL);
        *kind = EXIT_KICKED;
        return true;
    }
    if (!(a & ATTN_IRQ) || !(c->rflags & FL_IF) || c->shadow)
        return false;
    fx_leave(c);
    vector = c->vm.bus->irq_ack(c->vm.bus->opaque);
    if (vector < 0)
        return false;
    *kind = EXIT_SHUTDOWN;
    return !event_deliver_interrupt(c, (unsigned)vector);
}

/* How many instructions may run before the loop must look again; 0: the time is
 * up, with *kind. */
static uint64_t allowance(struct icpu *c, enum exit_kind *kind)
{
    uint64_t n = CHUNK, t;

    if (c->vm.retired >= c->vm.limit) {
        *kind = EXIT_KICKED;
        return 0;
    }
    if (c->vm.limit - c->vm.retired < n)
        n = c->vm.limit - c->vm.retired;
    if (c->vm.deadline == UINT64_MAX)
        return n;
    t = now(c);
    if (t >= c->vm.deadline) {
        *kind = EXIT_TIMER;
        return 0;
    }
    if (c->vm.deterministic && c->vm.deadline - t < n)
        n = c->vm.deadline - t;
    return n;
}

/* Run up to n instructions, or until something else must be looked at. Blocks
 * are at most BLOCK_MAX long: nearer to the end than that, and where each
 * instruction matters, go one by one. */
static void execute(struct icpu *c, uint64_t n)
{
    bool step = c->rflags & FL_TF;
    struct block *b;

    c->single = step || c->shadow || n <= BLOCK_MAX;
    c->budget = c->budget_start = c->single ? 0 : (int64_t)n - BLOCK_MAX;
    do {
        c->shadow = c->shadow_ss = false;
        b = block_find(c, c->rip);
        if (!b)
            return;
        b->insn[0].fn(c, b->insn);
    } while (c->budget >= 0 && !c->pending.valid && !c->leave && !c->halted &&
             !c->shadow && !c->vm.attention &&
             (c->single || !(c->rflags & FL_TF)));
    if (step && c->budget < 0 && !c->pending.valid && !c->leave &&
        !c->shadow_ss) {
        c->dr[6] |= 0x4000; /* BS */
        raise_trap(c, VEC_DB);
    }
}

int run_loop(struct icpu *c, struct vm_exit *exit)
{
    enum exit_kind kind = EXIT_ERROR;
    uint64_t n;

    for (;;) {
        rebase(c);
        if (c->leave) {
            c->leave = false;
            return leave_run(c, exit, c->exit_kind);
        }
        if (c->pending.valid && handle_pending(c, exit, &kind))
            return leave_run(c, exit, kind);
        if (c->vm.attention && handle_attention(c, &kind))
            return leave_run(c, exit, kind);
        if (c->pending.valid)
            continue;
        if (c->halted)
            return leave_run(c, exit,
                             c->rflags & FL_IF ? EXIT_HLT : EXIT_HLT_DEAD);
        n = allowance(c, &kind);
        if (!n)
            return leave_run(c, exit, kind);
        execute(c, n);
    }
}
