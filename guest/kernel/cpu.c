/* The processor: descriptor tables, control registers, facts from CPUID. */
#include "kernel.h"

static struct cpu_facts facts;
const struct cpu_facts *const cpu = &facts;

struct percpu percpu;
_Static_assert(offsetof(struct percpu, user_rsp) == PERCPU_USER_RSP,
               "layout.h");
_Static_assert(offsetof(struct percpu, kstack) == PERCPU_KSTACK, "layout.h");

/* Descriptor, high half:
 *
 *   63..56  55 54  53 52  51..48  47 46..45 44 43..40  39..32
 *   base    G  D/B L  AVL limit   P  DPL    S  type    base
 *
 * Accessed bits are preset, so that no segment load writes the table. */
static uint64_t gdt[AUDIT_SEL / 8 + 1] = {
    0,
    0x00af9b000000ffff, /* KERNEL_CS */
    0x00cf93000000ffff, /* KERNEL_SS */
    0x00cff3000000ffff, /* USER_SS */
    0x00affb000000ffff, /* USER_CS */
    /* TSS_SEL, LDT_SEL: two entries each, filled in by load_gdt */
    [AUDIT_SEL / 8] = 0x0040f3000000ffff | (uint64_t)USER_DATA_PAGE << 16,
};
_Static_assert(USER_DATA_PAGE < 1 << 24, "the descriptor's low base bits");

/* Never looked into: something for LLDT to load and for SLDT to tell. */
static uint64_t ldt[1];

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t iomap;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3A, 8.7");
/* Not static: trap_entry.S sets rsp0. */
extern struct tss tss;
struct tss tss;

struct gate {
    uint16_t offset0;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset1;
    uint32_t offset2;
    uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM vol. 3A, 6.14.1");
static struct gate idt[256] __attribute__((aligned(16)));

#define GATE_INTERRUPT 0x8e
#define GATE_DPL3 0x60

/* #DF, NMI and #MC can strike when the stack is no good. */
static uint8_t ist_stack[4096] __attribute__((aligned(16)));

struct dtr {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static void load_idt(void)
{
    struct dtr dtr = {sizeof(idt) - 1, (uint64_t)idt};
    uint64_t stub = (uint64_t)trap_stubs;

    for (int v = 0; v < 256; v++, stub += TRAP_STUB_SIZE) {
        struct gate *g = &idt[v];

        g->offset0 = (uint16_t)stub;
        g->selector = KERNEL_CS;
        g->type = GATE_INTERRUPT;
        g->offset1 = (uint16_t)(stub >> 16);
        g->offset2 = (uint32_t)(stub >> 32);
    }
    idt[2].ist = idt[8].ist = idt[18].ist = 1;
    idt[3].type |= GATE_DPL3; /* int3, into */
    idt[4].type |= GATE_DPL3;
    __asm__ volatile("lidt %0" ::"m"(dtr));
}

static void load_gdt(void)
{
    struct dtr dtr = {sizeof(gdt) - 1, (uint64_t)gdt};
    uint64_t base = (uint64_t)&tss;

    tss.ist[0] = (uint64_t)ist_stack + sizeof(ist_stack);
    tss.iomap = sizeof(tss); /* none */
    gdt[TSS_SEL / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 |
                       0x89ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[TSS_SEL / 8 + 1] = base >> 32;
    base = (uint64_t)ldt;
    gdt[LDT_SEL / 8] = (sizeof(ldt) - 1) | (base & 0xffffff) << 16 |
                       0x82ull << 40 | (base >> 24 & 0xff) << 56;
    gdt[LDT_SEL / 8 + 1] = base >> 32;
    __asm__ volatile("lgdt %0\n\t"
                     "push %1\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n\t"
                     "1: mov %2, %%eax\n\t"
                     "mov %%eax, %%ss\n\t"
                     "mov %3, %%eax\n\t"
                     "ltr %%ax"
                     :
                     : "m"(dtr), "i"(KERNEL_CS), "i"(KERNEL_SS), "i"(TSS_SEL)
                     : "rax", "memory");
}

struct cpu_tables cpu_tables(void)
{
    return (struct cpu_tables){
        .gdt = gdt,
        .gdt_limit = sizeof(gdt) - 1,
        .idt = idt,
        .idt_limit = sizeof(idt) - 1,
    };
}

static void read_facts(void)
{
    struct cpuid_regs r = cpuid(0, 0);
    uint32_t max = r.eax;

    memcpy(facts.vendor, &r.ebx, 4);
    memcpy(facts.vendor + 4, &r.edx, 4);
    memcpy(facts.vendor + 8, &r.ecx, 4);
    facts.intel = !strcmp(facts.vendor, "GenuineIntel");
    facts.amd = !strcmp(facts.vendor, "AuthenticAMD") ||
                !strcmp(facts.vendor, "HygonGenuine");
    if (max >= 1) {
        r = cpuid(1, 0);
        facts.signature = r.eax;
        facts.hypervisor = r.ecx >> 31;
        facts.x2apic = r.ecx >> 21 & 1;
        facts.tsc_deadline = r.ecx >> 24 & 1;
    }
    max = cpuid(0x80000000, 0).eax;
    if (max >= 0x80000001) {
        r = cpuid(0x80000001, 0);
        facts.nx = r.edx >> 20 & 1;
        facts.gbpages = r.edx >> 26 & 1;
        facts.rdtscp = r.edx >> 27 & 1;
    }
    if (max >= 0x80000007)
        facts.invtsc = cpuid(0x80000007, 0).edx >> 8 & 1;
}

void cpu_set_tsc_khz(uint64_t khz)
{
    facts.tsc_khz = khz;
}

void cpu_set_kstack(uint64_t top)
{
    percpu.kstack = top;
    tss.rsp[0] = top;
}

void cpu_init(void)
{
    load_gdt();
    load_idt();
    read_facts();
    /* The FPU stays off (TS) until a user program wants it: see fpu.c. */
    write_cr0(
        (read_cr0() & ~(X86_CR0_EM | X86_CR0_TS | X86_CR0_CD | X86_CR0_NW)) |
        X86_CR0_MP | X86_CR0_NE | X86_CR0_WP);
    write_cr4(X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT);
    wrmsr(MSR_STAR, (uint64_t)(USER_SS - 8) << 48 | (uint64_t)KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_SFMASK,
          RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
    wrmsr(MSR_GS_BASE, (uint64_t)&percpu);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}
