/* What the audit runs and what the manual says must come of it. */
#include "audit.h"

#define VECTOR_UD 6
#define VECTOR_GP 13
#define MSR_TSC_AUX 0xc0000103u
#define TSC_AUX 0x7aull
#define GS_BASE 0x123456789000ull
#define RFLAGS_IOPL 0x3000ull

static uint64_t code_selector(const struct audit *a)
{
    return a->ring ? USER_CS : KERNEL_CS;
}

static uint64_t data_selector(const struct audit *a)
{
    return a->ring ? USER_SS : KERNEL_SS;
}

static void expect_bit(struct audit *a, const char *label, uint64_t want,
                       uint64_t flags, uint64_t bit)
{
    audit_expect(a, label, want, !!(flags & bit));
}

/* ---- Instructions that tell of the tables ------------------------------- */

AUDIT_BOTH(sgdt, "sgdt (%rsi)");
AUDIT_BOTH(sidt, "sidt (%rsi)");

static void expect_table(struct audit *a, const void *base, uint16_t limit)
{
    uint64_t got;

    memcpy(&got, (const uint8_t *)a->data + 2, sizeof(got));
    audit_expect(a, "base", (uint64_t)base, got);
    audit_expect(a, "limit", limit, a->data[0] & 0xffff);
}

static void judge_sgdt(struct audit *a)
{
    expect_table(a, cpu_tables().gdt, cpu_tables().gdt_limit);
}

static void judge_sidt(struct audit *a)
{
    expect_table(a, cpu_tables().idt, cpu_tables().idt_limit);
}

AUDIT_BOTH(sldt, "sldt %eax\n movzwl %ax, %eax\n mov %rax, (%rsi)");

static void load_ldt(void *selector)
{
    __asm__ volatile("lldt %w0" ::"r"(selector));
}

static const char *prepare_sldt(struct audit *a)
{
    (void)a;
    return audit_try(load_ldt, (void *)LDT_SEL, "LLDT raised an exception");
}

static void undo_sldt(struct audit *a)
{
    (void)a;
    audit_try(load_ldt, NULL, "");
}

static void judge_sldt(struct audit *a)
{
    audit_expect(a, "selector", LDT_SEL, a->data[0]);
}

AUDIT_BOTH(str, "str %eax\n movzwl %ax, %eax\n mov %rax, (%rsi)");

static void judge_str(struct audit *a)
{
    audit_expect(a, "selector", TSS_SEL, a->data[0]);
}

AUDIT_BOTH(smsw, "xor %eax, %eax\n smsw %ax\n mov %rax, (%rsi)");

/* Without MP, so that the guest's CR0 isn't just any kernel's. */
static const char *prepare_smsw(struct audit *a)
{
    a->saved = read_cr0();
    write_cr0(a->saved ^ X86_CR0_MP);
    return NULL;
}

static void undo_smsw(struct audit *a)
{
    write_cr0(a->saved);
}

static void judge_smsw(struct audit *a)
{
    audit_expect(a, "cr0", (a->saved ^ X86_CR0_MP) & 0xffff, a->data[0]);
}

/* ---- Flags -------------------------------------------------------------- */

AUDIT_CODE(pushf, "cli\n pushfq\n pop %rax\n sti\n mov %rax, (%rsi)",
           "pushfq\n pop %rax\n mov %rax, (%rsi)");

static void judge_pushf(struct audit *a)
{
    expect_bit(a, "if", !!a->ring, a->data[0], RFLAGS_IF);
    audit_expect(a, "iopl", 0, (a->data[0] & RFLAGS_IOPL) >> 12);
}

/* Ring 0 clears IF; ring 3 tries to, and to raise IOPL. */
AUDIT_CODE(popf,
           "pushfq\n pop %rax\n and $~0x200, %eax\n push %rax\n"
           "popfq\n" AUDIT_CAPTURE "sti",
           "pushfq\n pop %rax\n and $~0x200, %eax\n or $0x3000, %eax\n"
           "push %rax\n popfq\n" AUDIT_CAPTURE);

