/* A guest that makes single accesses, at any privilege, and logs what came of
 * them; for tests of paging on every backend. */
#ifndef TM_TEST_PAGING_FIXTURE_H
#define TM_TEST_PAGING_FIXTURE_H

#include "backends/machine/machine.h"
#include "pte.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/*
 * [4 MiB, 6 MiB) is identity-mapped by pages of the kernel's, but for UCODE.
 * Everything lies where direct and bt can map it, too. The tables of the fixed
 * part come first; the others are the test's, and are mapped for the guest to
 * write as any page there.
 */
#define PAGING_RAM (16ull << 20)
#define KCODE 0x400000ull
#define STUBS 0x800ull    /* in KCODE and in UCODE */
#define UCODE 0x401000ull /* user page */
#define STACK 0x410000ull /* top */
#define GDT 0x411000ull
#define IDT 0x412000ull
#define TSS 0x413000ull
#define SCRIPT 0x420000ull
#define LOG 0x440000ull
#define SCRIPT_MAX 1300u
#define PML4 0x500000ull
#define PDPT 0x501000ull
#define PD 0x502000ull
#define PTK 0x503000ull
#define TABLES 0x504000ull /* the test's */

/* The operations. RBX is the address, RCX a value. */
enum stub {
    STUB_READ, /* logs what it read */
    STUB_WRITE,
    STUB_RMW,      /* writes what was there, and logs it */
    STUB_EXEC,     /* the page begins with UD2 */
    STUB_IMPLICIT, /* the CPU's own read of a descriptor at ldtr.base + 8 */
    STUB_INVLPG,
    STUB_CR3,
    STUB_COUNT
};
#define STUB_SIZE 32

__asm__(".pushsection .rodata\n"
        "paging_kernel:\n"
        "1: mov $0x410000, %esp\n" /* STACK */
        "mov (%r14), %rax\n"
        "test %rax, %rax\n"
        "jz 2f\n"
        "mov 32(%r14), %rbx\n"
        "mov 40(%r14), %rcx\n"
        "pushq 24(%r14)\n"
        "pushq $0x40f000\n"
        "pushq 16(%r14)\n"
        "pushq 8(%r14)\n"
        "pushq (%r14)\n"
        "add $48, %r14\n"
        "xor %eax, %eax\n"
        "iretq\n"
        "2: hlt\n"
        "paging_ud: push $0\n"
        "push $6\n"
        "jmp 3f\n"
        "paging_gp: push $13\n"
        "jmp 3f\n"
        "paging_pf: push $14\n"
        "3: popq (%r15)\n"
        "popq 8(%r15)\n"
        "popq 16(%r15)\n"
        "mov %rax, 32(%r15)\n"
        "mov %cr2, %rax\n"
        "mov %rax, 24(%r15)\n"
        "add $40, %r15\n"
        "jmp 1b\n"
        "paging_kernel_end:\n"
        ".balign 32\n"
        "paging_stubs:\n"
        "mov (%rbx), %rax; ud2; .balign 32, 0xcc\n"
        "mov %rcx, (%rbx); ud2; .balign 32, 0xcc\n"
        "xadd %rax, (%rbx); ud2; .balign 32, 0xcc\n"
        "jmp *%rbx; .balign 32, 0xcc\n"
        "mov $0xf, %eax; mov %eax, %es; ud2; .balign 32, 0xcc\n"
        "invlpg (%rbx); ud2; .balign 32, 0xcc\n"
        "mov %rcx, %cr3; ud2; .balign 32, 0xcc\n"
        "paging_stubs_end:\n"
        ".popsection\n");
extern const uint8_t paging_kernel[], paging_kernel_end[], paging_ud[],
    paging_gp[], paging_pf[], paging_stubs[], paging_stubs_end[];

struct op {
    uint64_t rip, cs, rflags, ss, rbx, rcx;
};

struct outcome {
    uint64_t vector; /* VEC_UD: it was done */
    uint64_t error, rip, cr2, rax;
};

struct guest {
    const char *name; /* of backend, policy and options */
    struct machine *m;
    struct vm *vm;
    struct x86_state s;
    struct op *script;
    struct outcome *log;
    unsigned ops;
};

static uint64_t seed; /* of random_below() */

static inline uint64_t random_below(uint64_t n)
{
    uint64_t x;

    seed += 0x9e3779b97f4a7c15;
    x = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (x ^ x >> 31) % n;
}

static inline uint64_t *guest_word(struct guest *g, gpa_t gpa)
{
    uint64_t *p = ram_ptr(g->vm->ram, gpa, 8);

    assert_non_null(p);
    return p;
}

