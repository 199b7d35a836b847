/* One x86-64 instruction, decoded from its bytes. */
#ifndef TM_X86_DECODE_H
#define TM_X86_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <Zydis/Zydis.h>

enum x86_opnd_kind {
    OPND_NONE,
    OPND_REG,  /* general register */
    OPND_MEM,  /* x86_insn.mem */
    OPND_IMM,  /* sign-extended; relative ones are resolved to the target */
    OPND_SREG, /* enum x86_sreg */
    OPND_CR,
    OPND_DR,
    OPND_PTR,  /* far pointer */
    OPND_OTHER /* x87, MMX, SSE, ... registers */
};

struct x86_opnd {
    uint8_t kind;
    uint8_t size; /* bytes */
    uint8_t reg;  /* number, 0..15 */
    bool high;    /* AH, CH, DH, BH: reg is 0..3 */
    int64_t imm;
};

#define X86_NOREG 0xff

struct x86_mem {
    uint8_t base, index; /* or X86_NOREG */
    uint8_t scale;       /* log2 */
    uint8_t seg;         /* FS, GS; else SS for the stack's, DS for others */
    bool addr32;
    int64_t disp; /* RIP-relative: the address itself */
};

struct x86_insn {
    uint16_t op; /* ZYDIS_MNEMONIC_* */
    uint8_t len;
    uint8_t opsize;   /* effective operand size, bytes */
    uint8_t addrsize; /* bytes */
    uint8_t nops;     /* explicit operands */
    uint8_t rep;      /* 0, 0xf2 or 0xf3, where it repeats */
    bool lock;
    bool string; /* MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS */
    bool has_mem;
    struct x86_opnd opnd[4];
    struct x86_mem mem; /* of the explicit or implicit memory operand */
    /* Arithmetic flags, RFLAGS bits. Written includes undefined. */
    uint16_t fl_read, fl_written, fl_undefined;
    /* What Zydis said, for thunks. */
    ZydisDecodedInstruction zi;
    ZydisDecodedOperand zops[ZYDIS_MAX_OPERAND_COUNT];
};

/* Decode one instruction in 64-bit mode at rip. 0, or
 *   -ENODATA  it does not end within avail bytes (avail < 15)
 *   -EINVAL   not an instruction, or encoded beyond x86-64-v2: #UD
 *   -E2BIG    longer than 15 bytes: #GP */
int x86_decode(const uint8_t *bytes, size_t avail, uint64_t rip,
               struct x86_insn *out);

#endif