static void judge_popf(struct audit *a)
{
    expect_bit(a, "if", !!a->ring, a->seen[0].rflags, RFLAGS_IF);
    audit_expect(a, "iopl", 0, (a->seen[0].rflags & RFLAGS_IOPL) >> 12);
}

/* ---- Instructions that look at a descriptor ----------------------------- */

#define LOOK(insn)                                                             \
    "xor %ecx, %ecx\n " insn                                                   \
    "\n setz %cl\n mov %rax, (%rsi)\n mov %rcx, 8(%rsi)"

AUDIT_BOTH(lar, LOOK("lar %edi, %eax"));
AUDIT_BOTH(lsl, LOOK("lsl %edi, %eax"));
AUDIT_BOTH(verr, LOOK("verr %di"));
AUDIT_BOTH(verw, LOOK("verw %di"));

static const char *prepare_data(struct audit *a)
{
    a->arg = data_selector(a);
    return NULL;
}

static void judge_zf(struct audit *a)
{
    audit_expect(a, "zf", 1, a->data[1]);
}

/* The access rights are bits 8..15 and 20..23 of the descriptor's high half. */
static void judge_lar(struct audit *a)
{
    const uint64_t *gdt = cpu_tables().gdt;
    uint64_t mask = 0xf0ff00;

    judge_zf(a);
    audit_expect(a, "rights", gdt[a->arg / 8] >> 32 & mask, a->data[0] & mask);
}

static void judge_lsl(struct audit *a)
{
    judge_zf(a);
    audit_expect(a, "limit", 0xffffffff, a->data[0] & 0xffffffff);
}

/* ---- Segment registers -------------------------------------------------- */

#define READ_FS "mov %fs:56, %rax\n mov %rax, (%rsi)\n"
#define CLEAR_FS "xor %eax, %eax\n mov %eax, %fs"
_Static_assert(AUDIT_MAGIC_AT == 56, "READ_FS names it");

AUDIT_BOTH(popfs, "push %rdi\n pop %fs\n" READ_FS CLEAR_FS);
AUDIT_BOTH(movtofs, "mov %edi, %fs\n" READ_FS CLEAR_FS);
AUDIT_BOTH(movbad,
           "mov %edi, %fs\n mov %fs, %eax\n mov %rax, (%rsi)\n" CLEAR_FS);
AUDIT_BOTH(pushfs,
           "mov %edi, %fs\n push %fs\n pop %rax\n mov %rax, (%rsi)\n" CLEAR_FS);
AUDIT_BOTH(movfromcs, "mov %cs, %eax\n mov %rax, (%rsi)");

static const char *prepare_fs(struct audit *a)
{
    a->arg = AUDIT_SEL;
    return NULL;
}

static void judge_fs_memory(struct audit *a)
{
    audit_expect(a, "fs:56", AUDIT_MAGIC, a->data[0]);
}

static void judge_pushfs(struct audit *a)
{
    audit_expect(a, "selector", AUDIT_SEL, a->data[0] & 0xffff);
}

/* A TSS is no data segment. */
static const char *prepare_movbad(struct audit *a)
{
    a->arg = TSS_SEL | 3;
    a->want_vector = VECTOR_GP;
    return NULL;
}

static void judge_movbad(struct audit *a)
{
    audit_observe(a, "fs", a->data[0] & 0xffff);
}

static void judge_movfromcs(struct audit *a)
{
    audit_expect(a, "cs", code_selector(a), a->data[0]);
}

/* ---- Far transfers ------------------------------------------------------ */

/* Where they land, with RAX = 0. The guest's selector may name another table's
 * 32-bit segment, and this code says so: all but its first two bytes mean the
 * same in both modes, and those count RAX down in 32-bit mode. There is no way
 * back from there but an exception. */
#define LANDING                                                                \
    "1: .byte 0x48, 0x90\n mov %eax, 8(%rsi)\n" AUDIT_CAPTURE                  \
    "test %eax, %eax\n jnz 3f\n"
