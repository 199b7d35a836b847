/* SSE instructions as handlers of their own, without a call. */
#ifndef TM_INTERP_TAIL_H
#define TM_INTERP_TAIL_H

#include "cpu.h"
#include "thunk.h"

#include "../x86/decode.h"

/* A tail is generated code with the signature of a handler: one SSE instruction
 * and the register-only ones behind it, as they are, then the jump to the handler
 * of the next. Tails are only for plain SSE: no flags, no hooks, an explicit
 * memory operand or none.
 *
 * Where the first has a memory operand, the tail takes its host address as a third
 * argument, from a handler that has made all checks. Where it has none, the tail
 * is entered like any handler and checks c->fx_ready itself; where that is not
 * set it goes to `slow`, which executes one instruction.
 *
 * No exception can happen in a tail: fx_ready means that all are masked. */
typedef void tail_fn(struct icpu *c, const struct insn *i, void *mem);

/* One instruction of a tail. len 0: it can't be in one. */
struct tail_body {
    uint8_t code[30];
    uint8_t len;
    bool mem; /* only a tail's first may have a memory operand */
};

void tail_get_body(const struct x86_insn *x, const uint8_t *bytes,
                   const struct thunk *th, struct tail_body *body);

/* Make the tail of instructions *bodies[0] .. *bodies[n - 1]; th is the thunk of
 * the first, which is also in the word before the tail. NULL: no room. */
tail_fn *tail_make(const struct tail_body *const *bodies, unsigned n,
                   const struct thunk *th, insn_fn *slow);

/* How many there can be in one tail. */
#define TAIL_MAX 8u

#endif
