/* Kernel-mode cases: what the manuals say, since a process cannot see it. */
#include "case.inc"

#define NM 7
#define CR0_MP 2
#define CR0_EM 4
#define CR0_TS 8
#define CR0_WP 0x10000

/* Ends with int3 unless it says how. */
.macro KERNEL name:req, vector=BP, error=0
CASE "ring 0: \name", vector=\vector, error=\error, flags=INSN_RING0
.endm
/* The comparison before must have been equal. */
.macro CHECK
	je 9f
	ud2
9:
.endm
.macro SET_CR0 bits
	mov %cr0, %rax
	or $\bits, %rax
	mov %rax, %cr0
.endm
.macro CLEAR_CR0 bits
	mov %cr0, %rax
	and $~\bits, %rax
	mov %rax, %cr0
.endm

/* ---- Control registers ---- */

KERNEL "cr0 reads back, ET stays set"
	mov %cr0, %rax
	mov %rax, %rcx
	and $~0x10, %rcx
	mov %rcx, %cr0
	mov %cr0, %rdx
	cmp %rax, %rdx
	CHECK
	int3
KERNEL "cr0 with a bit above 31", vector=GP
	mov %cr0, %rax
	bts $32, %rax
	mov %rax, %cr0
KERNEL "cr0 with PG but not PE", vector=GP
	CLEAR_CR0 1
KERNEL "cr0 with NW but not CD", vector=GP
	SET_CR0 0x20000000
KERNEL "cr0 with PG cleared in 64-bit mode", vector=GP
	mov %cr0, %rax
	btr $31, %rax
	mov %rax, %cr0
KERNEL "cr4 with PAE cleared in long mode", vector=GP
	mov %cr4, %rax
	btr $5, %rax
	mov %rax, %cr4
KERNEL "cr4 with a reserved bit", vector=GP
	mov %cr4, %rax
	bts $31, %rax
	mov %rax, %cr4
KERNEL "cr3 with a bit beyond physical addresses", vector=GP
	mov %cr3, %rax
	bts $60, %rax
	mov %rax, %cr3
KERNEL "cr3 reads back"
	mov %cr3, %rax
	mov %rax, %cr3
	mov %cr3, %rcx
	cmp %rax, %rcx
	CHECK
	int3
KERNEL "cr2 reads back"
	movabs $0x123456789abcdef0, %rax
	mov %rax, %cr2
	mov %cr2, %rcx
	cmp %rax, %rcx
	CHECK
	int3
KERNEL "cr8 takes four bits", vector=GP
	mov $16, %eax
	mov %rax, %cr8
KERNEL "cr1", vector=UD
	.byte 0x0f, 0x20, 0xc8
KERNEL "clts, smsw, lmsw"
	SET_CR0 CR0_TS
	clts
	mov %cr0, %rax
	test $CR0_TS, %al
	sete %cl
	cmp $1, %cl
	CHECK
	mov $CR0_TS, %ecx
	lmsw %cx
	smsw %rax
	mov %cr0, %rdx
	cmp %rax, %rdx
	CHECK
	and $0xf, %eax
	cmp $9, %eax
	CHECK
	int3

/* ---- Debug registers ---- */

KERNEL "dr0 to dr3 read back"
	movabs $0x7fff12345678, %rax
	mov %rax, %db3
	mov %db3, %rcx
	cmp %rax, %rcx
	CHECK
	int3
KERNEL "dr6 and dr7 have fixed bits"
	xor %eax, %eax
	mov %rax, %db6
	mov %rax, %db7
	mov %db6, %rcx
	mov %db7, %rdx
	mov $0xffff0ff0, %eax
	cmp %rax, %rcx
	CHECK
	cmp $0x400, %rdx
	CHECK
	int3
KERNEL "dr7 with an upper bit", vector=GP
	mov $1, %eax
	shl $32, %rax
	mov %rax, %db7
KERNEL "dr4 is dr6 without CR4.DE"
	.byte 0x0f, 0x21, 0xe1
	mov %db6, %rax
	cmp %rax, %rcx
	CHECK
	int3
KERNEL "dr4 with CR4.DE", vector=UD
	mov %cr4, %rax
	or $8, %rax
	mov %rax, %cr4
	.byte 0x0f, 0x21, 0xe1

/* ---- Model-specific registers ---- */

