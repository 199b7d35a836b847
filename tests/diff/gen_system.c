/* Templates of sensitive instructions, as kernels and user programs have them.
 */
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

static void system_kernel(struct gen *g)
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

/* A pointer that a string instruction has moved. */
static void renew(struct gen *g, unsigned reg)
{
    gen_load(g, reg, gen_address(g, 16));
}

/* Not CPUID and such that write reserved registers; privileged ones end the
 * case. */
static void system_user(struct gen *g)
{
    switch (rng_below(&g->rng, 14)) {
    case 0:
    case 1:
        save_flags(g);
        break;
    case 2: /* push imm32; popfq: IF stays */
        if (gen_bytes(g, (const uint8_t[]){0x68, 0xd5, 0x0a, 0, 0}, 5,
                      1u << RSP))
            GEN_W(g, 1u << RSP, 0x9d);
        break;
    case 3: /* smsw eax; str ecx; sldt edx */
        GEN(g, 0x0f, 0x01, 0xe0);
        GEN(g, 0x0f, 0x00, 0xc9);
        GEN(g, 0x0f, 0x00, 0xc2);
        break;
    case 4: /* mov eax, cs; mov ecx, ss */
        GEN(g, 0x8c, 0xc8);
        GEN(g, 0x8c, 0xd1);
        break;
    case 5: /* mov ecx, 0x33; lar eax, ecx; verr cx */
        GEN(g, 0xb9, 0x33, 0, 0, 0);
        GEN(g, 0x0f, 0x02, 0xc1);
        GEN(g, 0x0f, 0x00, 0xe1);
        break;
    case 6: /* sgdt [CASE_DATA + 0x20] */
        GEN(g, 0x0f, 0x01, 0x04, 0x25, 0x20, 0, 0, 0x20);
        break;
    case 7: /* fs: or gs: movsb */
        GEN_W(g, 1u << RSI | 1u << RDI,
              (uint8_t)(rng_percent(&g->rng, 50) ? 0x64 : 0x65), 0xa4);
        renew(g, RSI);
        renew(g, RDI);
        break;
    case 8: /* fs: or gs: lodsq */
        GEN_W(g, 1u << RSI, (uint8_t)(rng_percent(&g->rng, 50) ? 0x64 : 0x65),
              0x48, 0xad);
        renew(g, RSI);
        break;
    case 9: /* mov rax, fs:[rbx] */
        GEN(g, 0x64, 0x48, 0x8b, 0x03);
        break;
    case 10: /* add gs:[rbx], rcx */
        GEN(g, 0x65, 0x48, 0x01, 0x0b);
        break;
    case 11: /* push gs:[rbx]; pop fs:[rbx] */
        GEN_W(g, 1u << RSP, 0x65, 0xff, 0x33);
        GEN_W(g, 1u << RSP, 0x64, 0x8f, 0x03);
        break;
    case 12: /* lea rdx, gs:[rbx] */
        GEN(g, 0x65, 0x48, 0x8d, 0x13);
        break;
    default: /* cli, mov rax, cr0, rdmsr or hlt */
        if (rng_percent(&g->rng, 80))
            break;
        if (rng_percent(&g->rng, 50))
            GEN(g, 0x0f, 0x20, 0xc0);
        else
            GEN(g, (uint8_t)(rng_percent(&g->rng, 50) ? 0xfa : 0xf4));
        break;
    }
}

void gen_system(struct gen *g)
{
    if (g->mix.ring3)
        system_user(g);
    else
        system_kernel(g);
}
