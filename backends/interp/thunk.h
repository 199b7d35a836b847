/* x87, MMX and SSE instructions, each run on the host in a thunk of its own. */
#ifndef TM_INTERP_THUNK_H
#define TM_INTERP_THUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "x87_last.h"

/* A thunk is the guest's instruction itself with its memory operand redirected
 * to [mem] and its general registers redirected to gpr[]. It runs on the XMM,
 * MXCSR and x87 state that is live in the host's registers, so the caller has
 * loaded the guest's state and has kept it there (fx.h).
 *
 *   mem    host address of the operand: th->mem_size bytes, th->align aligned;
 *          anything where mem_size is 0
 *   gpr    the guest's general registers, in encoding order (enum x86_gpr)
 *   flags  the guest's status flags; read only where th->flags_read isn't 0
 *
 * Returns the host's status flags after the instruction, to be merged through
 * th->flags_written (bits outside that mask mean nothing), or THUNK_FAULT plus
 * a vector (VEC_MF, VEC_XM or VEC_UD): then the instruction has changed nothing
 * but what the CPU itself changes in that case (status bits in MXCSR), and
 * the guest gets that exception, with its rip on the instruction. */
typedef uint64_t thunk_fn(void *mem, uint64_t *gpr, uint64_t flags);
#define THUNK_FAULT (1ull << 63)

enum thunk_kind {
    THUNK_X87,  /* #NM if CR0.EM or CR0.TS */
    THUNK_WAIT, /* FWAIT: #NM if CR0.MP and CR0.TS */
    THUNK_MMX,  /* #UD if CR0.EM; #NM if CR0.TS */
    THUNK_SSE,  /* #UD if CR0.EM or not CR4.OSFXSR; #NM if CR0.TS */
    THUNK_FXSR, /* FXSAVE, FXRSTOR: #NM if CR0.EM or CR0.TS */
    THUNK_INT   /* MOVNTI: no check */
};

#define THUNK_LOAD 1u /* the operand's bytes must be in mem before */
/* mem's bytes go back to the operand; needs write access. Stores that may be
 * partial or not happen (MASKMOVDQU, FXSAVE, x87) have LOAD too. */
#define THUNK_STORE 2u

struct thunk {
    thunk_fn *run;
    uint16_t mem_size; /* bytes, at most 512; 0: no memory operand */
    uint8_t mem_op;    /* which of Zydis's operands it is, hidden ones count */
    uint8_t access;    /* THUNK_LOAD, THUNK_STORE */
    uint8_t align;     /* a guest address not a multiple of this is #GP(0);
                          checked before the page walk */
    uint8_t kind;      /* enum thunk_kind */
    uint8_t pointers; /* enum x87_pointers: what it does with x87_last, which */
    uint8_t layout;   /* enum x87_layout      the caller does after run */
    uint16_t fop;     /* X87_SETS: the opcode to remember */
    /* An unmasked x87 exception that is pending is raised before the operand
     * is touched. The thunk raises it by itself; but where the operand's page
     * faults, ask thunk_x87_pending() first. */
    bool waits;
    uint16_t flags_read, flags_written; /* status flags, RFLAGS bits */
    /* Where not NULL: called before run, on mem. 0, or the vector to raise:
     * #GP for reserved bits about to go to MXCSR. */
    int (*check)(const void *mem);
    /* Where not NULL: called after run, on mem, before it goes to the guest:
     * hides what only the host has. */
    void (*finish)(void *mem);
};

/* The thunk of a decoded instruction. bytes are its insn->length bytes, ops its
 * insn->operand_count operands. Thunks are shared by all vCPUs of the process,
 * never move and live as long as it does; any thread may call this.
 * 0 and *out, or -ENOENT: not an instruction for thunks (its handling is the
 * interpreter's own); -EINVAL: #UD, it isn't in x86-64-v2; -ENOSPC, -ENOMEM: the
 * code arena is full or can't be had; -ENOTSUP: an encoding that can't be
 * redirected. After the first call that succeeds none makes a system call
 * (malloc's aside). */
int thunk_get(const ZydisDecodedInstruction *insn,
              const ZydisDecodedOperand *ops, const uint8_t *bytes,
              const struct thunk **out);

/* Whether the live x87 state has an unmasked exception pending. */
bool thunk_x87_pending(void);

#endif
