/* Instruction cases that no random generator would find, with what ends them. */
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

/* ---- Exceptions of user mode ---- */

CASE "int3", vector=BP
	int3
/* Some hypervisors report it with rip on the instruction: not for the CPU. */
CASE "int1", vector=DB, flags=INSN_BACKEND_ONLY
	.byte 0xf1
.irp n, 0, 6, 13, 14, 32, 255
CASE "int \n through a gate that is not for user code", vector=GP, error=\n*8+2
	int $\n
.endr
.irp op, 0x06, 0x0e, 0x16, 0x1e, 0x07, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea
CASE "opcode \op is invalid in 64-bit mode"
	.byte \op, 0, 0, 0, 0, 0, 0
.endr
CASE "ud0"
	.byte 0x0f, 0xff, 0xc0
CASE "ud1"
	.byte 0x0f, 0xb9, 0xc0
CASE "lock with a register destination"
	.byte 0xf0, 0x01, 0xc8
CASE "lock with mov"
	.byte 0xf0, 0x89, 0x03
CASE "lock with cmp"
	.byte 0xf0, 0x39, 0x03
CASE "lock with bt"
	.byte 0xf0, 0x0f, 0xa3, 0x03
CASE "lea with a register"
	.byte 0x8d, 0xc0
CASE "15 bytes are an instruction"
	.byte 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x01, 0xc8
CASE "16 bytes are #GP", vector=GP
	.byte 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x01, 0xc8
CASE "a REX that a prefix follows is ignored"
	.byte 0x48, 0x66, 0x01, 0xc8
	.byte 0x4f, 0x2e, 0x01, 0xd1

.macro PRIVILEGED op:vararg
CASE "privileged: \op", vector=GP
	\op
.endm
PRIVILEGED hlt
PRIVILEGED cli
PRIVILEGED sti
PRIVILEGED clts
PRIVILEGED invd
PRIVILEGED wbinvd
PRIVILEGED swapgs
PRIVILEGED rdmsr
PRIVILEGED wrmsr
PRIVILEGED sysretl
PRIVILEGED sysretq
PRIVILEGED invlpg (%rbx)
PRIVILEGED lgdt DATA
PRIVILEGED lidt DATA
PRIVILEGED lldt %ax
PRIVILEGED ltr %ax
PRIVILEGED lmsw %ax
.irp cr, cr0, cr2, cr3, cr4, cr8
PRIVILEGED mov %\cr, %rax
PRIVILEGED mov %rax, %\cr
.endr
.irp dr, db0, db6, db7
PRIVILEGED mov %\dr, %rax
PRIVILEGED mov %rax, %\dr
.endr
PRIVILEGED in %dx, %al
PRIVILEGED in %dx, %ax
PRIVILEGED in %dx, %eax
PRIVILEGED in $0x80, %al
PRIVILEGED in $0x80, %eax
PRIVILEGED out %al, %dx
PRIVILEGED out %eax, %dx
PRIVILEGED out %al, $0x80
PRIVILEGED insb
PRIVILEGED insl
PRIVILEGED rep insb
PRIVILEGED outsb
PRIVILEGED outsl
PRIVILEGED rep outsl
CASE "mov to cr1 is undefined"
	.byte 0x0f, 0x22, 0xc8

/* ---- Segment registers ---- */

CASE "mov from segment registers"
	mov %cs, %eax
	mov %ss, %rcx
	mov %ds, %dx
	mov %es, %r8d
	mov %fs, %r9
	mov %gs, %r10
	mov %cs, DATA
	mov %ss, DATA + 8
CASE "push of fs and gs"
	push %fs
	push %gs
	pushw %fs
CASE "a null selector in ds and es"
	xor %eax, %eax
	mov %eax, %ds
	mov $3, %ecx
	mov %ecx, %es
	mov %es, %edx
	mov %eax, %es
	mov DATA, %r8
CASE "a null selector in ss at CPL 3", vector=GP
	xor %eax, %eax
	mov %eax, %ss
CASE "a selector beyond the GDT", vector=GP, error=0xfff8
	mov $0xfffb, %eax
	mov %eax, %es
CASE "lss with a selector beyond the GDT", vector=GP, error=0xfff8
	movl $0xfffb, DATA + 4
	lss DATA, %eax
CASE "mov to cs"
	.byte 0x8e, 0xc8
CASE "mov from segment register 6"
	.byte 0x8c, 0xf0
CASE "far return to a null selector", vector=GP
	push $0
	push $0
	lretq
CASE "far jump to a null selector", vector=GP
	movq $0, DATA
	movq $0, DATA + 8
	ljmp *DATA
CASE "iretq to a null selector", vector=GP
	push $0
	push $0
	push $0
	push $0
	push $0
	iretq
CASE "lar, lsl, verr, verw of null"
	xor %ecx, %ecx
	lar %ecx, %eax
	lsl %ecx, %edx
	setz %r8b
	verr %cx
	setz %r9b
	verw %cx
	setz %r10b

/* ---- SSE and x87: what depends on control bits ---- */

