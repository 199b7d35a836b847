/* Single steps of another backend's vCPU. */
#include "step.h"

#include "cpu.h"

#include <stdlib.h>
#include <string.h>

extern const struct backend backend_interp;

struct interp_stepper {
    struct icpu cpu;
    struct vm *owner;
};

struct interp_stepper *interp_stepper_create(struct vm *owner,
                                             char why[REASON_MAX])
{
    struct interp_stepper *s = aligned_alloc(64, (sizeof(*s) + 63) & ~63ul);
    struct vm *vm;

    if (!s)
        return NULL;
    memset(s, 0, sizeof(*s));
    s->owner = owner;
    vm = &s->cpu.vm;
    vm->backend = &backend_interp;
    vm->ram = owner->ram;
    vm->bus = owner->bus;
    vm->deadline = vm->limit = UINT64_MAX;
    if (backend_interp.create(vm, why)) {
        free(s);
        return NULL;
    }
    return s;
}

void interp_stepper_destroy(struct interp_stepper *s)
{
    backend_interp.destroy(&s->cpu.vm);
    free(s);
}

int interp_step(struct interp_stepper *s, struct x86_state *state, uint64_t n,
                struct vm_exit *exit)
{
    struct vm *vm = &s->cpu.vm, *owner = s->owner;
    struct event_counters before = vm->events;
    int err;

    vm->deterministic = owner->deterministic;
    vm->trap_exceptions = owner->trap_exceptions;
    vm->retired = owner->retired;
    s->cpu.counted = s->cpu.user_mark = vm->retired;
    err = backend_interp.set_state(vm, state);
    if (err)
        return err;
    err = backend_interp.step(vm, n, exit);
    backend_interp.get_state(vm, state);
    owner->retired = vm->retired;
    event_accumulate(&owner->events, &before, &vm->events);
    return err;
}

void interp_stepper_ram_written(struct interp_stepper *s, gpa_t gpa,
                                uint64_t len)
{
    backend_interp.ram_written(&s->cpu.vm, gpa, len);
}
