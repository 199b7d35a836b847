/* Redirects the operands of one x87, MMX or SSE instruction. */
#ifndef TM_INTERP_THUNK_REWRITE_H
#define TM_INTERP_THUNK_REWRITE_H

#include <stdbool.h>
#include <stdint.h>

#include <Zydis/Zydis.h>

/* The guest's explicit general register becomes rax. */
struct rewrite {
    uint8_t code[ZYDIS_MAX_INSTRUCTION_LENGTH];
    unsigned len;
    int gpr;       /* guest register that rax stands for, or -1 */
    unsigned acts; /* ZYDIS_OPERAND_ACTION_* of it */
    unsigned gpr_bits;
};

bool is_gpr(ZydisRegister reg);

/* The same instruction with [mem_reg] (enum x86_gpr, one of the low eight, not
 * RSP or RBP) as its memory operand. False where what came out does not decode
 * to that. */
bool thunk_rewrite(struct rewrite *rw, const ZydisDecodedInstruction *in,
                   const ZydisDecodedOperand *ops, const uint8_t *bytes,
                   unsigned mem_reg);

#endif
