/* Cases of exchanges, widening moves, and where operands may lie. */
#include "case.inc"

/* ---- Exchange ---- */

.irp size, b, w, l, q
CASE "cmpxchg\size equal and not"
	mov DATA, %rax
	mov $-2, %rcx
.ifc \size, b
	lock cmpxchg %cl, DATA
	cmpxchg %cl, DATA + 8
.endif
.ifc \size, w
	lock cmpxchg %cx, DATA
	cmpxchg %cx, DATA + 8
.endif
.ifc \size, l
	lock cmpxchg %ecx, DATA
	cmpxchg %ecx, DATA + 8
.endif
.ifc \size, q
	lock cmpxchg %rcx, DATA
	cmpxchg %rcx, DATA + 8
.endif
.endr
CASE "a 32-bit cmpxchg with registers, equal"
	mov $-1, %rax
	mov $-1, %rdx
	mov $5, %ecx
	cmpxchg %ecx, %edx
CASE "a 32-bit cmpxchg with registers, unequal"
	mov $-1, %rax
	mov $7, %edx
	bts $40, %rdx
	cmpxchg %ecx, %edx
CASE "cmpxchg writes even where it fails", vector=PAGE, error=7
	mov RO, %rax
	inc %rax
	cmpxchg %rcx, RO
CASE "cmpxchg8b"
	mov DATA, %eax
	mov DATA + 4, %edx
	mov $1, %ebx
	mov $2, %ecx
	lock cmpxchg8b DATA
	cmpxchg8b DATA
CASE "cmpxchg16b"
	mov DATA, %rax
	mov DATA + 8, %rdx
	mov $1, %ebx
	mov $2, %ecx
	lock cmpxchg16b DATA
	cmpxchg16b DATA
CASE "cmpxchg16b, unaligned", vector=GP
	cmpxchg16b DATA + 8
CASE "xadd with itself"
	xadd %rax, %rax
	lock xadd %ecx, DATA
	xadd %dl, %dh
CASE "xchg"
	xchg %al, %ah
	xchg %rax, DATA
	xchg %ecx, %edx
	xchg %r8, %rax
	xchg %eax, %eax
	nop

/* ---- High bytes, widening, addressing ---- */

CASE "high-byte registers"
	mov %ah, %bl
	mov %ch, %dh
	add %dh, %ah
	movzx %bh, %ecx
	movsx %ah, %edx
	mov $0x77, %bh
	xor %ch, DATA
	setc %dh
	inc %bh
	shl $3, %ah
CASE "the same numbers with REX are low bytes"
	mov %spl, %al
	mov %bpl, %cl
	mov %sil, %dl
	mov %dil, %r8b
	movzx %sil, %r9d
CASE "movsx, movzx, movsxd"
	movsbw DATA, %ax
	movsbl DATA, %ecx
	movsbq DATA, %rdx
	movswl DATA, %r8d
	movswq DATA, %r9
	movslq DATA, %r10
	movzbw DATA, %r11w
	movzwl DATA + 2, %eax
	movzwq DATA + 2, %rax
CASE "cbw to cqo"
	mov $0x80, %eax
	cbtw
	cwtl
	cltq
	cwtd
	cltd
	cqto
CASE "lea, all widths"
	lea 5(%rax,%rcx,8), %rdx
	lea 5(%rax,%rcx,8), %r8d
	lea 5(%rax,%rcx,8), %r9w
	lea 5(%eax,%ecx,2), %r10
	lea -1(,%r11,4), %rax
	lea 0x12345678, %ecx
	lea 1f(%rip), %rdx
1:	nop
CASE "moffs"
	movabs DATA + 3, %al
	movabs DATA + 8, %ax
	movabs DATA + 16, %eax
	movabs DATA + 24, %rax
	movabs %rax, DATA + 65
	movabs %al, DATA + 64
CASE "a write to a 32-bit register clears its upper half"
	mov $-1, %rax
	mov $-1, %rcx
	mov $-1, %rdx
	mov %ecx, %eax
	add $1, %ecx
	xchg %edx, %edx
	cmovz %r8d, %r9d
	cmovnz %r8d, %r10d
CASE "32-bit address wrap"
	mov $-8, %rax
	movl DATA + 8(%eax), %ecx
	mov DATA + 8(,%eax,1), %rdx
CASE "GS has a base"
	mov %gs:DATA - 0x1000, %rax
CASE "an operand across two pages"
	mov %rax, DATA + 4091
	add DATA + 4093, %rcx
	lock xadd %rdx, DATA + 4094
	movups %xmm0, DATA + 4085
	movups DATA + 4083, %xmm1
CASE "a store into a writable and a read-only page stores nothing", vector=PAGE, error=7
	mov %rax, RO - 4
CASE "a read-modify-write that runs off the end", vector=PAGE, error=6
	addq $1, STACK_END - 4
CASE "a load that runs off the end", vector=PAGE, error=4
	mov END - 4, %rax

CASES_END
