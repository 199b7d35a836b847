/* Into guest code and out of it; the signal handlers' first instructions. */

#define H_RIP     128
#define H_RFLAGS  136
#define H_FS      144
#define H_GS      152
#define H_FX      256
#define H_KIND    768
#define H_IN      800
#define H_KICKED  804

#define HOST_KICK 2
#define HOST_LEFT 3
#define TF        0x100
#define USER_CS   0x33
#define USER_SS   0x2b

    .text

/* void host_enter(struct host_cpu *h) */
    .globl host_enter
    .type host_enter, @function
    .balign 16
host_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, host_rsp(%rip)
    fxrstor64 H_FX(%rdi)
    /* From here on a signal must not be taken for the guest's, and a kick must
     * not be lost: the handler sends those that come in between to
     * host_enter_abort. */
    .globl host_enter_begin
host_enter_begin:
    mov H_FS(%rdi), %rax
    wrfsbase %rax
    mov H_GS(%rdi), %rax
    wrgsbase %rax
    movb $1, H_IN(%rdi)
    cmpl $0, H_KICKED(%rdi)
    jne host_enter_abort
    movb $1, host_selector(%rip)
    testl $TF, H_RFLAGS(%rdi)
    jnz 1f
    mov H_RIP(%rdi), %rax
    mov %rax, host_target(%rip)
    push H_RFLAGS(%rdi)
    popfq
    .macro load_gprs
    mov 0(%rdi), %rax
    mov 8(%rdi), %rcx
    mov 16(%rdi), %rdx
    mov 24(%rdi), %rbx
    mov 40(%rdi), %rbp
    mov 48(%rdi), %rsi
    mov 64(%rdi), %r8
    mov 72(%rdi), %r9
    mov 80(%rdi), %r10
    mov 88(%rdi), %r11
    mov 96(%rdi), %r12
    mov 104(%rdi), %r13
    mov 112(%rdi), %r14
    mov 120(%rdi), %r15
    .endm
    load_gprs
    mov 32(%rdi), %rsp
    mov 56(%rdi), %rdi
    jmp *host_target(%rip)

    /* POPF with TF would trap here; IRET sets it with the jump. */
1:  pushq $USER_SS
    push 32(%rdi)
    push H_RFLAGS(%rdi)
    pushq $USER_CS
    push H_RIP(%rdi)
    load_gprs
    mov 56(%rdi), %rdi
    iretq

    .globl host_enter_abort
host_enter_abort:
    mov host_current(%rip), %rdi
    movl $HOST_KICK, H_KIND(%rdi)
    jmp host_exit
    .globl host_enter_end
host_enter_end:
    .size host_enter, . - host_enter

/* The guest's AC flag would make the host's unaligned accesses fault; the kernel
 * leaves it to the handler. */
    .macro CLEAR_AC
    pushfq
    andl $~0x40000, (%rsp)
    popfq
    .endm

/* rdi = struct host_cpu; guest registers saved, FPU still the guest's. */
    .globl host_leave
    .balign 16
host_leave:
    fxsave64 H_FX(%rdi)
    movl $HOST_LEFT, H_KIND(%rdi)
host_exit:
    movb $0, host_selector(%rip)
    mov host_fs_base(%rip), %rax
    wrfsbase %rax
    mov host_gs_base(%rip), %rax
    wrgsbase %rax
    movb $0, H_IN(%rdi)
    fninit
    ldmxcsr host_mxcsr(%rip)
    cld
    mov host_rsp(%rip), %rsp
    CLEAR_AC
    .globl host_leave_end
host_leave_end:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* From the signal handler: return to host_enter's caller. The kernel gave the
 * handler a clean FPU. */
    .globl host_unwind
    .balign 16
host_unwind:
    mov host_rsp(%rip), %rsp
    jmp host_leave_end

/* What the kernel calls, on the signal stack: rdi, rsi, rdx are sa_sigaction's.
 * System calls and thread-local storage are the guest's until both bases are set.
 * Where host_on_signal returns, the interrupted code goes on. */
    .globl host_signal
    .balign 16
host_signal:
    CLEAR_AC
    rdfsbase %rcx
    rdgsbase %r8
    movzbl host_selector(%rip), %r9d
    movb $0, host_selector(%rip)
    mov host_fs_base(%rip), %rax
    wrfsbase %rax
    mov host_gs_base(%rip), %rax
    wrgsbase %rax
    cld
    push %rcx
    push %r8
    push %r9
    call host_on_signal
    pop %r9
    pop %r8
    pop %rcx
    wrfsbase %rcx
    wrgsbase %r8
    mov %r9b, host_selector(%rip)
    ret

/* Its system call is the one that Syscall User Dispatch lets through. */
    .globl host_restorer
    .balign 16
host_restorer:
    mov $15, %eax /* rt_sigreturn */
    syscall
    .globl host_restorer_end
host_restorer_end:
    nop

    .section .rodata
    .balign 4
host_mxcsr:
    .long 0x1f80

    .bss
    .balign 8
host_rsp:
    .skip 8
host_target:
    .skip 8
    .globl host_fs_base
host_fs_base:
    .skip 8
    .globl host_gs_base
host_gs_base:
    .skip 8
    .globl host_selector
host_selector:
    .skip 8

    .section .note.GNU-stack, "", @progbits
