/* The interpreter as a servant: execute instructions of another backend's vCPU. */
#ifndef TM_INTERP_STEP_H
#define TM_INTERP_STEP_H

#include "../backend.h"

struct interp_stepper;

/* One for a vCPU; it shares the owner's RAM, bus and options. NULL: why. */
struct interp_stepper *interp_stepper_create(struct vm *owner,
                                             char why[REASON_MAX]);
void interp_stepper_destroy(struct interp_stepper *s);

/* Load state, execute exactly n instructions, store state. exit->kind is
 * EXIT_KICKED if all n were executed; otherwise as run() would leave it, with
 * exceptions delivered to the guest unless the owner's trap_exceptions is set.
 * owner->retired advances; events are counted in owner->events. Translations are
 * not kept from one call to the next: the owner's page tables may have changed. */
int interp_step(struct interp_stepper *s, struct x86_state *state, uint64_t n,
                struct vm_exit *exit);

/* The owner, or a device, wrote this part of RAM behind the stepper's back. */
void interp_stepper_ram_written(struct interp_stepper *s, gpa_t gpa,
                                uint64_t len);

#endif
