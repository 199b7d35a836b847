/* Hand-written instruction cases: the table that cases.S fills. */
#ifndef TM_INSN_H
#define TM_INSN_H

/* insn_case.flags */
/* The CPU has more than x86-64-v2. What must happen on the backend is what the
 * table says; #UD on the snippet's first byte. */
#define INSN_BACKEND_ONLY 1
/* Also for the backend only, at CPL 0. A snippet checks what it did by itself
 * and ends with int3 where all is well. */
#define INSN_RING0 2
#define INSN_ANY_BYTE 4 /* a #PF may blame any byte of the operand */
#define INSN_END 8      /* no case: ends the one before */

#ifndef __ASSEMBLER__
#include <stdint.h>

/* A snippet; the next entry's code ends it. It runs from random registers (RBX,
 * RBP, RSI, RDI, R12, R13 point to data, RSP to the stack, R14 is small) and is
 * followed by ud2. */
struct insn_case {
    const char *name;
    const uint8_t *code;
    uint32_t undefined; /* status flags that mean nothing afterwards */
    uint32_t vector, error;
    uint32_t flags;
};
#endif

#endif
