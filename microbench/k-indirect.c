/* k-indirect: an interpreter of a small stack machine, an indirect call for
 * each step. */
#include "kcompute.h"

struct vm {
    uint64_t acc, other;
};

/* A C library would have these as one function each; so must we, or there would
 * be nothing to call. */
#define STEP(name, expression)                                                 \
    static __attribute__((noinline, noclone)) void name(struct vm *vm)         \
    {                                                                          \
        expression;                                                            \
    }

STEP(step_add, vm->acc += vm->other)
STEP(step_sub, vm->other -= vm->acc)
STEP(step_xor, vm->acc ^= vm->other)
STEP(step_mul, vm->acc *= 0x9e3779b97f4a7c15)
STEP(step_rotate, vm->other = rotate_left(vm->other, 13))
STEP(step_shift, vm->acc ^= vm->acc >> 29)
STEP(step_swap, uint64_t t = vm->acc; vm->acc = vm->other; vm->other = t)
STEP(step_inc, vm->other++)

static void (*const steps[])(struct vm *) = {
    step_add,    step_sub,   step_xor,  step_mul,
    step_rotate, step_shift, step_swap, step_inc,
};

#define PROGRAM 64
static uint8_t program[PROGRAM];

static const char *indirect_init(void)
{
    uint64_t random = 7;

    for (unsigned i = 0; i < PROGRAM; i++)
        program[i] = random_next(&random) >> 40 & 7;
    return NULL;
}

static uint64_t run(uint64_t n)
{
    struct vm vm = {1, 2};

    while (n--)
        for (unsigned i = 0; i < PROGRAM; i++)
            steps[program[i]](&vm);
    return vm.acc ^ vm.other;
}

static void indirect_kernel(uint64_t n)
{
    keep(run(n));
}

static uint64_t indirect_checksum(void)
{
    return run(50);
}

DEFINE_KCOMPUTE(k_indirect, "k-indirect", "64 indirect calls",
                "Calls through a table of functions in kernel mode",
                .init = indirect_init, .kernel = indirect_kernel,
                .checksum = indirect_checksum);
