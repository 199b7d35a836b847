/* SSE instructions as handlers of their own, without a call. */
#ifndef TM_INTERP_TAIL_H
#define TM_INTERP_TAIL_H

#include "select.h"
#include "thunk.h"

/* A tail is generated code with the signature of a handler: the instruction
 * itself, then the jump to the next handler. It is only for plain SSE: no flags,
 * no hooks, an explicit memory operand or none.
 *
 * With a memory operand it takes the host address as a third argument, from a
 * handler that has made all checks. Without one it is entered like any handler
 * and checks c->fx_ready itself; where that is not set it goes to `slow`.
 *
 * No exception can happen in a tail: fx_ready means that all are masked. */
typedef void tail_fn(struct icpu *c, const struct insn *i, void *mem);

/* The tail of a decoded instruction with thunk th, or NULL: it has none. The word
 * before it is th. */
tail_fn *tail_get(const struct x86_insn *x, const uint8_t *bytes,
                  const struct thunk *th, insn_fn *slow);

#endif
