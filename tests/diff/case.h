/* One piece of user code with its inputs, and what became of it on a CPU. */
#ifndef TM_DIFF_CASE_H
#define TM_DIFF_CASE_H

#include "backends/backend.h"

#include <stdio.h>

/* Where cases live, on the bare CPU and in the guest alike. All around is
 * unmapped, for more than any generated address can stray.
 *
 *   CASE_CODE   r-x  CASE_SLOTS slots, one a case
 *   CASE_DATA   rw-  two pages, then one page r--
 *   CASE_STACK  rw-  one page
 *
 * Cases for the interpreter's judgement also have
 *
 *   CASE_ALIAS  rw-  the slots
 *   CASE_TABLES rw-  the page tables
 */
#define CASE_CODE 0x10000000ull
#define CASE_SLOT 2048u
#define CASE_SLOTS 1024u
#define CASE_DATA 0x20000000ull
#define CASE_RW_SIZE 0x2000u
#define CASE_RO_SIZE 0x1000u
#define CASE_STACK 0x30000000ull
#define CASE_STK_SIZE 0x1000u
#define CASE_ALIAS 0x38000000ull
#define CASE_TABLES 0x3c000000ull
#define CASE_DATA_PTE (CASE_TABLES + 4 * 4096) /* of CASE_DATA's first page */
#define CASE_GS_BASE 0x1000ull /* FS base is the host's TLS: not for cases */

/* RFLAGS a case may begin with; the CPU adds IF and bit 1. */
#define CASE_FLAGS (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF | FL_DF)
#define STATUS_FLAGS (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF)

struct case_memory {
    uint8_t data[CASE_RW_SIZE];
    uint8_t stack[CASE_STK_SIZE];
};

/* Where a case runs. */
enum case_ring {
    CASE_RING3,  /* as a Linux process does */
    CASE_RING0,  /* guest_run() only, as is: */
    CASE_CHANGES /* in ring 3, with the alias and an FS base */
};
#define CASE_FS_BASE 0x800ull

/* Runs from the start of its slot until the first exception; the code ends
 * with ud2 for that purpose. */
struct case_input {
    uint64_t gpr[16], rflags;
    struct x86_fx fx; /* fcw, fsw, ftw, mxcsr, st, xmm */
    struct case_memory mem;
    uint8_t code[CASE_SLOT];
    uint32_t code_len;
    enum case_ring ring;
};

struct case_output {
    uint64_t gpr[16], rip, rflags;
    struct x86_fx fx;
    int vector;
    uint32_t error;   /* 0 for vectors without an error code */
    uint64_t cr2;     /* #PF only */
    uint64_t retired; /* backend only */
    uint64_t units;   /* that a translator translated */
    struct case_memory mem;
};

static inline uint64_t case_rip(unsigned slot)
{
    return CASE_CODE + (uint64_t)slot * CASE_SLOT;
}

/* Contents of the read-only page: the same for all cases. */
void case_fill_ro(uint8_t ro[CASE_RO_SIZE]);

/* Run cases first..first + n - 1 of in[] in their slots (first + n at most
 * CASE_SLOTS) and fill out[] likewise. 0, or negative errno with why. */

/* On the bare CPU, in a forked child. out must be memory shared with it
 * (case_alloc). -EFAULT: a case killed the child; why says which. */
int native_run(const struct case_input *in, struct case_output *out,
               unsigned first, unsigned n, char why[REASON_MAX]);

/* Options and paging policy for guest_run()'s backend, or NULL. */
extern const char *guest_options, *guest_paging;

/* On a backend, in a bare machine of its own. A case the backend cannot finish
 * gets vector -1 and the others still run; why then has the last reason. chunk:
 * leave run() after so many instructions and come back; 0: don't. */
int guest_run(const struct backend *backend, unsigned chunk,
              const struct case_input *in, struct case_output *out,
              unsigned first, unsigned n, char why[REASON_MAX]);

/* Shared, zeroed memory, freed by munmap; NULL: none. */
void *case_alloc(size_t size);

/* What the architecture leaves open. */
struct case_open {
    uint64_t undefined; /* status flags */
    bool which_byte;    /* of its operand a #PF blames: long operands */
    bool which_operand; /* of two that both fault: CMPS */
};

/* Whether both outcomes are the same but for what is open. If not and out isn't
 * NULL, prints the differences there, one a line: a is called "cpu", b by its
 * name. */
bool case_equal(const struct case_output *a, const struct case_output *b,
                const struct case_open *open, const char *b_name, FILE *out);

/* Disassembly of a case's code, one instruction a line. */
void case_print_code(const uint8_t *code, size_t len, uint64_t rip, FILE *out);

#endif
