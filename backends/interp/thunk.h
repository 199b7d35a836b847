/* x87, MMX and SSE instructions, run by the host itself in generated code. */
#ifndef TM_INTERP_THUNK_H
#define TM_INTERP_THUNK_H

#include "../backend.h"

#include <Zydis/Zydis.h>

enum thunk_unit {
    THUNK_X87,
    THUNK_MMX,
    THUNK_SSE,
    THUNK_FWAIT, /* x87, but #NM only with CR0.MP and CR0.TS */
};

/* One instruction. The interpreter has computed the effective address (of the
 * explicit or the implicit memory operand), checked it, CR0 and CR4, and made
 * the guest's FPU state live.
 *
 * code: mem is the host address of the operand (NULL where mem_size is 0; reads
 * and writes of mem_size bytes there are safe; the alignment modulo 16 is the
 * guest's where align is set). gpr is the guest's 16 registers, which the code
 * reads and writes by itself; RSP included. fl holds the arithmetic flags in the
 * format of x86/flags.h, read and written only if the instruction does.
 * Clobbers what a C function may. Returns 0, or the vector of an unmasked
 * floating-point exception (VEC_MF, VEC_XM): then nothing has changed but the
 * sticky flags, as on the CPU. */
struct thunk {
    int (*code)(void *mem, uint64_t *gpr, uint16_t *fl);
    uint16_t mem_size; /* bytes touched; 0: no memory operand */
    bool mem_read, mem_write;
    uint8_t align; /* 16: an unaligned operand is #GP(0); else 0 */
    uint8_t unit;  /* enum thunk_unit */
    bool reads_flags, writes_flags;
};

struct thunk_cache;

/* NULL: why. One a vCPU; thunks live as long as it does. */
struct thunk_cache *thunk_cache_create(char why[REASON_MAX]);
void thunk_cache_destroy(struct thunk_cache *cache);

/* The thunk of a decoded instruction (ops: all of zi->operand_count), or NULL
 * where x86-64-v2 has no such instruction (#UD) or it is an integer
 * instruction. bytes are the instruction's zi->length bytes. LDMXCSR, STMXCSR,
 * FXSAVE and FXRSTOR are the interpreter's own. Runs with the host owning the
 * FPU registers. */
const struct thunk *thunk_get(struct thunk_cache *cache, const uint8_t *bytes,
                              const ZydisDecodedInstruction *zi,
                              const ZydisDecodedOperand *ops);

#endif
