/* Architectural state of one vCPU, in one shape for every backend. */
#ifndef TM_STATE_H
#define TM_STATE_H

#include <stdint.h>

/* clang-format off */
enum x86_gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI,
               R8, R9, R10, R11, R12, R13, R14, R15 };
/* clang-format on */
enum x86_sreg { ES, CS, SS, DS, FS, GS, SREG_COUNT };

/* attr, as in the VMX access-rights word (SDM vol. 3C, 25.4.1):
 *
 *   16        15  14  13   12   11..8  7   6..5  4   3..0
 *   unusable   G  D/B  L   AVL    0    P   DPL   S   type
 */
struct x86_seg {
    uint64_t base;
    uint32_t limit; /* in bytes, granularity already applied */
    uint16_t sel;
    uint16_t pad;
    uint32_t attr;
};
#define SEG_TYPE(a) ((a)&15)
#define SEG_S 0x10u
#define SEG_DPL(a) (((a) >> 5) & 3)
#define SEG_P 0x80u
#define SEG_L 0x2000u
#define SEG_DB 0x4000u
#define SEG_G 0x8000u
#define SEG_UNUSABLE 0x10000u

struct x86_dtr {
    uint64_t base;
    uint16_t limit;
};

/* 64-bit FXSAVE image (SDM vol. 1, 10.5.1). */
struct x86_fx {
    uint16_t fcw, fsw;
    uint8_t ftw, rsvd;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16];
    uint8_t xmm[16][16];
    uint8_t pad[96];
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct x86_fx) == 512, "FXSAVE image");

struct x86_state {
    uint64_t gpr[16];
    uint64_t rip, rflags;
    struct x86_seg seg[SREG_COUNT], ldtr, tr;
    struct x86_dtr gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, cr8;
    uint64_t dr[8];
    uint64_t efer, star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, tsc_aux, apic_base, tsc_deadline;
    struct x86_fx fx;
    uint8_t halted;     /* HLT executed, waiting for an interrupt */
    uint8_t int_shadow; /* the STI or MOV SS window */
};

/* RFLAGS */
#define FL_CF 0x1ull
#define FL_PF 0x4ull
#define FL_AF 0x10ull
#define FL_ZF 0x40ull
#define FL_SF 0x80ull
#define FL_TF 0x100ull
#define FL_IF 0x200ull
#define FL_DF 0x400ull
#define FL_OF 0x800ull
#define FL_IOPL 0x3000ull
#define FL_NT 0x4000ull
#define FL_RF 0x10000ull
#define FL_VM 0x20000ull
#define FL_AC 0x40000ull
#define FL_ID 0x200000ull

/* Control registers and EFER */
#define CR0_PE 0x1ull
#define CR0_MP 0x2ull
#define CR0_EM 0x4ull
#define CR0_TS 0x8ull
#define CR0_ET 0x10ull
#define CR0_NE 0x20ull
#define CR0_WP 0x10000ull
#define CR0_AM 0x40000ull
#define CR0_NW 0x20000000ull
#define CR0_CD 0x40000000ull
#define CR0_PG 0x80000000ull
#define CR4_TSD 0x4ull
#define CR4_DE 0x8ull
#define CR4_PSE 0x10ull
#define CR4_PAE 0x20ull
#define CR4_MCE 0x40ull
#define CR4_PGE 0x80ull
#define CR4_PCE 0x100ull
#define CR4_OSFXSR 0x200ull
#define CR4_OSXMMEXCPT 0x400ull
#define CR4_UMIP 0x800ull
#define CR4_FSGSBASE 0x10000ull
#define CR4_PCIDE 0x20000ull
#define CR4_OSXSAVE 0x40000ull
#define CR4_SMEP 0x100000ull
#define CR4_SMAP 0x200000ull
#define EFER_SCE 0x1ull
#define EFER_LME 0x100ull
#define EFER_LMA 0x400ull
#define EFER_NXE 0x800ull

/* Exception vectors */
/* clang-format off */
enum x86_vector {
    VEC_DE = 0, VEC_DB = 1, VEC_NMI = 2, VEC_BP = 3, VEC_OF = 4, VEC_BR = 5,
    VEC_UD = 6, VEC_NM = 7, VEC_DF = 8, VEC_TS = 10, VEC_NP = 11, VEC_SS = 12,
    VEC_GP = 13, VEC_PF = 14, VEC_MF = 16, VEC_AC = 17, VEC_MC = 18, VEC_XM = 19
};
/* clang-format on */

/* Page-fault error code */
#define PF_P 1u  /* protection violation (else not present) */
#define PF_W 2u  /* write */
#define PF_U 4u  /* CPL 3 */
#define PF_R 8u  /* reserved bit */
#define PF_I 16u /* instruction fetch */

/* MSR numbers the guest machine knows */
#define MSR_TSC 0x10
#define MSR_APIC_BASE 0x1b
#define MSR_TSC_ADJUST 0x3b
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_MISC_ENABLE 0x1a0
#define MSR_PAT 0x277
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC 0x800 /* ..0x8ff */
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103

#endif
