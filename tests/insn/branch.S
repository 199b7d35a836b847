/* Cases of jumps, loops, calls and returns, and where they may not go. */
#include "case.inc"

.irp cc, o, no, b, nb, z, nz, be, nbe, s, ns, p, np, l, nl, le, nle
CASE "j\cc short and near"
	j\cc 1f
	mov $1, %eax
1:	j\cc\().d32 2f
	mov $2, %ecx
2:	set\cc %dl
	cmov\cc %r8, %r9
	cmov\cc %r8d, %r10d
.endr

CASE "loop counts down in rcx"
	mov $5, %ecx
	xor %eax, %eax
1:	inc %eax
	loop 1b

CASE "loop with a 32-bit count clears the upper half"
	mov $0x500000003, %rcx
	xor %eax, %eax
1:	inc %eax
	addr32 loop 1b

CASE "loope, loopne"
	mov $4, %ecx
	xor %eax, %eax
1:	inc %eax
	cmp $3, %eax
	loopne 1b
	mov $4, %edx
	mov $4, %ecx
2:	dec %edx
	cmp %edx, %edx
	loope 2b

CASE "jrcxz, jecxz"
	mov $0x100000000, %rcx
	jrcxz 1f
	mov $1, %eax
1:	jecxz 2f
	mov $2, %edx
2:	nop

CASE "call, ret, ret imm16"
	call 1f
	jmp 3f
1:	call 2f
	ret
2:	pop %rax
	push %rax
	ret
3:	push $7
	lea 4f(%rip), %rax
	push %rax
	ret $8
4:	nop

CASE "call and jmp through registers and memory"
	lea 1f(%rip), %rax
	call *%rax
1:	lea 2f(%rip), %rax
	mov %rax, DATA
	jmp *DATA
	ud2
2:	lea 3f(%rip), %rax
	push %rax
	call *(%rsp)
3:	pop %rcx
	pop %rdx

CASE "jmp to a non-canonical address", vector=GP
	mov $0x8000000000000000, %rax
	jmp *%rax

CASE "call to a non-canonical address", vector=GP
	mov $0x800000000000, %rax
	call *%rax

CASE "ret to a non-canonical address", vector=GP
	mov $0x1000000000000000, %rax
	push %rax
	ret

CASE "jmp to an unmapped page", vector=PAGE, error=0x14
	mov $0x18000000, %eax
	jmp *%rax

CASE "jmp to a page without execute permission", vector=PAGE, error=0x15
	mov $DATA, %eax
	jmp *%rax

CASES_END
