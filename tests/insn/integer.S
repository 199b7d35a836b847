/* Integer instruction cases that no random generator would find. */
#include "case.inc"

/* ---- Branches ---- */

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

/* ---- The stack ---- */

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

/* ---- Multiplication and division ---- */

.irp size, b, w, l, q
CASE "mul\size of extremes", undef=SF|ZF|AF|PF
	mov $-1, %rax
	mov $-1, %rcx
	mov %rcx, DATA
	mul\size DATA
CASE "mul\size of zero", undef=SF|ZF|AF|PF
	movq $0, DATA
	mul\size DATA
CASE "imul\size of minus one", undef=SF|ZF|AF|PF
	mov $-1, %rax
	movq $-1, DATA
	imul\size DATA
CASE "imul\size of the smallest", undef=SF|ZF|AF|PF
	mov $0x80, %eax
	movabs $0x8000000080008080, %rcx
	mov %rcx, DATA
	imul\size DATA
CASE "div\size by zero", vector=DE
	movq $0, DATA
	div\size DATA
CASE "idiv\size by zero", vector=DE
	movq $0, DATA
	idiv\size DATA
.endr

CASE "div: quotient too large by one", vector=DE
	mov $5, %edx
	mov $5, %ecx
	div %ecx
CASE "div: largest quotient", undef=CF|OF|SF|ZF|AF|PF
	mov $4, %edx
	mov $-1, %eax
	mov $5, %ecx
	div %ecx
CASE "divb: quotient of 256", vector=DE
	mov $512, %eax
	mov $2, %cl
	div %cl
CASE "divb: ah takes the remainder", undef=CF|OF|SF|ZF|AF|PF
	mov $0x1234567800ff, %rax
	mov $16, %cl
	div %cl
CASE "idivb: -128 / -1", vector=DE
	mov $0xff80, %eax
	mov $-1, %cl
	idiv %cl
CASE "idivb: -128 / 1", undef=CF|OF|SF|ZF|AF|PF
	mov $0xff80, %eax
	mov $1, %cl
	idiv %cl
CASE "idivl: smallest / -1", vector=DE
	mov $0x80000000, %eax
	cltd
	mov $-1, %ecx
	idiv %ecx
CASE "idivq: smallest / -1", vector=DE
	movabs $0x8000000000000000, %rax
	cqto
	mov $-1, %rcx
	idiv %rcx
CASE "idivq: smallest quotient", undef=CF|OF|SF|ZF|AF|PF
	mov $-1, %rdx
	movabs $0x8000000000000000, %rax
	mov $1, %ecx
	idiv %rcx
CASE "divq: 128-bit dividend", undef=CF|OF|SF|ZF|AF|PF
	movabs $0x123456789abcdef0, %rdx
	movabs $0x1234567890abcdef, %rcx
	dec %rdx
	and %rcx, %rdx
	shr $1, %rdx
	div %rcx
CASE "idivq: negative 128-bit dividend", undef=CF|OF|SF|ZF|AF|PF
	mov $-0x123, %rdx
	movabs $0x1234567890abcdef, %rax
	mov $-0x7654321, %rcx
	idiv %rcx

/* ---- Shift counts ---- */

.macro ROTATE op, count
CASE "\op by \count", undef=OF
	mov $\count, %cl
	\op %cl, %rax
	\op %cl, %edx
	\op %cl, %r8w
	\op %cl, %r9b
	\op $\count, %r10b
	\op $\count, %r11w
CASE "\op of memory by \count", undef=OF
	mov $\count, %cl
	\op\()q %cl, DATA
	\op\()l %cl, DATA + 8
	\op\()w %cl, DATA + 16
	\op\()b %cl, DATA + 18
.endm
/* The wide ones last: CF is undefined where a narrow operand is shifted out. */
.macro SHIFT op, count
CASE "\op by \count", undef=OF|AF
	mov $\count, %cl
	\op %cl, %r8w
	\op %cl, %r9b
	\op %cl, %rax
	\op %cl, %edx
CASE "\op of memory by \count", undef=OF|AF|CF
	mov $\count, %cl
	\op\()q %cl, DATA
	\op\()l %cl, DATA + 8
	\op\()w %cl, DATA + 16
	\op\()b %cl, DATA + 18
.endm
.macro SHIFT_DOUBLE op, count
CASE "\op by \count", undef=OF|AF
	mov $\count, %cl
	\op %cl, %rax, %rdx
	\op %cl, %eax, %r8d
	\op $\count, %rax, %r9
	\op $\count, %edx, DATA
.endm
.irp count, 0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 255
	ROTATE rol, \count
	ROTATE ror, \count
	ROTATE rcl, \count
	ROTATE rcr, \count
	SHIFT shl, \count
	SHIFT shr, \count
	SHIFT sar, \count
	SHIFT_DOUBLE shld, \count
	SHIFT_DOUBLE shrd, \count
.endr
.irp op, shl, shr, sar, rol, ror, rcl, rcr
CASE "\op by an immediate 0 changes no flag"
	\op $0, %rax
	\op $32, %ecx
	\op $64, %rdx
CASE "a 32-bit \op by 0 still clears the upper half"
	mov $-1, %rax
	mov $0, %cl
	\op %cl, %eax
	\op $0, %edx