#define NO_WAY_BACK "jmp 99f\n 3: ud2"

/* m16:32 at the stack's top; that form exists on every CPU. */
#define FAR_POINTER                                                            \
    "lea 1f(%rip), %rax\n sub $16, %rsp\n mov %eax, (%rsp)\n"                  \
    "mov %edi, 4(%rsp)\n xor %eax, %eax\n"

AUDIT_BOTH(jmpfar,
           FAR_POINTER "ljmp *(%rsp)\n" LANDING "add $16, %rsp\n" NO_WAY_BACK);
AUDIT_BOTH(callfar,
           FAR_POINTER "lcall *(%rsp)\n add $16, %rsp\n jmp 99f\n" LANDING
                       "movzwl 4(%rsp), %ecx\n mov %rcx, (%rsi)\n lretl\n"
                       "3: ud2");
AUDIT_BOTH(retfar, "push %rdi\n lea 1f(%rip), %rax\n push %rax\n"
                   "xor %eax, %eax\n lretq\n" LANDING NO_WAY_BACK);

static const char *prepare_code(struct audit *a)
{
    a->arg = code_selector(a);
    return NULL;
}

static void judge_landing(struct audit *a)
{
    bool narrow = (a->data[1] & 0xffffffff) == 0xffffffff;

    /* The exception was the code's own, after the transfer. */
    if (narrow)
        a->vector = -1;
    audit_expect(a, "bits", 64, narrow ? 32 : 64);
    audit_expect(a, "cs", code_selector(a), a->seen[0].cs);
}

static void judge_callfar(struct audit *a)
{
    judge_landing(a);
    audit_expect(a, "pushed", code_selector(a), a->data[0]);
}

AUDIT_BOTH(intn, "mov $0x7fffffff, %eax\n int $0x80");
_Static_assert(AUDIT_GATE == 0x80, "named by the code");

static const char *prepare_int(struct audit *a)
{
    if (a->ring)
        a->want_vector = VECTOR_GP;
    return NULL;
}

static void judge_int(struct audit *a)
{
    if (a->ring)
        audit_observe(a, "taken", a->interrupts);
    else
        audit_expect(a, "taken", 1, a->interrupts);
}

/* ---- Modern instructions ------------------------------------------------ */

AUDIT_BOTH(cpuid, "xor %eax, %eax\n xor %ecx, %ecx\n cpuid\n mov %rbx, (%rsi)\n"
                  "mov $1, %eax\n xor %ecx, %ecx\n cpuid\n"
                  "mov %rax, 8(%rsi)\n mov %rcx, 16(%rsi)");

/* Both rings see the machine that the kernel saw when it booted, and OSXSAVE
 * repeats CR4, where the kernel left it clear. */
static void judge_cpuid(struct audit *a)
{
    uint32_t vendor;

    memcpy(&vendor, cpu->vendor, sizeof(vendor));
    audit_expect(a, "vendor", vendor, a->data[0]);
    audit_expect(a, "model", cpu->signature, a->data[1]);
    audit_expect(a, "hypervisor", cpu->hypervisor, a->data[2] >> 31 & 1);
    audit_expect(a, "osxsave", 0, a->data[2] >> 27 & 1);
}

#define KEEP_TSC "mov %eax, (%rsi)\n mov %edx, 4(%rsi)\n"

AUDIT_BOTH(rdtsc, "rdtsc\n" KEEP_TSC);
AUDIT_BOTH(rdtscp, "rdtscp\n" KEEP_TSC "mov %rcx, 8(%rsi)");

static const char *prepare_rdtsc(struct audit *a)
{
    a->saved = rdtsc();
    return NULL;
}

static void judge_rdtsc(struct audit *a)
{
    uint64_t now = rdtsc();

    audit_expect(a, "between", 1, a->saved <= a->data[0] && a->data[0] <= now);
}

static void write_tsc_aux(void *value)
{
    wrmsr(MSR_TSC_AUX, (uint64_t)value);
}

