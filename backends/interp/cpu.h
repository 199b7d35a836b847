/* The interpreter's vCPU, its decoded instruction and its basic block. */
#ifndef TM_INTERP_CPU_H
#define TM_INTERP_CPU_H

#include "../backend.h"
#include "../x86/flags.h"
#include "step.h"
#include "tlb.h"
#include "x87_last.h"

/*
 * The guest's x87, MMX and SSE registers are the host's while guest code runs,
 * so every file that handlers live in is compiled with -mgeneral-regs-only, and
 * every call into code that isn't is bracketed by fx_leave() (fx.h).
 */

#define BLOCK_MAX 64 /* instructions in a block, at most */

struct icpu;
struct insn;

/* A handler executes i and tail-calls the next instruction's handler, or returns
 * to the run loop with c->rip and c->budget brought up to date. */
typedef void insn_fn(struct icpu *c, const struct insn *i);

/* One decoded instruction. Register operands are byte offsets into icpu.gpr, so
 * that AH..BH are an offset like any other; a missing base or index points at
 * gpr[ZERO_REG], which is always 0. RIP-relative displacements are resolved:
 * blocks are found by virtual and physical address. */
struct insn {
    insn_fn *fn;
    int64_t imm;  /* immediate; branches: struct block of the target, or 0 */
    int64_t disp; /* displacement; branches: target RIP */
    uint8_t reg, rm;
    uint8_t base, index;
    uint8_t scale; /* log2 */
    uint8_t seg;   /* enum x86_sreg | EA_* */
    uint8_t len;
    uint8_t idx; /* position in the block */
};
_Static_assert(sizeof(struct insn) == 32, "four words, half a cache line");

#define EA_SEG 7u     /* mask of the segment number */
#define EA_ADDR32 8u  /* the offset is truncated to 32 bits */
#define EA_BASE 0x10u /* FS or GS: the segment has a base */
#define ZERO_REG 16

#define BLOCK_XPAGE 1u  /* one instruction that lies in two pages */
#define BLOCK_SINGLE 2u /* decoded one instruction long on purpose */
#define BLOCK_STALE 4u  /* its bytes have changed; never entered again */

struct block {
    uint64_t rip;
    const uint8_t *host;     /* its first byte in guest RAM */
    const uint8_t *host2;    /* BLOCK_XPAGE: start of the second page */
    struct block *page_next; /* other blocks of this physical page */
    struct block *hash_next;
    uint16_t n; /* instructions */
    uint16_t bytes;
    uint32_t flags;
    uint8_t raw[16]; /* BLOCK_SINGLE: the instruction, for steppers */
    struct insn insn[];
};
_Static_assert(sizeof(struct block) == 64, "insn[] is cache line aligned");

#define JC_SIZE 4096 /* jump cache: RIP to block */
#define HASH_SIZE 32768

/* What the instruction in progress raised, if anything. */
struct pending {
    uint8_t vector;
    bool valid, has_error;
    bool trap;    /* rip is already behind the instruction */
    uint8_t soft; /* INT3, INT 3: its length; the gate's DPL counts */
    uint32_t error;
};

struct icpu {
    struct vm vm;
    uint64_t gpr[ZERO_REG + 1];
    /* Arithmetic flags, as `seto %al; lahf` leaves them in AX (x86/flags.h);
     * rflags holds the others. */
    uint16_t fl;
    uint64_t rflags;
    uint64_t rip; /* valid outside handlers */
    /* Instructions until the handlers come back to the run loop; they leave a
     * block with what it executed subtracted. */
    int64_t budget;
    int64_t budget_start;
    struct tlb_entry *tlb; /* of the current privilege */
    struct block **jc;
    uint64_t seg_base[8]; /* FS and GS; the others stay 0 */
    uint8_t cpl;
    bool fx_live;  /* guest FPU state is in the host's registers */
    bool fx_ready; /* live, allowed, and all SSE exceptions masked */
    bool no_fpu;   /* CR0.EM, CR0.TS, CR4.OSFXSR: thunks must check */
    bool shadow;   /* the STI or MOV SS window */
    bool shadow_ss;
    bool leave;    /* the run loop must return exit_kind */
    bool single;   /* decode one instruction a block */
    bool ac_check; /* CR0.AM, RFLAGS.AC, CPL 3: unaligned data is #AC */
    enum exit_kind exit_kind;
    struct pending pending;

    struct x86_seg seg[SREG_COUNT], ldtr, tr;
    struct x86_dtr gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, dr[8];
    uint64_t efer, star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, tsc_aux, misc_enable, tsc_offset;
    uint64_t apic_base, tsc_deadline; /* as set_state gave them */
    bool halted;
    uint64_t retired_base; /* vm.retired when budget was budget_start */
    uint64_t counted;      /* of vm.retired, in EV_INSN_RETIRED */
    uint64_t user_mark;    /* vm.retired at the last change of CPL */
    struct x86_fx fx;      /* when !fx_live; but its pointers are here: */
    struct x87_last x87;
    uint32_t host_mxcsr;

    /* Writes that cannot go straight to RAM. */
    uint8_t bounce[512] __attribute__((aligned(64)));
    gpa_t wb_gpa[2];
    unsigned wb_len[2];

    struct tlb tlbs[3]; /* supervisor, user, and one that never hits */

    struct block **hash;
    struct block **page_blocks; /* by guest page number */
    uint64_t *code_map;    /* by guest page number: 64-byte lines with code */
    struct block *xblocks; /* BLOCK_XPAGE, by page_next */
    unsigned flushes;      /* of the whole block cache */
    uint8_t *arena;
    size_t arena_used, arena_size;
    /* For steppers: the RAM that instructions write, in order; every write then
     * takes the slow path. */
    struct interp_write *log;
    unsigned logged;
    uint8_t flushed; /* enum interp_flush, since the stepper began */
    gva_t flushed_page;
    const char *failed; /* EXIT_EMULATION: why */
    uint8_t failed_len;
    struct paging *paging; /* NULL: the plain software TLB */
};

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

static inline const struct block *insn_block(const struct insn *i)
{
    return (const struct block *)((const char *)(i - i->idx) -
                                  offsetof(struct block, insn));
}

#endif