.endr

/* ---- Bits ---- */

.irp op, bt, bts, btr, btc
CASE "\op with offsets beyond the operand", undef=OF|SF|AF|PF
	mov $-1, %rax
	\op %rax, DATA + 64
	mov $-65, %rcx
	\op %rcx, DATA + 64
	mov $1000, %edx
	\op %edx, DATA
	mov $-33, %r8d
	\op %r8d, DATA + 64
	mov $-17, %r9d
	\op %r9w, DATA + 64
	mov $0x7fff, %r10d
	\op %r10w, DATA
CASE "\op with an immediate wraps in the operand", undef=OF|SF|AF|PF
	\op $63, %rax
	\op $64, %rcx
	\op $33, %edx
	\op $17, %r8w
	\op\()q $65, DATA
	\op\()l $33, DATA + 8
	\op\()w $17, DATA + 12
CASE "\op with a register offset wraps in a register", undef=OF|SF|AF|PF
	mov $-1, %rcx
	\op %rcx, %rax
	\op %ecx, %edx
	\op %cx, %r8w
.endr
.irp op, bsf, bsr
CASE "\op of zero leaves the destination", undef=CF|OF|SF|AF|PF
	xor %ecx, %ecx
	\op %rcx, %rax
	\op %cx, %dx
CASE "\op of one bit", undef=CF|OF|SF|AF|PF
	mov $0x100, %ecx
	\op %rcx, %rax
	\op %ecx, %edx
	\op %cx, %r8w
.endr
CASE "popcnt"
	mov $-1, %rcx
	popcnt %rcx, %rax
	popcnt %ecx, %edx
	popcnt %cx, %r8w
	xor %ecx, %ecx
	popcnt %rcx, %r9
CASE "crc32, all widths"
	crc32b %cl, %eax
	crc32w %cx, %eax
	crc32l %ecx, %eax
	crc32q %rcx, %rax
	crc32b %ah, %edx
	crc32b DATA + 1, %rdx
CASE "bswap"
	bswap %rax
	bswap %ecx
	bswap %r9

/* ---- Strings ---- */

.irp dir, cld, std
.irp size, b, w, l, q
CASE "rep movs\size, \dir"
	\dir
	mov $20, %ecx
	mov $DATA + 1000, %esi
	mov $DATA + 2003, %edi
	rep movs\size
CASE "rep movs\size overlapping, \dir"
	\dir
	mov $30, %ecx
	mov $DATA + 1000, %esi
	mov $DATA + 1003, %edi
	rep movs\size
CASE "rep movs\size across a page, \dir"
	\dir
	mov $200, %ecx
	mov $DATA + 4090, %esi
	mov $DATA + 4000, %edi
	rep movs\size
CASE "rep stos\size, \dir"
	\dir
	mov $100, %ecx
	mov $DATA + 4001, %edi
	rep stos\size
CASE "rep lods\size, \dir"
	\dir
	mov $3, %ecx
	mov $DATA + 4001, %esi
	rep lods\size
CASE "repe cmps\size, \dir"
	\dir
	mov $DATA + 512, %esi
	mov $DATA + 1024, %edi
	movq $0, DATA + 504
	movq $0, DATA + 512
	movq $0, DATA + 1016
	movq $0, DATA + 1024
	mov $9, %ecx
	repe cmps\size
CASE "repne scas\size, \dir"
	\dir
	mov $DATA + 512, %edi
	mov DATA + 512, %rax
	mov $9, %ecx
	repne scas\size
CASE "repe scas\size, \dir"
	\dir
	mov $DATA + 512, %edi
	mov DATA + 512, %rax
	mov $9, %ecx
	repe scas\size
CASE "rep with a count of 0, \dir \size"
	\dir
	xor %ecx, %ecx
	xor %esi, %esi
	xor %edi, %edi
	stc
	rep movs\size
	rep stos\size
	rep lods\size
	repe cmps\size
	repne scas\size
CASE "rep movs\size into a read-only page, \dir", vector=PAGE, error=7
	mov $8000, %ecx
	mov $DATA + 4096, %esi
	mov $RO - 9, %edi
	cld
	rep movs\size
CASE "rep stos\size off the lower end, \dir", vector=PAGE, error=6
	std
	mov $8000, %ecx
	mov $DATA + 90, %edi
	rep stos\size
CASE "rep movs\size from an unmapped page, \dir", vector=PAGE, error=4
	cld
	mov $800, %ecx
	mov $END - 17, %esi
	mov $DATA, %edi
	rep movs\size
CASE "repe cmps\size stops at a fault with the flags of before, \dir", vector=PAGE, error=4
	cld
	mov $0x900000000, %rcx
	mov $END - 16, %esi
	mov $END - 16, %edi
	repe cmps\size
.endr
.endr
CASE "rep movsb with 32-bit addresses"
	cld
	movabs $0x700000003, %rcx
	movabs $0x500000000 + DATA, %rsi
	movabs $0x600000000 + DATA + 77, %rdi
	addr32 rep movsb
CASE "xlat"
	mov $DATA, %ebx
	mov $0x1280, %eax
	xlat

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