static const char *prepare_rdtscp(struct audit *a)
{
    if (!cpu->rdtscp) {
        a->want_vector = VECTOR_UD;
        return NULL;
    }
    prepare_rdtsc(a);
    return audit_try(write_tsc_aux, (void *)TSC_AUX,
                     "the write of TSC_AUX raised an exception");
}

static void judge_rdtscp(struct audit *a)
{
    if (!cpu->rdtscp) {
        audit_observe(a, "aux", a->data[1]);
        return;
    }
    judge_rdtsc(a);
    audit_expect(a, "aux", TSC_AUX, a->data[1]);
}

/* The kernel leaves CR4.OSXSAVE and CR4.FSGSBASE clear. */
AUDIT_BOTH(xgetbv, "xor %ecx, %ecx\n xgetbv\n mov %eax, (%rsi)");
AUDIT_BOTH(rdfsbase, "rdfsbase %rax\n mov %rax, (%rsi)");
AUDIT_BOTH(wrfsbase, "wrfsbase %rdi");

static const char *prepare_ud(struct audit *a)
{
    a->want_vector = VECTOR_UD;
    return NULL;
}

static void judge_ran(struct audit *a)
{
    audit_observe(a, "executed", 1);
}

static void judge_value(struct audit *a)
{
    audit_observe(a, "value", a->data[0]);
}

AUDIT_CODE(swapgs,
           "cli\n swapgs\n mov $0xc0000101, %ecx\n rdmsr\n swapgs\n sti\n"
           "mov %eax, (%rsi)\n mov %edx, 4(%rsi)",
           "swapgs\n swapgs");

static const char *prepare_swapgs(struct audit *a)
{
    if (a->ring)
        a->want_vector = VECTOR_GP;
    else
        wrmsr(MSR_KERNEL_GS_BASE, GS_BASE);
    return NULL;
}

static void undo_swapgs(struct audit *a)
{
    if (!a->ring)
        wrmsr(MSR_KERNEL_GS_BASE, 0);
}

static void judge_swapgs(struct audit *a)
{
    if (a->ring)
        judge_ran(a);
    else
        audit_expect(a, "gs", GS_BASE, a->data[0]);
}

/* Ring 0's part: ring 3 traps, comes back by the instruction, traps again. */
#define ROUND_TRIP AUDIT_CAPTURE AUDIT_CAPTURE
AUDIT_CODE(outer, "", ROUND_TRIP);

AUDIT_BOTH(sysret, "lea 99f(%rip), %rcx\n mov $0x202, %r11d\n sysretq");

/* To ring 3 itself, with flags that ring 3 may not set. */
AUDIT_BOTH(iret, "mov %rsp, %rcx\n push $0x1b\n push %rcx\n push $0x3002\n"
                 "push %rdi\n lea 1f(%rip), %rax\n push %rax\n"
                 "xor %eax, %eax\n iretq\n" LANDING NO_WAY_BACK);
_Static_assert(USER_SS == 0x1b, "named by the code");

static const char *prepare_return(struct audit *a)
{
    a->arg = code_selector(a);
    return NULL;
}

static const char *prepare_sysret(struct audit *a)
{
    if (a->ring)
        a->want_vector = VECTOR_GP;
    return NULL;
}

static void expect_outer(struct audit *a)
{
    const struct trapframe *tf = &a->seen[1];

    audit_expect(a, "cs", USER_CS, tf->cs);
    audit_expect(a, "ss", USER_SS, tf->ss);
    audit_expect(a, "rsp", a->seen[0].rsp, tf->rsp);
    expect_bit(a, "if", 1, tf->rflags, RFLAGS_IF);
    expect_bit(a, "cf", 1, tf->rflags, RFLAGS_CF);
}

static void judge_iret(struct audit *a)
{
    if (!a->ring) {
        expect_outer(a);
        return;
    }
    judge_landing(a);
    expect_bit(a, "if", 1, a->seen[0].rflags, RFLAGS_IF);
    audit_expect(a, "iopl", 0, (a->seen[0].rflags & RFLAGS_IOPL) >> 12);
}

