/* Every way into and out of the kernel, and stack switching. */
#include "layout.h"

    .macro push_gprs
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    .endm

    .macro pop_gprs
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    .endm

    .macro push_callee
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    .endm

    .macro pop_callee
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    .endm

    .text

/* ---- Exceptions and interrupts: stack is SS RSP RFLAGS CS RIP [error] --- */

    .macro stub vector
    .balign TRAP_STUB_SIZE
    /* 8, 10..14, 17, 21, 29, 30 push an error code of their own. */
    .if (\vector > 31) || !(0x60227d00 >> (\vector & 31) & 1)
    push $0
    .endif
    push $\vector
    jmp trap_common
    .endm

    .globl trap_stubs
    .balign TRAP_STUB_SIZE
trap_stubs:
    .set vector, 0
    .rept 256
    stub vector
    .set vector, vector + 1
    .endr

    .balign 16
trap_common:
    testb $3, 24(%rsp) /* CS */
    jz 1f
    swapgs
1:  push_gprs
    cld
    mov %rsp, %rdi
    call trap_dispatch
trap_return:
    pop_gprs
    testb $3, 24(%rsp)
    jz 1f
    swapgs
1:  add $16, %rsp /* vector, error */
    iretq

/* void trap_resume(struct trapframe *tf): whatever the stack holds below tf is
 * given up. */
    .globl trap_resume
trap_resume:
    mov %rdi, %rsp
    jmp trap_return

/* ---- System calls ------------------------------------------------------- */

    .globl syscall_entry
    .balign 16
syscall_entry:
    swapgs
    mov %rsp, %gs:PERCPU_USER_RSP
    mov %gs:PERCPU_KSTACK, %rsp
    push $USER_SS
    push %gs:PERCPU_USER_RSP
    push %r11
    push $USER_CS
    push %rcx
    push $0
    push $VECTOR_SYSCALL
    push_gprs
    mov %rsp, %rdi
    call syscall_dispatch
syscall_return:
    /* SYSRET to a non-canonical RIP would fault at CPL 0 with the user's stack;
     * IRET faults cleanly. */
    mov TF_RIP(%rsp), %rax
    shr $47, %rax
    jnz trap_return
    pop_gprs
    mov 16(%rsp), %rcx /* RIP */
    mov 32(%rsp), %r11 /* RFLAGS */
    mov 40(%rsp), %rsp
    swapgs
    sysretq

    /* First return of a new process: its trapframe is on the stack. */
    .globl proc_begin
proc_begin:
    jmp syscall_return

/* ---- void switch_stack(uint64_t *save, uint64_t load) ------------------- */

    .globl switch_stack
    .balign 16
switch_stack:
    push_callee
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop_callee
    ret

/* POPFQ, and STI where the frame has IF set: at CPL 3, where a trap-and-emulate
 * VMM runs this kernel, POPFQ leaves IF as it is, in silence. PUSHFQ always shows
 * IF set there, so a caller that has interrupts off must not come here. */
    .macro restore_flags
    testl $0x200, (%rsp)
    jz 8f
    popfq
    sti
    jmp 9f
8:  popfq
9:
    .endm

/* ---- int try_call(void (*fn)(void *), void *arg) ------------------------ */

    .globl try_call
try_call:
    push_callee
    pushfq
    push try_sp(%rip)
    mov %rsp, try_sp(%rip)
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    mov $-1, %eax
    /* trap_dispatch comes here with RSP = try_sp and EAX = vector. */
    .globl try_abort
try_abort:
    pop try_sp(%rip)
    restore_flags
    pop_callee
    ret

/* ---- int copy_guarded(void *dst, const void *src, uint64_t n) ----------- */

    .globl copy_guarded
copy_guarded:
    mov %rdx, %rcx
    shr $3, %rcx
copy_words:
    rep movsq
    mov %edx, %ecx
    and $7, %ecx
copy_bytes:
    rep movsb
    xor %eax, %eax
    ret
copy_failed:
    mov $-14, %eax /* -TM_EFAULT */
    ret

    .globl copy_fixup
copy_fixup:
    xor %eax, %eax
    lea copy_words(%rip), %rcx
    cmp %rcx, %rdi
    je 1f
    lea copy_bytes(%rip), %rcx
    cmp %rcx, %rdi
    jne 2f
1:  lea copy_failed(%rip), %rax
2:  ret

/* ---- void user_enter(rip, data, n, stack) and its way out --------------- */

    .globl user_enter
user_enter:
    push_callee
    pushfq
    cli
    mov %rsp, user_enter_sp(%rip)
    /* Entries from user mode stack below this frame. */
    mov %rsp, %rax
    and $-16, %rax
    mov %rax, %rsp
    mov %rax, percpu+PERCPU_KSTACK(%rip)
    mov %rax, tss+4(%rip) /* rsp0 */
    push $USER_SS
    push %rcx
    push $0x202 /* IF */
    push $USER_CS
    push %rdi
    mov %rdx, %rdi
    xor %eax, %eax
    xor %ebx, %ebx
    xor %ecx, %ecx
    xor %edx, %edx
    xor %ebp, %ebp
    xor %r8d, %r8d
    xor %r9d, %r9d
    xor %r10d, %r10d
    xor %r11d, %r11d
    xor %r12d, %r12d
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    swapgs
    iretq

    .globl user_leave
user_leave:
    mov user_enter_sp(%rip), %rsp
    restore_flags
    pop_callee
    ret

    .section .bss
    .balign 8
    .globl try_sp
try_sp:
    .skip 8
user_enter_sp:
    .skip 8

    .section .note.GNU-stack, "", @progbits
