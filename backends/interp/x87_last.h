/* Where the guest's last x87 instruction was: what FNSTENV and FXSAVE show. */
#ifndef TM_INTERP_X87_LAST_H
#define TM_INTERP_X87_LAST_H

#include <stdint.h>

#include <Zydis/Zydis.h>

/* The host's own pointers are those of a thunk and its operand, so the guest's are
 * kept here (SDM vol. 1, 8.1.8 and 8.1.9). The selectors of code and data are
 * not kept: they are stored as 0, and CPUID says so (leaf 7, EBX bit 13). */
struct x87_last {
    uint64_t ip, dp;
    uint16_t op; /* 11 bits */
};

/* What an instruction does with them. */
enum x87_pointers {
    X87_KEEPS,         /* nothing: a control instruction, or no x87 one */
    X87_SETS,          /* becomes the last instruction */
    X87_CLEARS,        /* FNINIT */
    X87_STORES,        /* FNSTENV, FXSAVE */
    X87_STORES_CLEARS, /* FNSAVE */
    X87_LOADS          /* FLDENV, FRSTOR, FXRSTOR */
};

/* How they lie in memory. */
enum x87_layout { X87_ENV16, X87_ENV32, X87_FX32, X87_FX64 };

enum x87_pointers x87_pointers_of(const ZydisDecodedInstruction *in);
enum x87_layout x87_layout_of(const ZydisDecodedInstruction *in);

/* Uses no FPU register. */
void x87_last_store(const struct x87_last *last, enum x87_layout layout,
                    uint8_t *mem);
void x87_last_load(struct x87_last *last, enum x87_layout layout,
                   const uint8_t *mem);

#endif
