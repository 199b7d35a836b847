/* The x87 instruction and operand pointers in the images that hold them. */
#include "x87_last.h"

/*
 *               FIP      FCS  FOP       FDP      FDS
 *   X87_ENV16   6 (2)    8              10 (2)   12
 *   X87_ENV32   12 (4)   16   18        20 (4)   24
 *   X87_FX32    8 (4)    12   6         16 (4)   20
 *   X87_FX64    8 (8)         6         16 (8)
 */
struct layout {
    uint8_t size; /* of FIP and FDP */
    uint8_t ip, dp;
    uint8_t cs, ds, op; /* 0: not there */
};

static const struct layout layouts[] = {
    [X87_ENV16] = {2, 6, 10, 8, 12, 0},
    [X87_ENV32] = {4, 12, 20, 16, 24, 18},
    [X87_FX32] = {4, 8, 16, 12, 20, 6},
    [X87_FX64] = {8, 8, 16, 0, 0, 6},
};

enum x87_pointers x87_pointers_of(const ZydisDecodedInstruction *in)
{
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_FNINIT:
        return X87_CLEARS;
    case ZYDIS_MNEMONIC_FNSAVE:
        return X87_STORES_CLEARS;
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
        return X87_STORES;
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
        return X87_LOADS;
    case ZYDIS_MNEMONIC_FNCLEX:
    case ZYDIS_MNEMONIC_FNSTCW:
    case ZYDIS_MNEMONIC_FNSTSW:
    case ZYDIS_MNEMONIC_FLDCW:
    case ZYDIS_MNEMONIC_FWAIT:
    case ZYDIS_MNEMONIC_FNOP:
    case ZYDIS_MNEMONIC_FINCSTP:
    case ZYDIS_MNEMONIC_FDECSTP:
    case ZYDIS_MNEMONIC_FFREE:
        return X87_KEEPS;
    default:
        return X87_SETS;
    }
}

enum x87_layout x87_layout_of(const ZydisDecodedInstruction *in)
{
    switch (in->mnemonic) {
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR64:
        return X87_FX64;
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXRSTOR:
        return X87_FX32;
    default:
        return in->operand_width == 16 ? X87_ENV16 : X87_ENV32;
    }
}

static void put(uint8_t *to, uint64_t v, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t get(const uint8_t *from, unsigned size)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t)from[i] << 8 * i;
    return v;
}

void x87_last_store(const struct x87_last *last, enum x87_layout layout,
                    uint8_t *mem)
{
    const struct layout *l = &layouts[layout];

    put(mem + l->ip, last->ip, l->size);
    put(mem + l->dp, last->dp, l->size);
    if (l->cs) {
        put(mem + l->cs, 0, 2);
        put(mem + l->ds, 0, 2);
    }
    if (l->op)
        put(mem + l->op, last->op, 2);
}

void x87_last_load(struct x87_last *last, enum x87_layout layout,
                   const uint8_t *mem)
{
    const struct layout *l = &layouts[layout];

    last->ip = get(mem + l->ip, l->size);
    last->dp = get(mem + l->dp, l->size);
    last->op = l->op ? (uint16_t)(get(mem + l->op, 2) & 0x7ff) : 0;
}
