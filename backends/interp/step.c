/* Single steps of another backend's vCPU. */
#include "step.h"

#include "cpu.h"
#include "event.h"
#include "fx.h"

#include <stdlib.h>
#include <string.h>

extern const struct backend backend_interp;

struct interp_stepper {
    struct icpu cpu;
    struct vm *owner;
    struct interp_write writes[INTERP_WRITES];
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
    s->cpu.log = s->writes;
    return s;
}

void interp_stepper_destroy(struct interp_stepper *s)
{
    backend_interp.destroy(&s->cpu.vm);
    free(s);
}

/* Take over what the owner's vCPU is. */
static int load(struct interp_stepper *s, const struct x86_state *state)
{
    struct vm *vm = &s->cpu.vm, *owner = s->owner;
    int err;

    vm->deterministic = owner->deterministic;
    vm->trap_exceptions = owner->trap_exceptions;
    vm->retired = owner->retired;
    s->cpu.counted = s->cpu.user_mark = vm->retired;
    s->cpu.logged = 0;
    err = backend_interp.set_state(vm, state);
    s->cpu.flushed = INTERP_FLUSH_NONE; /* that isn't the guest's doing */
    return err;
}

/* And give it back. */
static void store(struct interp_stepper *s, struct x86_state *state,
                  struct event_counters *before)
{
    /* The owner does some of these itself: they would be but a part. */
    for (int e = EV_KIND_FIRST; e <= EV_KIND_LAST; e++)
        before->count[e] = s->cpu.vm.events.count[e];
    backend_interp.get_state(&s->cpu.vm, state);
    s->owner->retired = s->cpu.vm.retired;
    event_accumulate(&s->owner->events, before, &s->cpu.vm.events);
}

int interp_step(struct interp_stepper *s, struct x86_state *state, uint64_t n,
                struct vm_exit *exit)
{
    struct event_counters before = s->cpu.vm.events;
    int err = load(s, state);

    if (err)
        return err;
    err = backend_interp.step(&s->cpu.vm, n, exit);
    store(s, state, &before);
    return err;
}

int interp_deliver(struct interp_stepper *s, struct x86_state *state,
                   const struct interp_event *event, struct vm_exit *exit)
{
    struct event_counters before = s->cpu.vm.events;
    struct icpu *c = &s->cpu;
    int vector = event->vector, err = load(s, state);
    bool ok = true;

    if (err)
        return err;
    exit->kind = EXIT_KICKED;
    if (vector >= 0 && s->owner->trap_exceptions) {
        exit->kind = EXIT_EXCEPTION;
        exit->vector = vector;
        exit->has_error = event->has_error;
        exit->error = event->error;
    } else if (vector >= 0) {
        c->pending.vector = (uint8_t)vector;
        c->pending.valid = true;
        c->pending.trap = event->trap;
        c->pending.soft = event->trap && vector == VEC_BP;
        c->pending.has_error = event->has_error;
        c->pending.error = event->error;
        ok = event_deliver_pending(c);
    } else {
        vector = c->vm.bus->irq_ack(c->vm.bus->opaque);
        if (vector >= 0)
            ok = event_deliver_interrupt(c, (unsigned)vector);
    }
    fx_leave(c);
    if (!ok) {
        exit->kind = EXIT_SHUTDOWN;
        exit->rip = c->rip;
        c->pending.valid = false;
    }
    store(s, state, &before);
    return 0;
}

enum interp_flush interp_stepper_flushed(const struct interp_stepper *s,
                                         gva_t *gva)
{
    *gva = s->cpu.flushed_page;
    return (enum interp_flush)s->cpu.flushed;
}

unsigned interp_stepper_writes(const struct interp_stepper *s,
                               const struct interp_write **list)
{
    *list = s->writes;
    return s->cpu.logged;
}

void interp_stepper_ram_written(struct interp_stepper *s, gpa_t gpa,
                                uint64_t len)
{
    unsigned logged = s->cpu.logged;

    backend_interp.ram_written(&s->cpu.vm, gpa, len);
    s->cpu.logged = logged;
}
