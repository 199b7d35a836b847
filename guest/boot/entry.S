/* The entries, PVH (32-bit) and direct (64-bit), and the path they share. */
#include "boot.h"

/* Physical address of a symbol as a constant: the image is not moved, and a
 * position-independent link allows no 32-bit absolute relocation. */
#define PHYS(sym) (sym - pvh_entry + TM_KERNEL_PHYS)

    .section .boot.text, "ax"
    .code32
    .globl pvh_entry
pvh_entry:
    cli
    cld
    /* Identity map of 4 GiB with 2 MiB pages: one PML4, one PDPT, four PDs. The
     * loader has zeroed them. */
    mov $PHYS(boot_tables), %edi
    lea 0x1003(%edi), %eax
    mov %eax, (%edi)
    lea 0x2003(%edi), %eax
    mov %eax, 0x1000(%edi)
    add $0x1000, %eax
    mov %eax, 0x1008(%edi)
    add $0x1000, %eax
    mov %eax, 0x1010(%edi)
    add $0x1000, %eax
    mov %eax, 0x1018(%edi)
    lea 0x2000(%edi), %edx
    mov $0x83, %eax /* present, writable, large */
    mov $2048, %ecx
1:  mov %eax, (%edx)
    add $0x200000, %eax
    add $8, %edx
    dec %ecx
    jnz 1b

    mov %cr4, %eax
    or $0x20, %eax /* PAE */
    mov %eax, %cr4
    mov %edi, %cr3
    mov $0xc0000080, %ecx /* EFER */
    rdmsr
    or $0x100, %eax /* LME */
    wrmsr
    mov %cr0, %eax
    or $0x80000000, %eax /* PG */
    mov %eax, %cr0

    mov $PHYS(boot_gdt), %eax
    mov $PHYS(boot_gdtr), %ecx
    mov %eax, 2(%ecx)
    lgdt (%ecx)
    ljmp $8, $(PHYS(pvh_entry64))

    .code64
pvh_entry64:
    mov %ebx, %edi
    mov $BOOT_PVH, %esi
    jmp common

    .globl direct_entry
direct_entry:
    cli
    cld
    mov %rsi, %rdi
    xor %esi, %esi /* BOOT_DIRECT */
common:
    /* No selector of a foreign GDT stays behind; CS follows in cpu_init. */
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    lea boot_stack_end(%rip), %rsp
    call boot_prepare
    mov %rdx, %cr3
    add %rax, %rsp
    lea 1f(%rip), %rcx
    add %rax, %rcx
    jmp *%rcx
1:  call kernel_main

    .section .data
    .align 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 64-bit code, DPL 0 */
boot_gdtr:
    .word 15
    .long 0

    .section .bss
    .align 4096
boot_tables:
    .skip 6 * 4096
    /* Stays init's kernel stack. */
    .globl boot_stack
boot_stack:
    .skip 16384
    .globl boot_stack_end
boot_stack_end:

    .section .note.Xen, "a", @note
    .align 4
    .long 4, 8, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad TM_KERNEL_PHYS /* pvh_entry; the linker script checks it */

    .section .note.trapmark.abi, "a", @note
    .align 4
    .long 9, 4, TM_NOTE_ABI
    .asciz TM_NOTE_NAME
    .align 4
    .long TM_ABI_VERSION

    .section .note.GNU-stack, "", @progbits
