/* What kernel benchmarks (microbench/) may use of the guest kernel. */
#ifndef TM_KERNEL_API_H
#define TM_KERNEL_API_H

#include "../lib/bench.h"
#include "../lib/lib.h"
#include "../lib/syscall.h"
#include "../lib/x86.h"

#include <stdbool.h>
#include <stdint.h>

/* A benchmark's functions run at CPL 0 on init's 16 KiB stack with interrupts
 * enabled, the timer unarmed and no other process in existence. The kernel is
 * built without SSE and without red zone. */

/* ---- Exceptions --------------------------------------------------------- */

/* What the entry code saves; rip..ss is the hardware's frame. error is 0 for
 * vectors that push none. Handlers may change any register in it. */
struct trapframe {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* Calls fn(arg). Returns -1, or the vector (0..31) of an exception that fn
 * raised, in kernel or user mode, and that no hook handled; fn is abandoned at
 * that point. Interrupt flag and stack are as before the call. Calls nest. */
int try_op(void (*fn)(void *), void *arg);

/* Installs h for an exception or interrupt vector; NULL removes it. h runs with
 * interrupts off, before the kernel looks at the vector; true means handled:
 * return to the frame by IRETQ (CR2 is as the CPU left it). An external
 * interrupt's hook sends no EOI: lapic_eoi(). */
void trap_hook(int vector, bool (*h)(struct trapframe *tf));

/* ---- Memory ------------------------------------------------------------- */

/* n pages (at most 4096 in all) of page-aligned, virtually contiguous kernel
 * memory with undefined contents, each mapped by a 4 KiB PTE in the live
 * address space. NULL: no memory. Free with the same pointer; the PTEs may have
 * been modified meanwhile, but for the frame they name. */
void *bench_pages(unsigned n);
/* The same, and executable at CPL 0: for code that is generated. */
void *bench_code(unsigned n);
void bench_pages_free(void *pages);

/* Writable pointer to the live 4 KiB leaf PTE that maps va, present or not;
 * NULL where the page tables don't reach that level (or a large page is used).
 * The caller does invlpg. Good for bench_pages and for user_call's pages. */
uint64_t *pte_of(const void *va);

/* Kernel address of device memory at gpa in [0xf0000000, 4 GiB), uncached. */
volatile void *mmio_ptr(uint64_t gpa);

/* ---- Address spaces ------------------------------------------------------
 *
 * A space shares the kernel and user_call's pages with the kernel's own address
 * space; [SPACE_BASE, TM_USER_END) is the benchmark's alone. user_call works in
 * it, if its first call came before the space was made. */
#define SPACE_BASE ((char *)0x8000000000)

struct bench_space {
    uint64_t root;           /* what CR3 is to hold; 0: there is none */
    uint32_t tables, frames; /* the allocator's lists */
};

/* False: no memory; the space is still to be destroyed. */
bool bench_space_create(struct bench_space *s);
/* The entry for va in its table at that level (1: PTE, 4: top), present or not;
 * tables above it are made, user-accessible and writable. NULL: no memory. */
uint64_t *bench_space_entry(struct bench_space *s, const void *va, int level);
/* What a leaf entry beside the frame needs: present, writable, user, A, D, NX.
 */
uint64_t bench_space_flags(void);
/* A frame that goes with the space; *at is its kernel address. 0: no memory. */
uint64_t bench_space_frame(struct bench_space *s, void **at);
/* n pages of frames of their own from va; page i's first word is i, the rest is
 * undefined. False: no memory. */
bool bench_space_map(struct bench_space *s, const void *va, unsigned n);
void bench_space_enter(const struct bench_space *s);
/* Goes back to the kernel's own space and frees this one. */
void bench_space_destroy(struct bench_space *s);

/* Physical address of contiguous memory on a 2 MiB boundary, or 0. It is never
 * given back: whoever asks next for no more gets the same. */
uint64_t bench_large(uint64_t bytes);

/* ---- User mode ---------------------------------------------------------- */

/* Copies the position-independent snippet [code, end), at most one page, to a
 * user page (unless it is there already) and enters it at CPL 3 with RDI = n,
 * RSI = address of a writable user page, RSP = top of a user stack, interrupts
 * enabled, all other registers 0. Returns when the snippet makes system call
 * SYS_bench_return. The pages stay mapped from one call to the next. An
 * exception in the snippet that no hook handles ends an enclosing try_op, or
 * panics. The first call allocates: make one in init(). */
void user_call(const void *code, const void *end, uint64_t n);

/* False once a SYSCALL arrived at its entry without having changed to CPL 0:
 * such a host exists. The kernel carries on, but the time is not a system
 * call's. Known after the first user_call. */
bool syscall_reaches_ring0(void);

/* ---- Interrupts and time ------------------------------------------------ */

#define VEC_TIMER 0xf0

/* Arms the one-shot timer `ticks` TSC ticks from now; returns the TSC value it
 * aims at. The interrupt (VEC_TIMER) is acknowledged by the kernel and
 * otherwise ignored. To sleep: cli(); timer_arm_in(t); sti_hlt(); */
uint64_t timer_arm_in(uint64_t ticks);
void timer_disarm(void);
/* Timer interrupts taken since boot. */
uint64_t timer_interrupts(void);
void lapic_eoi(void);

/* ---- Facts -------------------------------------------------------------- */

struct cpu_facts {
    char vendor[13]; /* CPUID leaf 0 */
    bool intel, amd;
    bool hypervisor; /* CPUID.1:ECX[31] */
    bool x2apic, tsc_deadline;
    bool nx, gbpages, rdtscp, invtsc;
    uint32_t signature; /* CPUID.1:EAX */
    uint64_t tsc_khz;
};
extern const struct cpu_facts *const cpu;

/* The descriptor tables as the kernel loaded them. */
struct cpu_tables {
    const void *gdt, *idt;
    uint16_t gdt_limit, idt_limit;
};
struct cpu_tables cpu_tables(void);

/* The whole command line; see guest/lib/lib.h for the parser. */
extern const char *const boot_cmdline;

/* Ends everything: panic line with the formatted reason, TM_EXIT_PANIC. */
void panic(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

#endif
