/* Exceptions, interrupts and changes of privilege. */
#ifndef TM_INTERP_EVENT_H
#define TM_INTERP_EVENT_H

#include "cpu.h"

/* Make an exception pending and bring c->rip and c->budget to instruction i
 * (NULL: they are there already). The handler then returns. */
void raise_fault(struct icpu *c, const struct insn *i, unsigned vector);
void raise_error(struct icpu *c, const struct insn *i, unsigned vector,
                 uint32_t error);
/* A trap: rip is already behind the instruction. */
void raise_trap(struct icpu *c, unsigned vector);

/* Deliver what is pending, or an interrupt, through the IDT. False: triple
 * fault. */
bool event_deliver_pending(struct icpu *c);
bool event_deliver_interrupt(struct icpu *c, unsigned vector);

/* INT n at c->rip (already behind it); start is the instruction's own RIP, for
 * the fault if the gate refuses. */
void event_soft_int(struct icpu *c, unsigned vector, uint64_t start);

/* Leave the run loop with EXIT_EMULATION; c->rip is at the instruction i. */
void emulation_fails(struct icpu *c, const struct insn *i, const char *why);

/* The RIP of i. */
uint64_t insn_rip(const struct insn *i);

/* Leave handlers: c->rip = RIP of i, or behind it, budget accordingly. */
void sync_before(struct icpu *c, const struct insn *i);
void sync_after(struct icpu *c, const struct insn *i);

/* Privilege level changed to cpl, by whatever means. */
void set_cpl(struct icpu *c, unsigned cpl);

/* RFLAGS as the guest sees it, and back. set_rflags takes all bits as given. */
uint64_t get_rflags(const struct icpu *c);
void set_rflags(struct icpu *c, uint64_t v);

#endif