static void guest_gate(struct guest *g, unsigned vector, const uint8_t *to)
{
    uint64_t at = KCODE + (uint64_t)(to - paging_kernel);

    *guest_word(g, IDT + 16 * vector) =
        (at & 0xffff) | 8 << 16 | 0x8e00ull << 32 | (at >> 16) << 48;
}

/* False: this host can't run it; says why. */
static bool guest_open(struct guest *g, const char *backend_name,
                       const char *policy, const char *options)
{
    const struct backend *backend = backend_find(backend_name);
    char why[REASON_MAX] = "";

    memset(g, 0, sizeof(*g));
    assert_non_null(backend);
    g->name = options ? options : policy;
    if (!backend->probe(why))
        g->m = machine_create_bare_with(backend, PAGING_RAM, false, policy,
                                        options, why);
    if (!g->m) {
        print_message("%s %s: %s\n", backend_name, policy, why);
        return false;
    }
    g->vm = machine_vm(g->m);
    machine_long_mode(g->m, &g->s, 0x700000, 0);
    *guest_word(g, PML4) = PDPT | P | W | U;
    *guest_word(g, PDPT) = PD | P | W | U;
    *guest_word(g, PD + 16) = PTK | P | W | U;
    for (uint64_t k = 0; k < 512; k++)
        *guest_word(g, PTK + 8 * k) = (KCODE + 4096 * k) | P | W;
    *guest_word(g, PTK + 8) |= U;
    *guest_word(g, GDT + 0x08) = 0x00af9b000000ffff;
    *guest_word(g, GDT + 0x10) = 0x00cf93000000ffff;
    *guest_word(g, GDT + 0x18) = 0x00affb000000ffff;
    *guest_word(g, GDT + 0x20) = 0x00cff3000000ffff;
    memcpy(ram_ptr(g->vm->ram, KCODE, 1), paging_kernel,
           (size_t)(paging_kernel_end - paging_kernel));
    for (unsigned k = 0; k < 2; k++)
        memcpy(ram_ptr(g->vm->ram, (k ? UCODE : KCODE) + STUBS, 1),
               paging_stubs, (size_t)(paging_stubs_end - paging_stubs));
    guest_gate(g, VEC_UD, paging_ud);
    guest_gate(g, VEC_GP, paging_gp);
    guest_gate(g, VEC_PF, paging_pf);
    memcpy(ram_ptr(g->vm->ram, TSS + 4, 8), &(uint64_t){STACK}, 8);
    g->s.cr3 = PML4;
    g->s.cr0 |= CR0_WP;
    g->s.gdtr = (struct x86_dtr){GDT, 0x27};
    g->s.idtr = (struct x86_dtr){IDT, 0xfff};
    g->s.tr =
        (struct x86_seg){.base = TSS, .limit = 0x67, .sel = 0x28, .attr = 0x8b};
    g->s.rip = KCODE;
    g->script = ram_ptr(g->vm->ram, SCRIPT, SCRIPT_MAX * sizeof(struct op));
    g->log = ram_ptr(g->vm->ram, LOG, SCRIPT_MAX * sizeof(struct outcome));
    return true;
}

static void guest_close(struct guest *g)
{
    machine_destroy(g->m);
}

/* Appends an operation. flags: FL_AC or 0. */
static void guest_add(struct guest *g, enum stub stub, unsigned cpl,
                      uint64_t flags, uint64_t rbx, uint64_t rcx)
{
    struct op *op = &g->script[g->ops++];

    assert_true(g->ops < SCRIPT_MAX);
    *op = (struct op){(cpl ? UCODE : KCODE) + STUBS + STUB_SIZE * stub,
                      cpl ? 0x1b : 0x08,
                      flags | 2,
                      cpl ? 0x23 : 0x10,
                      rbx,
                      rcx};
}

/* Makes the operations, from a state without cached translations on: the log's
 * entries are theirs. */
static void guest_make(struct guest *g)
{
    struct vm_exit exit;

    g->script[g->ops].rip = 0;
    g->s.gpr[R14] = SCRIPT;
    g->s.gpr[R15] = LOG;
    assert_int_equal(g->vm->backend->set_state(g->vm, &g->s), 0);
    do {
        assert_int_equal(g->vm->backend->run(g->vm, &exit), 0);
    } while (exit.kind == EXIT_KICKED);
    if (exit.kind != EXIT_HLT_DEAD)
        fail_msg("%s: exit %d at %#llx: %s", g->name, exit.kind,
                 (unsigned long long)exit.rip, exit.why);
    g->ops = 0;
}

#endif