static void judge_sysret(struct audit *a)
{
    if (a->ring)
        judge_ran(a);
    else
        expect_outer(a);
}

/* ---- The table ---------------------------------------------------------- */

#define CLASSIC(insn, flags, run, ...)                                         \
    {                                                                          \
        insn, "classic", flags, AUDIT_RUN(run), __VA_ARGS__                    \
    }
#define MODERN(insn, flags, run, ...)                                          \
    {                                                                          \
        insn, "modern", flags, AUDIT_RUN(run), __VA_ARGS__                     \
    }
#define OUTER(insn, flags, run, ...)                                           \
    {                                                                          \
        insn, "modern", AUDIT_VIA_USER | (flags), outer_u, outer_u_end,        \
            run##_u, run##_u_end, __VA_ARGS__                                  \
    }

const struct audit_test audit_tests[] = {
    CLASSIC("sgdt", 0, sgdt, NULL, judge_sgdt, NULL),
    CLASSIC("sidt", 0, sidt, NULL, judge_sidt, NULL),
    CLASSIC("sldt", 0, sldt, prepare_sldt, judge_sldt, undo_sldt),
    CLASSIC("smsw", 0, smsw, prepare_smsw, judge_smsw, undo_smsw),
    CLASSIC("str", 0, str, NULL, judge_str, NULL),
    CLASSIC("pushf", 0, pushf, NULL, judge_pushf, NULL),
    CLASSIC("popf", 0, popf, NULL, judge_popf, NULL),
    CLASSIC("lar", 0, lar, prepare_data, judge_lar, NULL),
    CLASSIC("lsl", 0, lsl, prepare_data, judge_lsl, NULL),
    CLASSIC("verr", 0, verr, prepare_data, judge_zf, NULL),
    CLASSIC("verw", 0, verw, prepare_data, judge_zf, NULL),
    CLASSIC("pop %fs", 0, popfs, prepare_fs, judge_fs_memory, NULL),
    CLASSIC("push %fs", 0, pushfs, prepare_fs, judge_pushfs, NULL),
    CLASSIC("call far", AUDIT_LOW, callfar, prepare_code, judge_callfar, NULL),
    CLASSIC("jmp far", AUDIT_LOW, jmpfar, prepare_code, judge_landing, NULL),
    CLASSIC("ret far", 0, retfar, prepare_code, judge_landing, NULL),
    CLASSIC("int n", 0, intn, prepare_int, judge_int, NULL),
    CLASSIC("mov from %cs", 0, movfromcs, NULL, judge_movfromcs, NULL),
    CLASSIC("mov to %fs", 0, movtofs, prepare_fs, judge_fs_memory, NULL),
    CLASSIC("mov to %fs (TSS)", 0, movbad, prepare_movbad, judge_movbad, NULL),
    MODERN("cpuid", 0, cpuid, NULL, judge_cpuid, NULL),
    MODERN("rdtsc", 0, rdtsc, prepare_rdtsc, judge_rdtsc, NULL),
    MODERN("rdtscp", 0, rdtscp, prepare_rdtscp, judge_rdtscp, NULL),
    MODERN("xgetbv", 0, xgetbv, prepare_ud, judge_value, NULL),
    MODERN("rdfsbase", 0, rdfsbase, prepare_ud, judge_value, NULL),
    MODERN("wrfsbase", 0, wrfsbase, prepare_ud, judge_ran, NULL),
    MODERN("swapgs", 0, swapgs, prepare_swapgs, judge_swapgs, undo_swapgs),
    OUTER("sysret", AUDIT_SYSRET, sysret, prepare_sysret, judge_sysret, NULL),
    OUTER("iret", 0, iret, prepare_return, judge_iret, NULL),
};
const unsigned audit_test_count = sizeof(audit_tests) / sizeof(audit_tests[0]);
