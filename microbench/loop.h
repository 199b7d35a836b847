/* Hand-shaped measuring loops: an operation and its control, written so that
 * the two differ by that operation alone. */
#ifndef TM_MICROBENCH_LOOP_H
#define TM_MICROBENCH_LOOP_H

#include "../guest/kernel/api.h"
#include "../guest/lib/bench.h"
#include "../guest/lib/x86.h"

/* A function that runs `body` rdi times; `before` and `after` run once, around
 * the loop. It is an ordinary C function to its callers: the strings may use
 * rax, rcx, rdx, rsi, r8-r11 freely, must restore anything else, and must leave
 * rdi alone. A second argument arrives in rsi.
 *
 * The loop begins on a cache line of its own: two loops that differ in one
 * instruction then also agree in how the front end fetches them. The symbol is
 * local to the object file. */
#define ASM_LOOP(name, before, body, after)                                    \
    __asm__(".pushsection .text." #name ",\"ax\",@progbits\n"                  \
            ".p2align 6\n"                                                     \
            ".type " #name ", @function\n" #name ":\n"                         \
            "test %rdi, %rdi\n"                                                \
            "jz 9f\n" before "\n"                                              \
            ".p2align 6\n"                                                     \
            "8:\n" body "\n"                                                   \
            "dec %rdi\n"                                                       \
            "jnz 8b\n" after "\n"                                              \
            "9: ret\n"                                                         \
            ".size " #name ", . - " #name "\n"                                 \
            ".popsection")

/* NAME_kernel(n) runs `common` and then `op`; NAME_control(n) only `common`. */
#define OP_LOOPS(name, before, common, op, after)                              \
    void name##_kernel(uint64_t n);                                            \
    void name##_control(uint64_t n);                                           \
    ASM_LOOP(name##_kernel, before, common "\n" op, after);                    \
    ASM_LOOP(name##_control, before, common, after)

/* The same for operations on an address: NAME_op(n, arg), NAME_bare(n, arg). */
#define OP_LOOPS_ARG(name, before, common, op, after)                          \
    void name##_op(uint64_t n, volatile void *arg);                            \
    void name##_bare(uint64_t n, volatile void *arg);                          \
    ASM_LOOP(name##_op, before, common "\n" op, after);                        \
    ASM_LOOP(name##_bare, before, common, after)

#endif
