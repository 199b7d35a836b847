/* A small guest on the interpreter, with a bus of its own, for unit tests. */
#ifndef TM_TEST_INTERP_FIXTURE_H
#define TM_TEST_INTERP_FIXTURE_H

#include "backends/backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct backend backend_interp;

#define RAM_SIZE (4u << 20)
#define PML4 0x1000
#define PDPT 0x2000
#define PD 0x3000
#define PT 0x4000 /* of [2 MiB, 4 MiB) */
#define GDT 0x5000
#define IDT 0x6000
#define TSS 0x7000
#define STACK 0x9000  /* top; of ring 3 */
#define STACK0 0xb000 /* top; of the TSS */
#define CODE 0x10000
#define HANDLERS 0x20000 /* vector n at + 16 n: HLT */
#define PAGED 0x200000   /* mapped by 4 KiB pages */

#define PTE_RW 7ull /* present, writable, user */

struct fixture {
    struct guest_ram ram;
    struct vm_bus bus;
    struct vm *vm;
    struct x86_state s;
    struct vm_exit exit;
    int irq; /* next vector, or -1 */
    uint64_t skipped, out;
};

/* ---- The bus ---------------------------------------------------------- */

static uint64_t nothing_read(void *o, uint16_t port, unsigned size)
{
    (void)o, (void)port, (void)size;
    return ~0ull;
}

static void io_write(void *o, uint16_t port, unsigned size, uint64_t v)
{
    (void)port, (void)size;
    ((struct fixture *)o)->out = v;
}

static uint64_t mmio_read(void *o, gpa_t gpa, unsigned size)
{
    (void)o, (void)size;
    return gpa * 0x0101010101010101ull;
}

static void mmio_write(void *o, gpa_t gpa, unsigned size, uint64_t v)
{
    (void)gpa, (void)size;
    ((struct fixture *)o)->out = v;
}

static bool no_msr_read(void *o, uint32_t msr, uint64_t *v)
{
    (void)o, (void)msr, (void)v;
    return false;
}

static bool no_msr_write(void *o, uint32_t msr, uint64_t v)
{
    (void)o, (void)msr, (void)v;
    return false;
}

static uint64_t get_tpr(void *o)
{
    (void)o;
    return 0;
}

static void set_tpr(void *o, uint64_t v)
{
    (void)o, (void)v;
}

static int irq_ack(void *o)
{
    struct fixture *f = o;
    int v = f->irq;

    f->irq = -1;
    f->vm->attention = 0;
    return v;
}

static uint64_t now(void *o)
{
    struct fixture *f = o;

    return f->vm->retired + f->skipped;
}

/* ---- The guest -------------------------------------------------------- */

static uint64_t *word(struct fixture *f, gpa_t gpa)
{
    return ram_ptr(&f->ram, gpa, 8);
}

/* Code lies in this program's own text, between two labels. */
#define GUEST(name, text)                                                      \
    extern const uint8_t name##_begin[], name##_end[];                         \
    asm(".pushsection .rodata\n" #name "_begin:\n" text "\n" #name             \
        "_end:\n.popsection")
