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

/* Deliver an event to state through the guest's IDT, with nothing executed: an
 * exception, or, with vector < 0, the interrupt that bus->irq_ack() names, if it
 * names one. trap: RIP is behind the instruction, so the frame's RF is clear.
 * exit->kind is EXIT_KICKED when it is done; EXIT_SHUTDOWN and EXIT_EXCEPTION as
 * from interp_step. */
struct interp_event {
    int vector;
    bool trap, has_error;
    uint32_t error;
};
int interp_deliver(struct interp_stepper *s, struct x86_state *state,
                   const struct interp_event *event, struct vm_exit *exit);

/* What the last call above wrote to RAM, accessed and dirty bits apart, in
 * *list: how many spans. INTERP_WRITES: that many or more, not all are there. */
struct interp_write {
    gpa_t gpa;
    uint64_t len;
};
#define INTERP_WRITES 32
unsigned interp_stepper_writes(const struct interp_stepper *s,
                               const struct interp_write **list);

/* What the last call above did to the vCPU's translations. */
enum interp_flush {
    INTERP_FLUSH_NONE,
    INTERP_FLUSH_PAGE, /* INVLPG of *gva */
    INTERP_FLUSH_CR3,  /* MOV to CR3, whatever the value */
    INTERP_FLUSH_ALL   /* a paging bit of CR0, CR4 or EFER changed */
};
enum interp_flush interp_stepper_flushed(const struct interp_stepper *s,
                                         gva_t *gva);

/* The owner, or a device, wrote this part of RAM behind the stepper's back. */
void interp_stepper_ram_written(struct interp_stepper *s, gpa_t gpa,
                                uint64_t len);

#endif
