/* Random streams of instructions: generated, analysed, assembled. */
#ifndef TM_DIFF_STREAM_H
#define TM_DIFF_STREAM_H

#include "case.h"

#define STREAM_MAX 120 /* instructions */

/* What is filled in when the stream gets its address. */
enum stream_fix {
    FIX_NONE,
    FIX_RIP,     /* disp32 of a RIP-relative operand at `address` */
    FIX_BRANCH8, /* rel8 to instruction `target` */
    FIX_BRANCH32,
    FIX_ABS32,  /* imm32: the address of instruction `target` */
    FIX_ALIAS32 /* disp32: where that can be written, and `address` */
};

struct stream_insn {
    uint8_t bytes[16];
    uint8_t len;
    uint8_t fix, fix_off; /* enum stream_fix; where in bytes */
    bool maybe;           /* may leave the flags alone: count or rcx is 0 */
    bool glued;           /* tidies up after the one before: not without it */
    bool big;             /* its operand is an FPU environment or image */
    bool two;             /* it reads two operands in memory */
    uint16_t target;      /* instruction number, at most stream.n */
    uint16_t reads, writes, undefines; /* status flags */
    uint32_t address;
};

struct stream {
    uint64_t seed;
    unsigned n;
    struct stream_insn insns[STREAM_MAX];
    /* From stream_analyse(): flags that are undefined before each
     * instruction; the last is the ud2 at the end. */
    uint16_t undefined[STREAM_MAX + 1];
    /* From stream_assemble(): offsets of the instructions and of the ud2. */
    uint32_t offset[STREAM_MAX + 1];
};

/* Per cent of each kind; the rest are control flow and the stack. */
struct stream_mix {
    unsigned integer, sse, x87;
    unsigned system;  /* sensitive instructions: IF, CR8, SWAPGS, ... */
    unsigned changes; /* of code and page tables */
    bool ring3;       /* what of these two may run there */
};

/* A stream and the state it begins with, wholly determined by seed and mix:
 * valid encodings only, all memory operands near the pages of case.h, and no
 * instruction reads a flag that is undefined at that point. */
void stream_generate(struct stream *s, struct case_input *in, uint64_t seed,
                     const struct stream_mix *mix);

/* One instruction of that form, and what must precede it. Empty where nothing
 * useful was found. */
struct form;
void stream_of_form(struct stream *s, struct case_input *in,
                    const struct form *f, uint64_t seed);

/* Just the state that a stream with this seed would begin with, pointers set.
 */
void stream_base_input(struct case_input *in, uint64_t seed);

/* Follows the undefined flags through the stream. False: an instruction reads
 * one (possible after instructions were removed). */
bool stream_analyse(struct stream *s);

/* Writes the code for an address to in->code; ends it with ud2. False: a branch
 * doesn't reach or the slot is too small. */
bool stream_assemble(struct stream *s, uint64_t rip, struct case_input *in);

/* Takes out instruction i, and those glued to it; branches to them go to the
 * next. False: i is itself glued. */
bool stream_remove(struct stream *s, unsigned i);

/* What is open when execution stopped at rip, in a slot that begins at base. */
struct case_open stream_open_at(const struct stream *s, uint64_t base,
                                uint64_t rip);

/* ---- For generators: one random number source ------------------------- */

struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *r);
/* 0..n - 1 */
static inline unsigned rng_below(struct rng *r, unsigned n)
{
    return (unsigned)((rng_next(r) >> 32) * n >> 32);
}
static inline bool rng_percent(struct rng *r, unsigned p)
{
    return rng_below(r, 100) < p;
}
/* Any value, but edge cases often. */
uint64_t rng_value(struct rng *r);

/* Random registers, FPU state and memory. Pointers are the caller's. */
void stream_fill_input(struct case_input *in, struct rng *r);

/* The flags an instruction reads, writes and leaves undefined, from the
 * decoder's tables and what depends on the count. Fills reads, writes,
 * undefines, maybe and big. */
struct ZydisDecodedInstruction_;
struct ZydisDecodedOperand_;
void stream_flags_of(struct stream_insn *si,
                     const struct ZydisDecodedInstruction_ *in,
                     const struct ZydisDecodedOperand_ *ops);

#endif
