/* Templates for what a VMM must notice: code that is rewritten, page tables
 * that are written to. */
#include "gen.h"

#include <string.h>

/* opcode bytes, then an absolute disp32, then an immediate byte if imm >= 0 */
static void absolute(struct gen *g, const uint8_t *op, unsigned n, uint32_t at,
                     int imm)
{
    uint8_t b[12];

    memcpy(b, op, n);
    memcpy(b + n, &at, 4);
    if (imm >= 0)
        b[n + 4] = (uint8_t)imm;
    gen_bytes(g, b, n + 4 + (imm >= 0), 0);
}
#define ABSOLUTE(g, at, imm, ...)                                              \
    absolute(g, (const uint8_t[]){__VA_ARGS__},                                \
             sizeof((uint8_t[]){__VA_ARGS__}), at, imm)

/* ---- Code ---------------------------------------------------------------- */

/* A store through the alias, then the instruction whose immediate it is. In a
 * loop that instruction has run before. */
static void rewrite_code(struct gen *g)
{
    static const struct {
        uint8_t bytes[8], len, imm;
    } forms[] = {
        {{0xb8}, 5, 1},             /* mov eax, imm32 */
        {{0x48, 0x83, 0xc0}, 4, 3}, /* add rax, imm8 */
        {{0x48, 0x35}, 6, 2},       /* xor rax, imm32 */
        {{0x6a}, 2, 1},             /* push imm8 */
        {{0x48, 0x69, 0xc9}, 7, 3}, /* imul rcx, rcx, imm32 */
    };
    unsigned k = rng_below(&g->rng, sizeof(forms) / sizeof(forms[0]));
    struct stream_insn store = {.fix = FIX_ALIAS32};
    struct stream_insn changed = {.glued = true};
    unsigned n = g->s->n;

    store.target = (uint16_t)(n + 1);
    store.address = forms[k].imm;
    switch (rng_below(&g->rng, 3)) {
    case 0: /* mov byte [..], imm8 */
        store.len = 8, store.fix_off = 3;
        memcpy(store.bytes, "\xc6\x04\x25", 3);
        store.bytes[7] = (uint8_t)rng_next(&g->rng);
        break;
    case 1: /* mov [..], r15b: another value in each turn of a loop */
        store.len = 8, store.fix_off = 4;
        memcpy(store.bytes, "\x44\x88\x3c\x25", 4);
        break;
    default: /* lock xadd [..], dl */
        store.len = 9, store.fix_off = 5;
        memcpy(store.bytes, "\xf0\x0f\xc0\x14\x25", 5);
    }
    memcpy(changed.bytes, forms[k].bytes, forms[k].len);
    changed.len = forms[k].len;
    if (gen_add(g, &store, 0) && !gen_add(g, &changed, 1u << RSP))
        g->s->n = n;
}

/* ---- Page tables --------------------------------------------------------- */

static void invlpg(struct gen *g, uint32_t page)
{
    ABSOLUTE(g, (uint32_t)CASE_DATA + page * 4096, -1, 0x0f, 0x01, 0x3c, 0x25);
}

/* The same value again: a trace fault without need. */
static void same_entry(struct gen *g, uint32_t pte)
{
    ABSOLUTE(g, pte, -1, 0x48, 0x8b, 0x04, 0x25); /* mov rax, [pte] */
    if (rng_percent(&g->rng, 50))
        ABSOLUTE(g, pte, -1, 0x48, 0x89, 0x04, 0x25); /* mov [pte], rax */
    else
        ABSOLUTE(g, pte, -1, 0x88, 0x04, 0x25); /* mov [pte], al */
}

static void swap_pages(struct gen *g)
{
    uint32_t pte = (uint32_t)CASE_DATA_PTE;

    ABSOLUTE(g, pte, -1, 0x48, 0x8b, 0x0c, 0x25);     /* mov rcx, [pte] */
    ABSOLUTE(g, pte + 8, -1, 0x48, 0x87, 0x0c, 0x25); /* xchg [pte+8], rcx */
    ABSOLUTE(g, pte, -1, 0x48, 0x89, 0x0c, 0x25);     /* mov [pte], rcx */
    invlpg(g, 0);
    invlpg(g, 1);
}

static void change_tables(struct gen *g)
{
    uint32_t page = rng_below(&g->rng, 2);
    uint32_t pte = (uint32_t)CASE_DATA_PTE + page * 8;

    switch (g->mix.ring3 ? 0 : rng_below(&g->rng, 12)) {
    case 0:
    case 1:
    case 2:
        same_entry(g, pte);
        return;
    case 3:
    case 4: /* and byte [pte], ~A, D: the next access sets them again */
        ABSOLUTE(g, pte, 0xff & ~0x60, 0x80, 0x24, 0x25);
        break;
    case 5:
    case 6: /* the bits as they are now */
        ABSOLUTE(g, pte, -1, 0x48, 0x8b, 0x14, 0x25);
        return;
    case 7:
    case 8:
        swap_pages(g);
        return;
    case 9: /* ~W or ~P, and rarely left so */
        ABSOLUTE(g, pte, rng_percent(&g->rng, 50) ? 0xfd : 0xfe, 0x80, 0x24,
                 0x25);
        invlpg(g, page);
        if (rng_percent(&g->rng, 20))
            return;
        ABSOLUTE(g, pte, 3, 0x80, 0x0c, 0x25); /* or byte [pte], P|W */
        break;
    default: /* mov rax, cr3; mov cr3, rax */
        GEN(g, 0x0f, 0x20, 0xd8);
        GEN(g, 0x0f, 0x22, 0xd8);
        return;
    }
    invlpg(g, page);
}

void gen_changes(struct gen *g)
{
    if (rng_percent(&g->rng, 50))
        rewrite_code(g);
    else
        change_tables(g);
}
