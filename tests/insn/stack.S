/* Cases of push, pop, enter and leave, and of the flags on the stack. */
#include "case.inc"

CASE "push and pop, all widths"
	push %rax
	pushw %cx
	push $-3
	pushw $-4
	push $0x12345678
	push DATA
	pushw DATA + 8
	popw %dx
	pop %rax
	pop %rcx
	popw %ax
	pop %r8
	popw DATA + 64
	popq DATA + 72

CASE "push rsp pushes the old value, pop rsp loads"
	mov %rsp, %rax
	push %rsp
	pop %rcx
	push %rax
	pop %rsp

CASE "pop to memory computes its address after the increment"
	push $0x11
	push $0x22
	popq (%rsp)
	popq 8(%rsp)

CASE "push of memory at the stack pointer"
	pushq (%rsp)
	pushq -8(%rsp)

CASE "push with the stack pointer in an unmapped page", vector=PAGE, error=6
	mov $0x30000000, %esp
	push %rax

CASE "a faulting push leaves rsp alone", vector=PAGE, error=7
	mov $RO + 16, %esp
	push $1

CASE "a faulting pop to memory leaves rsp alone", vector=PAGE, error=7
	push $1
	popq RO

CASE "call whose push faults", vector=PAGE, error=7
	mov $RO + 16, %esp
	call 1f
1:	nop

CASE "push with a non-canonical stack pointer", vector=SS
	mov $0x8000000000000000, %rsp
	push %rax

CASE "memory at a non-canonical address", vector=GP
	mov $0x7fffffffffffffff, %rax
	mov (%rax), %ecx

CASE "memory at a non-canonical address by way of rbp", vector=SS
	mov $0x900000000000, %rbp
	mov (%rbp), %ecx

CASE "memory that straddles the canonical limit", vector=GP
	mov $0x7ffffffffffc, %rax
	mov %rcx, 0x40000(%rax)

CASE "enter 0 and leave"
	enter $32, $0
	push $1
	leave

CASE "enter with nesting levels"
	mov %rsp, %rbp
	push $1
	push $2
	push $3
	lea 8(%rsp), %rbp
	enter $16, $1
	mov %rsp, %rax
	mov %rbp, %rcx
	enter $24, $3
	leave

CASE "leave from a misaligned frame"
	lea 3(%rsp), %rbp
	leave
	mov %rsp, %rax

CASE "pushf and popf at CPL 3 keep IF and IOPL"
	pushf
	pop %rax
	push $0x3ed7
	popf
	pushf
	pop %rcx
	push $0
	popf
	pushf
	pop %rdx

CASE "popfw changes the lower half only"
	pushw $0x0cd5
	popfw
	pushf
	pop %rax
	cld

CASE "popf sets NT and ID"
	pushf
	pop %rax
	or $0x204000, %rax
	push %rax
	popf
	pushf
	pop %rcx
	push $0x202
	popf

CASE "popf to TF traps behind the next instruction", vector=DB
	push $0x302
	popf
	nop
	nop

CASE "TF traps behind a taken jump", vector=DB
	push $0x302
	popf
	jmp 1f
	nop
1:	nop

CASE "TF traps after one iteration of rep", vector=DB
	mov $5, %ecx
	cld
	push $0x302
	popf
	rep stosb

CASE "lahf, sahf"
	mov $0xd700, %eax
	sahf
	lahf
	mov $0, %ah
	sahf

CASES_END
