/* Templates for what a kernel does to the system: sensitive instructions. */
#include "gen.h"

#include <string.h>

/* mov eax, imm32 */
static void load_eax(struct gen *g, uint32_t v)
{
    uint8_t b[5] = {0xb8};

    memcpy(b + 1, &v, 4);
    gen_bytes(g, b, 5, 0);
}

static void save_flags(struct gen *g)
{
    gen_define_flags(g);
    /* pushfq; pop r8..r11 */
    GEN_W(g, 1u << RSP, 0x9c);
    GEN_W(g, 1u << RSP, 0x41, (uint8_t)(0x58 | rng_below(&g->rng, 4)));
}

/* TF would end the case, DF would send strings astray. */
static void load_flags(struct gen *g)
{
    uint32_t v = (uint32_t)rng_next(&g->rng) & (STATUS_FLAGS | FL_IF);
    uint8_t b[5] = {0x68};

    if (rng_percent(&g->rng, 15))
        v |= (uint32_t)rng_next(&g->rng) & (FL_IOPL | FL_NT | FL_AC | FL_ID);
    memcpy(b + 1, &v, 4);
    if (gen_bytes(g, b, 5, 1u << RSP)) /* push imm32; popfq */
        GEN_W(g, 1u << RSP, 0x9d);
}

/* A bare machine has no APIC, so another priority than 0 wouldn't last. */
static void write_cr8(struct gen *g)
{
    load_eax(g, rng_percent(&g->rng, 3) ? 16 + rng_below(&g->rng, 64) : 0);
    if (rng_percent(&g->rng, 50))
        gen_define_flags(g);
    GEN(g, 0x44, 0x0f, 0x22, 0xc0);
}

void gen_system(struct gen *g)
{
    switch (rng_below(&g->rng, 11)) {
    case 0:
        GEN(g, 0xfa); /* cli */
        break;
    case 1:
        GEN(g, 0xfb); /* sti */
        break;
    case 2:
    case 3:
        save_flags(g);
        break;
    case 4:
        load_flags(g);
        break;
    case 5:
        write_cr8(g);
        break;
    case 6: /* mov rcx, cr8 */
        GEN(g, 0x44, 0x0f, 0x20, 0xc1);
        break;
    case 7: /* swapgs, and mostly back */
        GEN(g, 0x0f, 0x01, 0xf8);
        if (rng_percent(&g->rng, 80))
            GEN(g, 0x0f, 0x01, 0xf8);
        break;
    case 8: /* in al, 0x80 or in al, dx */
        if (rng_percent(&g->rng, 70))
            GEN(g, 0xe4, 0x80);
        else
            GEN(g, 0xec);
        break;
    case 9: /* mov rdx, cr0, cr3 or cr4 */
        GEN(g, 0x0f, 0x20,
            (uint8_t)(0xc2 | (uint8_t[]){0, 3, 4}[rng_below(&g->rng, 3)] << 3));
        break;
    default: /* mov ecx, EFER; rdmsr */
        GEN(g, 0xb9, 0x80, 0x00, 0x00, 0xc0);
        GEN(g, 0x0f, 0x32);
        break;
    }
}