CASE "#XM: unmasked division by zero", vector=19
	movl $0x1d80, DATA
	ldmxcsr DATA
	xorps %xmm0, %xmm0
	movaps %xmm0, %xmm1
	divps %xmm0, %xmm1
	movl $0x1d00, DATA
	ldmxcsr DATA
	mov $1, %eax
	cvtsi2ss %eax, %xmm1
	divss %xmm0, %xmm1
CASE "#XM with a memory operand", vector=19
	movl $0x1f00, DATA
	ldmxcsr DATA
	movq $0x7ff00001, %rax
	shl $32, %rax
	mov %rax, DATA + 16
	mov %rax, DATA + 24
	addpd DATA + 16, %xmm3
CASE "#MF at the next waiting instruction", vector=16
	fninit
	movw $0x37b, DATA
	fldcw DATA
	fldz
	fld1
	fdivp
	fdiv %st, %st(1)
	fnstsw %ax
	mov %rax, %rcx
	fldz
CASE "#MF before a fault of the operand", vector=16
	fninit
	movw $0x37b, DATA
	fldcw DATA
	fldz
	fld1
	fdiv %st(1), %st
	fldl END
CASE "#MF at an MMX instruction", vector=16
	fninit
	movw $0x37e, DATA
	fldcw DATA
	fldz
	fldz
	fdivp
	paddb %mm0, %mm1
CASE "#MF at fwait", vector=16
	fninit
	movw $0x37e, DATA
	fldcw DATA
	fldz
	fsqrt
	fchs
	fld1
	fchs
	fsqrt
	fwait
CASE "fnclex clears a pending exception"
	fninit
	movw $0x37e, DATA
	fldcw DATA
	fldz
	fldz
	fdivp
	fnclex
	fld1
CASE "no wait: fnstsw, fnstcw, fninit with an exception pending"
	fninit
	movw $0x37e, DATA
	fldcw DATA
	fldz
	fldz
	fdivp
	fnstsw %ax
	fnstcw DATA + 8
	fnstsw DATA + 16
	fninit
	fld1
CASE "fist of a value too large is masked to indefinite"
	fninit
	fldl2t
	fld1
	fscale
	movl $100, DATA
	fildl DATA
	fxch
	fscale
	fistl DATA + 16
	fistps DATA + 20
CASE "fcomi and fcmov"
	fninit
	fldz
	fld1
	fcomi %st(1)
	setc %al
	fcmovb %st(1), %st
	fucomip %st(1)
	setz %cl
CASE "fprem until it is done"
	fninit
	fldpi
	fldl2e
	fscale
	fld1
	fld %st(1)
1:	fprem
	fnstsw %ax
	test $4, %ah
	jnz 1b
CASE "fsin, fcos, fptan, fpatan, f2xm1, fyl2x"
	fninit
	fldpi
	fsin
	fldpi
	fsincos
	fptan
	fstp %st
	fpatan
	f2xm1
	fld1
	fyl2x
	fyl2xp1
CASE "fbstp and fbld"
	fninit
	movq $-123456789, DATA
	fildq DATA
	fbstp DATA + 16
	fbld DATA + 16
	fistpll DATA + 32
CASE "fldenv raises what the status word says", vector=16
	fninit
	fnstenv DATA
	movw $0x37e, DATA
	movw $0x8081, DATA + 4
	fldenv DATA
	fld1
CASE "fnsave resets, frstor restores"
	fninit
	fld1
	fldpi
	fnsave DATA
	fldz
	movq $0, DATA + 12
	movq $0, DATA + 20
	frstor DATA
CASE "fxsave and fxrstor"
	movdqa %xmm3, %xmm4
	fxsave DATA
	movq $0, DATA + 4
	movq $0, DATA + 8
	movq $0, DATA + 16
	movl $0, DATA + 28
	pxor %xmm3, %xmm3
	fninit
	fxrstor DATA
CASE "fxsave, unaligned", vector=GP
	fxsave DATA + 8
CASE "fxrstor, unaligned", vector=GP
	fxrstor DATA + 8
CASE "fxrstor with reserved bits in MXCSR", vector=GP
	fxsave DATA
	movl $0x10000, DATA + 24
	movl $0, DATA + 28
	fxrstor DATA
CASE "ldmxcsr with reserved bits", vector=GP
	movl $0x80000000, DATA
	ldmxcsr DATA
CASE "ldmxcsr, stmxcsr across a page"
	movl $0x9fc0, DATA + 4094
	ldmxcsr DATA + 4094
	stmxcsr DATA + 4093
CASE "fxsave across a page"
	fxsave DATA + 4096 - 256
	movq $0, DATA + 4096 - 256 + 4
	movq $0, DATA + 4096 - 256 + 8
	movq $0, DATA + 4096 - 256 + 16
	movl $0, DATA + 4096 - 256 + 28
CASE "fnsave across a page"
	fnsave DATA + 4096 - 50
	movq $0, DATA + 4096 - 50 + 12
	movq $0, DATA + 4096 - 50 + 20
CASE "frstor across a page"
	fninit
	fldpi
	fnsave DATA + 4096 - 51
	movq $0, DATA + 4096 - 51 + 12
	movq $0, DATA + 4096 - 51 + 20
	frstor DATA + 4096 - 51