#define LOAD(f, at, name)                                                      \
    memcpy(ram_ptr(&(f)->ram, at, 1), name##_begin,                            \
           (size_t)(name##_end - name##_begin))

static void set_segment(struct x86_seg *s, uint16_t sel, uint32_t attr)
{
    *s = (struct x86_seg){.sel = sel, .limit = 0xffffffff, .attr = attr};
}

static void set_cpl(struct fixture *f, unsigned cpl)
{
    uint32_t dpl = cpl << 5;

    set_segment(&f->s.seg[CS], (uint16_t)(cpl ? 0x18 | 3 : 0x08), 0xa09b | dpl);
    for (unsigned k = 0; k < SREG_COUNT; k++)
        if (k != CS)
            set_segment(&f->s.seg[k], (uint16_t)(cpl ? 0x20 | 3 : 0x10),
                        0xc093 | dpl);
}

static void write_tables(struct fixture *f)
{
    *word(f, PML4) = PDPT | PTE_RW;
    *word(f, PDPT) = PD | PTE_RW;
    *word(f, PD) = 0x87; /* 2 MiB */
    *word(f, PD + 8) = PT | PTE_RW;
    *word(f, PD + 16) = 0xe0000087; /* device memory at 4 MiB */
    for (uint64_t k = 0; k < 512; k++)
        *word(f, PT + 8 * k) = (PAGED + 4096 * k) | PTE_RW;
    *word(f, GDT + 0x08) = 0x00af9b000000ffff;
    *word(f, GDT + 0x10) = 0x00cf93000000ffff;
    *word(f, GDT + 0x18) = 0x00affb000000ffff;
    *word(f, GDT + 0x20) = 0x00cff3000000ffff;
    for (uint64_t v = 0; v < 256; v++) {
        uint64_t at = HANDLERS + 16 * v;

        *word(f, IDT + 16 * v) =
            (at & 0xffff) | 8 << 16 | 0xee00ull << 32 | (at >> 16) << 48;
        *(uint8_t *)ram_ptr(&f->ram, at, 1) = 0xf4;
    }
    memcpy(ram_ptr(&f->ram, TSS + 4, 8), &(uint64_t){STACK0}, 8);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char why[REASON_MAX];

    f->ram.size = RAM_SIZE;
    f->ram.host = aligned_alloc(4096, RAM_SIZE);
    memset(f->ram.host, 0, RAM_SIZE);
    f->bus = (struct vm_bus){
        f,          nothing_read, io_write,     mmio_read,
        mmio_write, no_msr_read,  no_msr_write, get_tpr,
        set_tpr,    irq_ack,      now,
    };
    f->irq = -1;
    f->vm = aligned_alloc(64, (backend_interp.vm_size + 63) & ~63ul);
    memset(f->vm, 0, backend_interp.vm_size);
    f->vm->backend = &backend_interp;
    f->vm->ram = &f->ram;
    f->vm->bus = &f->bus;
    f->vm->deterministic = true;
    f->vm->deadline = f->vm->limit = UINT64_MAX;
    assert_int_equal(backend_interp.create(f->vm, why), 0);

    write_tables(f);
    f->s.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    f->s.cr3 = PML4;
    f->s.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    f->s.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    f->s.fx.fcw = 0x37f;
    f->s.fx.mxcsr = 0x1f80;
    f->s.rflags = 2;
    f->s.rip = CODE;
    f->s.gpr[RSP] = STACK;
    f->s.gdtr = (struct x86_dtr){GDT, 0x27};
    f->s.idtr = (struct x86_dtr){IDT, 0xfff};
    f->s.tr = (struct x86_seg){.base = TSS, .limit = 0x67, .attr = 0x8b};
    f->s.ldtr.attr = SEG_UNUSABLE;
    set_cpl(f, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    backend_interp.destroy(f->vm);
    free(f->vm);
    free(f->ram.host);
    free(f);
    return 0;
}

static void start(struct fixture *f)
{
    assert_int_equal(backend_interp.set_state(f->vm, &f->s), 0);
}

/* Go on, and fetch the state at the end. */
static void resume(struct fixture *f, enum exit_kind kind)
{
    assert_int_equal(backend_interp.run(f->vm, &f->exit), 0);
    backend_interp.get_state(f->vm, &f->s);
    assert_int_equal(f->exit.kind, kind);
}

/* Until HLT with IF clear. */
static void run(struct fixture *f)
{
    start(f);
    resume(f, EXIT_HLT_DEAD);
}

/* The handler of vector v is at its HLT; its frame lies at RSP. */
static uint64_t *expect_vector(struct fixture *f, unsigned v)
{
    assert_int_equal(f->s.rip, HANDLERS + 16 * v + 1);
    return word(f, f->s.gpr[RSP]);
}

#endif
