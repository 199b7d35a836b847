/* Where thunks are kept: finds or adds one by its code. */
#ifndef TM_INTERP_THUNK_ARENA_H
#define TM_INTERP_THUNK_ARENA_H

#include "thunk.h"

#define THUNK_MAX 320u /* bytes of the longest piece of code */

/* The one thunk with this code: what a thunk does, and all that describes it,
 * follows from its code. t->run is filled in here. The code is position
 * independent and its stack is balanced at the guest's instruction. Errors as
 * thunk_get() has them. Thread-safe. */
int thunk_arena_insert(const struct thunk *t, const uint8_t *code, unsigned len,
                       const struct thunk **out);

#endif