.macro WRITE_MSR msr, value
	mov $\msr, %ecx
	movabs $\value, %rax
	mov %rax, %rdx
	shr $32, %rdx
	wrmsr
.endm
.macro READ_MSR msr
	mov $\msr, %ecx
	mov $-1, %rax
	mov $-1, %rdx
	rdmsr
	shl $32, %rdx
	or %rdx, %rax
.endm
.irp msr, 0xc0000082, 0xc0000083, 0xc0000101, 0xc0000102, 0x175, 0x176
KERNEL "msr \msr reads back"
	WRITE_MSR \msr, 0x123456789000
	READ_MSR \msr
	movabs $0x123456789000, %rdx
	cmp %rax, %rdx
	CHECK
	int3
KERNEL "msr \msr takes canonical addresses only", vector=GP
	WRITE_MSR \msr, 0x800000000000
.endr
KERNEL "fs base reaches memory"
	WRITE_MSR 0xc0000100, DATA
	movq $77, DATA + 8
	cmpq $77, %fs:8
	CHECK
	int3
KERNEL "swapgs"
	WRITE_MSR 0xc0000101, DATA
	WRITE_MSR 0xc0000102, DATA + 64
	movq $1, DATA
	movq $2, DATA + 64
	swapgs
	cmpq $2, %gs:0
	CHECK
	swapgs
	cmpq $1, %gs:0
	CHECK
	int3
KERNEL "an unknown msr, read", vector=GP
	READ_MSR 0x12345678
KERNEL "an unknown msr, written", vector=GP
	WRITE_MSR 0x12345678, 0
KERNEL "efer with a reserved bit", vector=GP
	READ_MSR 0xc0000080
	bts $2, %rax
	wrmsr
KERNEL "efer with LME cleared while paging", vector=GP
	READ_MSR 0xc0000080
	xor %edx, %edx
	btr $8, %rax
	wrmsr
KERNEL "pat with a reserved type", vector=GP
	WRITE_MSR 0x277, 0x0007040600070402

/* ---- The FPU switched off ---- */

KERNEL "x87 with TS", vector=NM
	SET_CR0 CR0_TS
	fld1
KERNEL "x87 with EM", vector=NM
	SET_CR0 CR0_EM
	fld1
KERNEL "MMX with TS", vector=NM
	SET_CR0 CR0_TS
	paddb %mm0, %mm1
KERNEL "MMX with EM", vector=UD
	SET_CR0 CR0_EM
	paddb %mm0, %mm1
KERNEL "SSE with TS", vector=NM
	SET_CR0 CR0_TS
	addps %xmm0, %xmm1
KERNEL "SSE with EM and TS", vector=UD
	SET_CR0 (CR0_EM|CR0_TS)
	addps %xmm0, %xmm1
KERNEL "SSE without OSFXSR", vector=UD
	mov %cr4, %rax
	btr $9, %rax
	mov %rax, %cr4
	addps %xmm0, %xmm1
KERNEL "fwait with TS and MP", vector=NM
	SET_CR0 (CR0_TS|CR0_MP)
	fwait
KERNEL "fwait with TS alone"
	SET_CR0 CR0_TS
	CLEAR_CR0 CR0_MP
	fwait
	int3
KERNEL "fxsave with TS", vector=NM
	SET_CR0 CR0_TS
	fxsave DATA
KERNEL "an SSE exception without OSXMMEXCPT", vector=UD
	mov %cr4, %rax
	btr $10, %rax
	mov %rax, %cr4
	movl $0x1d00, DATA
	ldmxcsr DATA
	xorps %xmm0, %xmm0
	divps %xmm0, %xmm0
KERNEL "movnti and prefetch don't mind"
	SET_CR0 (CR0_EM|CR0_TS)
	movnti %rax, DATA
	prefetcht0 DATA
	lfence
	cmp %rax, DATA
	CHECK
	int3

/* ---- Paging ---- */

KERNEL "a store to a read-only page with WP", vector=PAGE, error=3
	movb $1, RO
KERNEL "a store to a read-only page without WP"
	mov RO, %bl
	CLEAR_CR0 CR0_WP
	movb $1, RO
	cmpb $1, RO
	mov %bl, RO
	CHECK
	int3
KERNEL "a load from an unmapped page", vector=PAGE, error=0
	mov END, %eax
