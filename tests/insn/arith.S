/* Cases of multiplication, division, shift counts and bit offsets. */
#include "case.inc"

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

CASES_END
