/* The generator at work: shared by its templates and its generic part. */
#ifndef TM_DIFF_GEN_H
#define TM_DIFF_GEN_H

#include "forms.h"
#include "stream.h"

/* Roles of registers. Pointers and the index have values the generator knows;
 * R15 counts loops. RAX, RCX, RDX and R8..R11 are free. */
#define GEN_RESERVED                                                           \
    (1u << RBX | 1u << RBP | 1u << RSI | 1u << RDI | 1u << RSP | 1u << R12 |   \
     1u << R13 | 1u << R14 | 1u << R15)

/* The registers that point to data. */
extern const uint8_t gen_pointers[6];

struct gen {
    struct stream *s;
    struct rng rng;
    struct stream_mix mix; /* all zero: one form, with more edge cases */
    uint64_t value[16];    /* of pointers and index, as far as known */
    unsigned may_write;    /* reserved registers that are free to go */
    uint16_t undefined;    /* flags, at the end of what is there */
    uint16_t join; /* undefined flags that branches to `pending` carry */
    int pending;   /* instruction whose target isn't set yet, or -1 */
    unsigned left; /* groups until the pending target */
};

/* Appends one instruction. False: it doesn't decode, reads undefined flags, or
 * writes a reserved register that is not in `may_write`. */
bool gen_add(struct gen *g, const struct stream_insn *si, unsigned may_write);

/* The same from bytes; false as above. */
bool gen_bytes(struct gen *g, const void *bytes, unsigned len,
               unsigned may_write);
#define GEN(g, ...)                                                            \
    gen_bytes(g, (const uint8_t[]){__VA_ARGS__},                               \
              sizeof((uint8_t[]){__VA_ARGS__}), 0)
#define GEN_W(g, may, ...)                                                     \
    gen_bytes(g, (const uint8_t[]){__VA_ARGS__},                               \
              sizeof((uint8_t[]){__VA_ARGS__}), may)

/* mov reg, imm, and the nominal value with it. */
void gen_load(struct gen *g, unsigned reg, uint32_t value);
void gen_load_signed(struct gen *g, unsigned reg, int32_t value);

/* cmp with random free registers: no flag is undefined after it. */
void gen_define_flags(struct gen *g);

/* An address for an operand of so many bytes: mostly inside the writable data,
 * sometimes across a page or off the edge. */
uint32_t gen_address(struct gen *g, unsigned size);

/* A random instance of the form; several instructions where it needs some
 * preparation. */
void gen_form(struct gen *g, const struct form *f);

/* A random group of control flow or stack instructions. */
void gen_control(struct gen *g);

/* A random group of sensitive instructions. */
void gen_system(struct gen *g);

/* A random change of code or page tables: against the interpreter only. */
void gen_changes(struct gen *g);

#endif
