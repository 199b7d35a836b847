/* The audit: sensitive instructions against what the manual says of them. */
#ifndef TM_MICROBENCH_AUDIT_H
#define TM_MICROBENCH_AUDIT_H

#include "../guest/kernel/api.h"
#include "../guest/kernel/layout.h"

/* Code that looks at its own interrupt frame: the #UD is recorded, then the
 * code goes on behind it. What a CPU or a VMM puts into the frame is the state
 * it really keeps, whatever PUSHF or MOV from CS say. */
#define AUDIT_CAPTURE "ud2\n .byte 0x54, 0x4d\n"
#define AUDIT_CAPTURE_BYTES 0x4d540b0fu

/* A test in one ring, while it is made. */
struct audit {
    int ring;
    uint64_t arg;    /* the code's RDI */
    uint64_t *data;  /* the code's RSI: eight words, zeros at first */
    int want_vector; /* the exception that the manual demands; -1: none */
    int vector;      /* which came */
    struct trapframe seen[2]; /* by AUDIT_CAPTURE */
    unsigned captures;
    unsigned interrupts; /* taken through AUDIT_GATE */
    uint64_t saved;      /* for prepare and undo */
    char want[160], got[160];
};

#define AUDIT_GATE 0x80 /* of DPL 0, like nearly all of the kernel's */

/* A word that AUDIT_SEL's segment shows at this offset. */
#define AUDIT_MAGIC_AT 56
#define AUDIT_MAGIC 0x7472617065646d6bull

struct audit_test {
    const char *insn;
    const char *group; /* "classic": Robin & Irvine's list, or "modern" */
    unsigned flags;    /* AUDIT_* */
    /* What ring 0 and ring 3 run: position-independent; see AUDIT_CODE. */
    const char *kernel, *kernel_end, *user, *user_end;
    /* Optional: sets arg, want_vector (-1 at first) and what the instruction is
     * to tell; why it can't, or NULL. */
    const char *(*prepare)(struct audit *a);
    /* Mandatory: audit_expect() or, where an exception was wanted and none
     * came, audit_observe(). Not called after an exception that came first. */
    void (*judge)(struct audit *a);
    /* Optional: undo prepare. */
    void (*undo)(struct audit *a);
};
#define AUDIT_LOW 1u      /* ring 0: at an address below 4 GiB */
#define AUDIT_VIA_USER 2u /* ring 0: in the hook of AUDIT_CAPTURE in ring 3 */
#define AUDIT_SYSRET 4u   /* ... which returns by SYSRET, else by IRET */

extern const struct audit_test audit_tests[];
extern const unsigned audit_test_count;

void audit_expect(struct audit *a, const char *label, uint64_t want,
                  uint64_t got);
void audit_observe(struct audit *a, const char *label, uint64_t got);

/* Runs op(arg) in ring 0; problem where it raised an exception, or NULL. */
const char *audit_try(void (*op)(void *), void *arg, const char *problem);

/* NAME_k and NAME_u: the two bodies, made ready to be called in ring 0 and by
 * user_call. They may use any register but RSI and RSP and jump to 99 to end.
 */
#define AUDIT_CODE(name, kernel_body, user_body)                               \
    extern const char name##_k[], name##_k_end[], name##_u[], name##_u_end[];  \
    __asm__(".pushsection .text.audit, \"ax\", @progbits\n" #name "_k:\n"      \
            "push %rbx\n push %rbp\n push %r12\n" kernel_body "\n"             \
            "99: pop %r12\n pop %rbp\n pop %rbx\n ret\n" #name                 \
            "_k_end:\n" #name "_u:\n" user_body "\n"                           \
            "99: mov $17, %eax\n syscall\n ud2\n" #name "_u_end:\n"            \
            ".popsection")
#define AUDIT_BOTH(name, body) AUDIT_CODE(name, body, body)
#define AUDIT_RUN(name) name##_k, name##_k_end, name##_u, name##_u_end

#endif