KERNEL "execution of a no-execute page", vector=PAGE, error=0x11
	mov $DATA, %eax
	jmp *%rax
KERNEL "SMEP: execution of a user page", vector=PAGE, error=0x11
	mov %cr4, %rax
	bts $20, %rax
	mov %rax, %cr4
	nop
KERNEL "SMAP: a load from a user page", vector=PAGE, error=1
	mov %cr4, %rax
	bts $21, %rax
	mov %rax, %cr4
	clac
	mov DATA, %eax
KERNEL "invlpg never faults"
	invlpg END
	movabs $0x123456789abcdef0, %rax
	invlpg (%rax)
	int3

/* ---- Code that changes itself (the code pages are read-only) ---- */

KERNEL "a store changes the next instruction"
	CLEAR_CR0 CR0_WP
	movb $7, 1f + 1(%rip)
1:	mov $1, %eax
	cmp $7, %eax
	CHECK
	int3
KERNEL "a store changes code that has run before"
	CLEAR_CR0 CR0_WP
	xor %ecx, %ecx
1:	mov $1, %edx
	add %edx, %ecx
	cmp $8, %ecx
	jae 2f
	movb $7, 1b + 1(%rip)
	jmp 1b
2:	cmp $8, %ecx
	CHECK
	int3
KERNEL "each round of a loop changes its own code"
	CLEAR_CR0 CR0_WP
	xor %ecx, %ecx
	mov $10, %edx
1:	add $1, %ecx
	incb 1b + 2(%rip)
	dec %edx
	jnz 1b
	cmp $55, %ecx
	CHECK
	int3
KERNEL "rep movsb replaces code"
	CLEAR_CR0 CR0_WP
	cld
	lea 3f(%rip), %rsi
	lea 1f(%rip), %rdi
	mov $2, %ecx
	rep movsb
1:	jmp 2f
	int3
2:	ud2
3:	nop
	nop
KERNEL "an SSE store replaces code that has run before"
	CLEAR_CR0 CR0_WP
	movups 3f(%rip), %xmm1
1:	jmp 2f
	int3
	.skip 16, 0x90
2:	movups %xmm1, 1b(%rip)
	jmp 1b
3:	nop
	nop
	int3
	.skip 13, 0x90
KERNEL "a locked exchange changes the next instruction"
	CLEAR_CR0 CR0_WP
	mov $7, %al
	xchg %al, 1f + 1(%rip)
1:	mov $1, %ecx
	cmp $7, %ecx
	CHECK
	int3
KERNEL "push changes the next instruction"
	CLEAR_CR0 CR0_WP
	lea 1f + 8(%rip), %rsp
	mov $0xcc, %ecx /* int3 */
	push %rcx
1:	ud2
	.skip 6, 0x90

/* ---- Interrupt flag, segments, tables ---- */

KERNEL "popf changes IF and IOPL"
	push $0x3002
	popf
	pushf
	pop %rax
	cmp $0x3002, %rax
	CHECK
	cli
	sti
	pushf
	pop %rax
	cmp $0x3246, %rax /* with ZF and PF of CHECK */
	CHECK
	int3
KERNEL "popfw"
	pushw $0x0ad7
	popfw
	pushf
	pop %rax
	and $0xffd, %eax
	cmp $0xad5, %eax
	CHECK
	int3
KERNEL "a null selector in ss is fine at CPL 0"
	xor %eax, %eax
	mov %eax, %ss
	push %rax
	int3
KERNEL "a null selector in fs clears no flag"
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %ds
	mov DATA, %rcx
	int3
KERNEL "ltr with a null selector", vector=GP
	xor %eax, %eax
	ltr %ax
KERNEL "lldt with a null selector"
	xor %eax, %eax
	lldt %ax
	sldt %ecx
	cmp $0, %ecx
	CHECK
	int3
KERNEL "lgdt and sgdt"
	movw $0x27, DATA
	movq $DATA + 256, DATA + 2
	lgdt DATA
	sgdt DATA + 64
	mov DATA, %rax
	cmp DATA + 64, %rax
	CHECK
	int3
KERNEL "lidt and sidt"
	movw $0xfff, DATA
	movq $DATA + 256, DATA + 2
	lidt DATA
	sidt DATA + 64
	mov DATA + 2, %rax
	cmp DATA + 66, %rax
	CHECK
	int3
