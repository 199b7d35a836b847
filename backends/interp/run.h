/* The interpreter's run loop. */
#ifndef TM_INTERP_RUN_H
#define TM_INTERP_RUN_H

#include "cpu.h"

/* Run until there is something to say: exit->kind, rip, and for exceptions their
 * fields are filled in. The host owns the FPU registers before and after. */
int run_loop(struct icpu *c, struct vm_exit *exit);

/* Bring the instruction counters up to vm.retired. */
void run_account(struct icpu *c);

#endif
