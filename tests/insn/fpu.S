/* SSE and x87 cases: exceptions, control bits, long operands. */
#include "case.inc"

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

/* ---- The x87 pointers ---- */

/* CPUs differ in when they forget them, and process switches make them do so:
 * the backend must do as the manual says. */
CASE "fnstenv shows the last x87 instruction", vector=BP, flags=INSN_BACKEND_ONLY
	fninit
1:	fldl DATA + 64
	fnstcw DATA + 128
	fnstenv DATA
	lea 1b(%rip), %eax
	cmp %eax, DATA + 12
	jne 2f
	cmpl $0x5040000, DATA + 16
	jne 2f
	cmpl $DATA + 64, DATA + 20
	jne 2f
	int3
2:	ud2
CASE "fxsave64 shows the last x87 instruction", vector=BP, flags=INSN_BACKEND_ONLY
	fninit
	flds DATA + 80
1:	fchs
	fxsave64 DATA
	lea 1b(%rip), %rax
	cmp %rax, DATA + 8
	jne 2f
	cmpw $0x1e0, DATA + 6
	jne 2f
	cmpq $DATA + 80, DATA + 16
	jne 2f
	cmpl $0xffff, DATA + 28
	jne 2f
	int3
2:	ud2
CASE "fldenv loads the pointers, fnsave and fninit clear them", vector=BP, flags=INSN_BACKEND_ONLY
	fninit
	fnstenv DATA
	cmpl $0, DATA + 12
	jne 2f
	movl $0x12345678, DATA + 12
	movl $0x1230000, DATA + 16
	movl $0x9abcdef0, DATA + 20
	fldenv DATA
	fnsave DATA + 64
	cmpl $0x12345678, DATA + 64 + 12
	jne 2f
	cmpl $0x1230000, DATA + 64 + 16
	jne 2f
	cmpl $0x9abcdef0, DATA + 64 + 20
	jne 2f
	fnstenv DATA
	cmpq $0, DATA + 12
	jne 2f
	int3
2:	ud2

CASES_END
