/* Numbers shared by C and assembly: selectors, offsets, addresses. */
#ifndef TM_LAYOUT_H
#define TM_LAYOUT_H

/* GDT order as SYSCALL and SYSRET want it: STAR names KERNEL_CS (SS follows)
 * and the entry before USER_SS (CS at + 16). */
#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define USER_SS 0x1b
#define USER_CS 0x23
#define TSS_SEL 0x28
#define LDT_SEL 0x38   /* not loaded, except by the audit */
#define AUDIT_SEL 0x4b /* data at user_call's data page, for the audit */

#define TRAP_STUB_SIZE 16
#define VECTOR_SYSCALL 0x100 /* trapframe.vector of a system call */

/* Offsets in struct percpu and struct trapframe. */
#define PERCPU_USER_RSP 0
#define PERCPU_KSTACK 8
#define TF_RIP 136
#define TF_CS 144
#define TF_SIZE 176

#ifndef __ASSEMBLER__
#define GIB (1ull << 30)
#define LARGE_PAGE (1ull << 21)
#define MMIO_START 0xf0000000ull

/* bench_pages live here, above the image, in the same top-level entry. */
#define VMALLOC_OFFSET 0x40000000ull

/* user_call's code page is the first of user memory; its data page is next. */
#define USER_DATA_PAGE 0x11000

#define USER_STACK_TOP 0x40000000ull
#define USER_STACK_SIZE 0x40000ull
#define USER_MMAP_START 0x40000000ull
#define USER_PIE_BASE 0x10000000ull
#endif
#endif
