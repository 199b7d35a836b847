/* Measuring loops that run in ring 3, for user_call(). */
#ifndef TM_MICROBENCH_USER_LOOP_H
#define TM_MICROBENCH_USER_LOOP_H

#include "../guest/kernel/api.h"

_Static_assert(SYS_null == 0 && SYS_bench_return == 17,
               "the loops name the system calls");

/* The snippet [name, name_end) runs `body` rdi times at CPL 3, then returns to
 * the caller of user_call(). The body must keep rbx; rsi is the address of a
 * writable page. Position-independent; keeps the alignment that ASM_LOOP()
 * explains, because user_call() copies it to the begin of a page. */
#define USER_LOOP(name, body) USER_LOOP_AROUND(name, "", body, "")
/* The same with code that runs once, before and after the loop. */
#define USER_LOOP_AROUND(name, before, body, after)                            \
    extern const char name[], name##_end[];                                    \
    __asm__(".pushsection .text." #name ",\"ax\",@progbits\n"                  \
            ".p2align 6\n" #name ":\n"                                         \
            "mov %rdi, %rbx\n" before "\n"                                     \
            "test %rbx, %rbx\n"                                                \
            "jz 9f\n"                                                          \
            ".p2align 6\n"                                                     \
            "8:\n" body "\n"                                                   \
            "dec %rbx\n"                                                       \
            "jnz 8b\n"                                                         \
            "9:\n" after "\n"                                                  \
            "mov $17, %eax\n"                                                  \
            "syscall\n"                                                        \
            "ud2\n" #name "_end:\n"                                            \
            ".popsection")

/* Makes one system call, which also allocates user_call()'s pages; why there is
 * nothing to measure, or NULL. */
static inline const char *user_loop_refuse(const void *code, const void *end)
{
    user_call(code, end, 1);
    if (!syscall_reaches_ring0())
        return "SYSCALL does not enter ring 0 here; the kernel finishes it in "
               "#PF";
    return NULL;
}

#endif