KERNEL "lgdt with a non-canonical base", vector=GP
	movw $0x27, DATA
	movabs $0x900000000000, %rax
	mov %rax, DATA + 2
	lgdt DATA
KERNEL "a data segment from a GDT"
	movw $0x17, DATA
	movq $DATA + 256, DATA + 2
	lgdt DATA
	movq $0, DATA + 256
	movabs $0x00cf93000000ffff, %rax
	mov %rax, DATA + 264
	movabs $0x00cf13000000ffff, %rax
	mov %rax, DATA + 272
	mov $8, %eax
	mov %eax, %es
	mov %es, %ecx
	cmp $8, %ecx
	CHECK
	lsl %ax, %edx
	cmp $-1, %edx
	CHECK
	int3
KERNEL "a data segment that isn't present", vector=11, error=0x10
	movw $0x17, DATA
	movq $DATA + 256, DATA + 2
	lgdt DATA
	movabs $0x00cf13000000ffff, %rax
	mov %rax, DATA + 272
	mov $0x10, %eax
	mov %eax, %es
KERNEL "system instructions run"
	wbinvd
	invd
	swapgs
	swapgs
	int3
KERNEL "ports with nobody home"
	mov $0x1234, %edx
	in %dx, %al
	cmp $0xff, %al
	CHECK
	in %dx, %eax
	cmp $-1, %eax
	CHECK
	out %eax, %dx
	int3

/* ---- System calls and returns ---- */

KERNEL "syscall and sysret"
	lea 1f(%rip), %rax
	mov %rax, %rdx
	shr $32, %rdx
	mov $0xc0000082, %ecx
	wrmsr
	WRITE_MSR 0xc0000081, 0x0020001000000000
	WRITE_MSR 0xc0000084, 0x200
	lea 2f(%rip), %r8
	push $0x202
	popf
	syscall
2:	ud2
1:	cmp %rcx, %r8
	CHECK
	test $0x200, %r11d
	setnz %al
	cmp $1, %al
	CHECK
	pushf
	pop %rax
	test $0x200, %eax
	setz %al
	cmp $1, %al
	CHECK
	lea 3f(%rip), %rcx
	mov $0x246, %r11d
	sysretq
	ud2
3:	mov %cs, %eax
	cmp $0x33, %eax
	CHECK
	mov %ss, %eax
	cmp $0x2b, %eax
	CHECK
	int3
KERNEL "syscall without SCE", vector=UD
	READ_MSR 0xc0000080
	xor %edx, %edx
	btr $0, %rax
	wrmsr
	syscall
KERNEL "sysret to a non-canonical address", vector=GP
	WRITE_MSR 0xc0000081, 0x0020001000000000
	movabs $0x800000000000, %rcx
	mov $2, %r11d
	sysretq

/* ---- What CPUID offers: x86-64-v2 ---- */

KERNEL "cpuid leaf 1"
	mov $1, %eax
	cpuid
	mov %ecx, %eax
	and $0x00982201, %eax
	cmp $0x00982201, %eax /* SSE3, SSSE3, CX16, SSE4.1, SSE4.2, POPCNT */
	CHECK
	and $0x7e401002, %ecx /* MOVBE, AES, XSAVE.., AVX, F16C, RDRAND, FMA, CLMUL */
	cmp $0, %ecx
	CHECK
	and $0x07808131, %edx
	cmp $0x07808131, %edx /* FPU, TSC, MSR, CX8, CMOV, MMX, FXSR, SSE, SSE2 */
	CHECK
	int3
KERNEL "cpuid leaf 7 has no BMI, AVX2, ADX, SHA"
	xor %eax, %eax
	cpuid
	cmp $7, %eax
	jb 1f
	mov $7, %eax
	xor %ecx, %ecx
	cpuid
	and $0x200c0128, %ebx
	cmp $0, %ebx
	CHECK
1:	int3
KERNEL "cpuid leaf 0x80000001"
	mov $0x80000001, %eax
	cpuid
	and $1, %ecx /* LAHF in 64-bit mode */
	cmp $1, %ecx
	CHECK
	and $0x20100800, %edx /* long mode, NX, SYSCALL */
	cmp $0x20100800, %edx
	CHECK
	int3

CASES_END
