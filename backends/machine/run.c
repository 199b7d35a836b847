/* The run loop: enter the vCPU, say what its exits mean, wait while it is idle. */
#include "internal.h"
#include "guest/abi/abi.h"

#include <Zydis/Zydis.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static void
run_end(struct machine *m, enum machine_end end, const char *fmt, ...)
{
    va_list ap;

    m->result->end = end;
    va_start(ap, fmt);
    vsnprintf(m->result->why, REASON_MAX, fmt, ap);
    va_end(ap);
}

static uint64_t run_rip(struct machine *m)
{
    struct x86_state s;

    return m->vm->backend->get_state(m->vm, &s) < 0 ? 0 : s.rip;
}

/* "rip 0x...: mnemonic operands (bytes)", as far as the bytes are known. */
static void run_end_emulation(struct machine *m, const struct vm_exit *e)
{
    ZydisDisassembledInstruction insn;
    char bytes[3 * sizeof(e->insn) + 1] = "";
    unsigned known = e->insn_len;

    if (known > sizeof(e->insn))
        known = sizeof(e->insn);
    for (unsigned i = 0; i < known; i++)
        sprintf(bytes + 3 * i, "%02x ", e->insn[i]);
    if (!known)
        run_end(m, END_EMULATION,
                "%s: cannot emulate the instruction at rip %#llx",
                m->vm->backend->name, (unsigned long long)e->rip);
    else if (ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64,
                                                e->rip, e->insn, known, &insn)))
        run_end(m, END_EMULATION, "%s: cannot emulate '%s' (%.*s) at rip %#llx",
                m->vm->backend->name, insn.text, insn.info.length * 3 - 1,
                bytes, (unsigned long long)e->rip);
    else
        run_end(m, END_EMULATION, "%s: cannot emulate %.*s at rip %#llx",
                m->vm->backend->name, (int)known * 3 - 1, bytes,
                (unsigned long long)e->rip);
}

/* The vCPU sleeps with IF = 1. False: nothing will ever wake it. */
static bool run_idle(struct machine *m)
{
    struct vm *vm = m->vm;
    const uint64_t begin = machine_timed(m) ? __rdtsc() : 0;
    uint64_t slept = 0;

    while (!m->stop && !(vm->attention & ATTN_IRQ)) {
        uint64_t asleep = machine_timed(m) ? __rdtsc() : 0;

        if (vm->deadline == UINT64_MAX)
            return false;
        clock_wait(m, vm->deadline);
        if (machine_timed(m))
            slept += __rdtsc() - asleep;
        if (clock_now(m) >= vm->deadline)
            board_expire(&m->board);
    }
    if (machine_timed(m))
        vm->events.ticks[EV_EXIT_HLT] += __rdtsc() - begin - slept;
    return true;
}

/* One exit; true when it was the last. */
static bool run_handle(struct machine *m, const struct vm_exit *e)
{
    struct vm *vm = m->vm;

    if (m->off) {
        if (m->exit_code == TM_EXIT_OK)
            run_end(m, END_OK, "%s", "");
        else
            run_end(m, END_PANIC, "the guest powered off with code %#x",
                    m->exit_code);
        return true;
    }
    if (m->stop) {
        run_end(m, END_STOPPED, "stopped at rip %#llx",
                (unsigned long long)run_rip(m));
        return true;
    }

    switch (e->kind) {
    case EXIT_KICKED:
        if (vm->retired < vm->limit)
            return false;
        run_end(m, END_STOPPED, "instruction limit reached at rip %#llx",
                (unsigned long long)run_rip(m));
        return true;
    case EXIT_TIMER:
        board_expire(&m->board);
        return false;
    case EXIT_HLT:
        if (run_idle(m))
            return false;
        run_end(m, END_DEAD, "guest halted with no timer armed, at rip %#llx",
                (unsigned long long)run_rip(m));
        return true;
    case EXIT_HLT_DEAD:
        run_end(m, END_DEAD, "guest halted with interrupts off, at rip %#llx",
                (unsigned long long)run_rip(m));
        return true;
    case EXIT_SHUTDOWN:
        run_end(m, END_SHUTDOWN, "triple fault at rip %#llx",
                (unsigned long long)(e->rip ? e->rip : run_rip(m)));
        return true;
    case EXIT_EMULATION:
        run_end_emulation(m, e);
        return true;
    case EXIT_EXCEPTION:
        run_end(m, END_ERROR, "exception %d at rip %#llx", e->vector,
                (unsigned long long)run_rip(m));
        return true;
    case EXIT_POWEROFF:
        run_end(m, END_ERROR, "%s: power-off that no device asked for",
                vm->backend->name);
        return true;
    case EXIT_ERROR:
        break;
    }
    run_end(m, END_ERROR, "%s: %s", vm->backend->name,
            e->why[0] ? e->why : "failed without a reason");
    return true;
}

void machine_run(struct machine *m, struct machine_result *result)
{
    struct event_counters zero = {0};
    const uint64_t begin = __rdtsc();
    struct vm_exit e;

    memset(result, 0, sizeof(*result));
    m->result = result;
    do {
        memset(&e, 0, sizeof(e));
        if (!m->stop && m->vm->backend->run(m->vm, &e) < 0)
            e.kind = EXIT_ERROR;
    } while (!run_handle(m, &e));

    line_flush(m);
    if (m->vm->backend->sync_events)
        m->vm->backend->sync_events(m->vm);
    if (m->off)
        result->exit_code = m->exit_code;
    event_accumulate(&result->all, &zero, &m->vm->events);
    if (machine_timed(m)) {
        result->total_ticks = __rdtsc() - begin;
        for (int i = 0; i < EV_COUNT; i++)
            result->kernel_vmm_ticks += result->kernel.ticks[i];
    }
    m->result = NULL;
}
