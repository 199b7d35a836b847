/* Processor states the machine starts from: long mode with flat segments. */
#include "internal.h"
#include "../x86/walk.h"

#include <string.h>

/* Selectors; boot.c writes a GDT that agrees. */
#define SEL_CODE0 0x10
#define SEL_DATA0 0x18
#define SEL_DATA3 0x23
#define SEL_CODE3 0x2b
#define SEL_TSS 0x30

#define ATTR_CODE 0xb /* type: execute, read, accessed */
#define ATTR_DATA 0x3 /* type: read, write, accessed */
#define ATTR_TSS 0xb  /* type: busy 64-bit TSS */
#define ATTR_LDT 0x2

/* PML4, one PDPT, four page directories of 2 MiB pages: [0, 4 GiB). */
static void state_identity_map(struct guest_ram *ram, gpa_t tables)
{
    uint64_t *t = ram_ptr(ram, tables, 6 * 4096);
    const uint64_t link = PTE_P | PTE_W | PTE_U;

    if (!t)
        return;
    memset(t, 0, 6 * 4096);
    t[0] = (tables + 4096) | link;
    for (uint64_t i = 0; i < 4; i++)
        t[512 + i] = (tables + (2 + i) * 4096) | link;
    for (uint64_t i = 0; i < 4 * 512; i++)
        t[1024 + i] = i << 21 | link | PTE_PS;
}

void machine_long_mode(struct machine *m, struct x86_state *s, gpa_t tables,
                       int cpl)
{
    const uint32_t common = SEG_S | SEG_P | SEG_G | (uint32_t)cpl << 5;
    const struct x86_seg code = {
        .limit = UINT32_MAX,
        .sel = cpl ? SEL_CODE3 : SEL_CODE0,
        .attr = common | ATTR_CODE | SEG_L,
    };
    const struct x86_seg data = {
        .limit = UINT32_MAX,
        .sel = cpl ? SEL_DATA3 : SEL_DATA0,
        .attr = common | ATTR_DATA | SEG_DB,
    };

    state_identity_map(&m->ram, tables);
    memset(s, 0, sizeof(*s));
    for (int i = 0; i < SREG_COUNT; i++)
        s->seg[i] = i == CS ? code : data;
    s->tr.sel = SEL_TSS;
    s->tr.limit = 0x67;
    s->tr.attr = ATTR_TSS | SEG_P;
    s->ldtr.attr = ATTR_LDT | SEG_P | SEG_UNUSABLE;
    s->rflags = 2;
    s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    s->cr3 = tables;
    s->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    s->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    s->dr[6] = 0xffff0ff0;
    s->dr[7] = 0x400;
    s->pat = 0x0007040600070406;
    s->apic_base = 0xfee00900; /* enabled, bootstrap processor */
    s->fx.fcw = 0x37f;
    s->fx.mxcsr = 0x1f80;
    s->fx.mxcsr_mask = 0xffff;
}
