/* Guest code at CPL 0 in a bare machine, for the tests of the translator. */
#ifndef TM_TESTS_BT_FIXTURE_H
#define TM_TESTS_BT_FIXTURE_H

#include "backends/machine/machine.h"

#include <string.h>

#define RAM_SIZE (8ull << 20)
#define TABLES 0x10000u
#define CODE 0x200000u
#define KERNEL 0x2f0000u /* a HLT, where SYSCALL goes */
#define DATA 0x300000u
#define STACK 0x400000u
#define SPAN 0x10000u /* of data and of stack that is compared */

extern const struct backend backend_interp, backend_bt;

/* Guest code, which ends with HLT at CPL 0, with SYSCALL at CPL 3. RBX points
 * to data. */
#define GUEST(name, text)                                                      \
    extern const uint8_t guest_##name[], guest_##name##_end[];                 \
    __asm__(".pushsection .rodata\nguest_" #name ":\n" text                    \
            "\nhlt\nguest_" #name "_end:\n.popsection\n")
#define GUEST_LEN(name) ((size_t)(guest_##name##_end - guest_##name))

/* The code into RAM, and the state that it begins with at that CPL into s. */
static inline void bt_load_guest(struct machine *m, struct x86_state *s,
                                 const uint8_t *code, size_t len, int cpl)
{
    struct vm *vm = machine_vm(m);

    machine_long_mode(m, s, TABLES, cpl);
    memcpy(ram_ptr(vm->ram, CODE, len), code, len);
    *(uint8_t *)ram_ptr(vm->ram, KERNEL, 1) = 0xf4;
    s->lstar = KERNEL;
    s->star = 8ull << 32 | 16ull << 48;
    s->rip = CODE;
    s->rflags = 2;
    for (unsigned r = 0; r < 16; r++)
        s->gpr[r] = 0x0123456789abcdef * (r + 1);
    s->gpr[RBX] = DATA;
    s->gpr[RSP] = STACK + SPAN / 2;
    s->seg[GS].base = DATA + 0x1000;
    s->kernel_gs_base = DATA + 0x2000;
    for (unsigned k = 0; k < SPAN; k++)
        *(uint8_t *)ram_ptr(vm->ram, DATA + k, 1) = (uint8_t)(k * 7);
}

#endif