CASE "fxrstor that runs off the end changes nothing", vector=PAGE, error=4, flags=INSN_ANY_BYTE
	movaps %xmm0, %xmm1
	fxrstor END - 256
CASE "fxsave into a read-only page", vector=PAGE, error=7, flags=INSN_ANY_BYTE
	fxsave RO
CASE "an unaligned SSE operand", vector=GP
	paddd DATA + 8, %xmm0
CASE "an unaligned movaps store", vector=GP
	movaps %xmm0, DATA + 1
CASE "an unaligned operand in an unmapped page is #GP", vector=GP
	movaps END + 8, %xmm0
CASE "pcmpistri takes an unaligned operand"
	pcmpistri $0x0c, DATA + 3, %xmm1
	setc %al
	pcmpestrm $0x41, DATA + 5, %xmm2
	seto %dl
CASE "maskmovdqu across a page"
	mov $DATA + 4096 - 8, %edi
	pcmpeqd %xmm1, %xmm1
	psrldq $8, %xmm1
	maskmovdqu %xmm1, %xmm0
CASE "maskmovq with a 32-bit address"
	movabs $0x900000000 + DATA, %rdi
	emms
	addr32 maskmovq %mm1, %mm0
CASE "denormals: DAZ and FTZ"
	movl $0x9fc0, DATA
	ldmxcsr DATA
	movl $1, DATA + 16
	movss DATA + 16, %xmm0
	addss %xmm0, %xmm0
	mulss %xmm0, %xmm1
	stmxcsr DATA + 4
CASE "conversion rounds as MXCSR says"
	movl $0x5f80, DATA
	ldmxcsr DATA
	movsd DATA + 64, %xmm0
	cvtsd2si %xmm0, %eax
	cvttsd2si %xmm0, %rcx
	cvtsd2si DATA + 64, %rdx
	cvtps2dq %xmm3, %xmm4
	roundsd $4, %xmm5, %xmm6
CASE "general registers in SSE instructions"
	cvtsi2sd %r15, %xmm0
	cvtsi2ss %ebx, %xmm1
	movd %r12d, %xmm2
	movq %rsp, %xmm3
	movq %xmm4, %r15
	movd %xmm5, %esi
	pinsrw $3, %r13d, %xmm6
	pinsrq $1, %rbp, %xmm7
	pextrw $5, %xmm8, %r12d
	pextrq $1, %xmm9, %rbx
	pextrb $7, %xmm10, %r14d
	pmovmskb %xmm11, %r13d
	movmskpd %xmm12, %ebp
	extractps $2, %xmm13, %r15d
	pmovmskb %mm3, %edi
CASE "movnti"
	movnti %rax, DATA + 3
	movnti %ecx, DATA + 64

/* ---- Not in x86-64-v2: the guest must not see the host's extensions ---- */

.macro BEYOND name:req
CASE "beyond v2: \name", flags=INSN_BACKEND_ONLY
.endm
BEYOND "VEX"
	vaddps %xmm0, %xmm1, %xmm2
BEYOND "VEX.256"
	vpaddb %ymm0, %ymm1, %ymm2
BEYOND "vzeroupper"
	vzeroupper
BEYOND "FMA"
	vfmadd132sd %xmm0, %xmm1, %xmm2
BEYOND "BMI1"
	andn %eax, %ecx, %edx
BEYOND "BMI2"
	rorx $3, %eax, %ecx
BEYOND "ADX"
	adcx %eax, %ecx
BEYOND "AES"
	aesenc %xmm0, %xmm1
BEYOND "PCLMULQDQ"
	pclmulqdq $0, %xmm0, %xmm1
BEYOND "SHA"
	sha1msg1 %xmm0, %xmm1
BEYOND "movbe"
	movbe DATA, %eax
BEYOND "movbe store"
	movbe %eax, DATA
BEYOND "rdrand"
	rdrand %eax
BEYOND "rdseed"
	rdseed %eax
BEYOND "SSE4a extrq"
	extrq $1, $2, %xmm0
BEYOND "SSE4a movntss"
	movntss %xmm0, DATA
BEYOND "xgetbv"
	xgetbv
BEYOND "xsave"
	xsave DATA
BEYOND "rdpid"
	rdpid %rax
BEYOND "clflushopt"
	clflushopt DATA
BEYOND "clwb"
	clwb DATA
BEYOND "3DNow!"
	femms
BEYOND "XOP"
	.byte 0x8f, 0xe8, 0x78, 0xc0, 0xc0, 0x01
BEYOND "EVEX"
	.byte 0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc0
CASE "beyond v2: lzcnt is bsr", vector=BP, flags=INSN_BACKEND_ONLY
	mov $0x10, %ecx
	lzcnt %ecx, %eax
	cmp $4, %eax
	jne 1f
	int3
1:	ud2
CASE "beyond v2: tzcnt is bsf", vector=BP, flags=INSN_BACKEND_ONLY
	xor %ecx, %ecx
	mov $0x1234, %eax
	tzcnt %ecx, %eax
	cmp $0x1234, %eax
	jne 1f
	int3
1:	ud2

CASES_END
