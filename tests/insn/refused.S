/* Cases of what user mode, 64-bit mode or x86-64-v2 refuse. */
#include "case.inc"

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
