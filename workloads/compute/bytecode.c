/* bytecode: a register machine with tagged values, calls and arrays, in the
 * manner of Lua's, interprets four programs, the class of perlbmk: indirect
 * branches that depend on data. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

#define VM_STACK 512
#define VM_FRAMES 32
#define VM_ARRAY_MAX 4096

/* Operands a, b, c: registers, but for those in small letters. */
enum vm_op {
    VM_MOVE,  /* A = B */
    VM_LOADI, /* A = the signed number bc */
    VM_ADD,   /* A = B + C: of integers, else of doubles */
    VM_SUB,
    VM_MUL,
    VM_DIV,  /* A = B / C as doubles */
    VM_IDIV, /* A = B / C, both integers, towards 0 */
    VM_MOD,
    VM_EQ, /* where (B == C) differs from a, leave out the next one */
    VM_LT,
    VM_JMP,   /* go on at instruction bc */
    VM_ARRAY, /* A = the array, made B zeroes long */
    VM_GET,   /* A = B[C] */
    VM_SET,   /* A[B] = C */
    VM_CALL,  /* A = function b of A + 1, A + 2, ... */
    VM_RET,   /* leave the function with A */
    VM_OPS
};

#define OP(op, a, b, c)                                                        \
    ((uint32_t)VM_##op | (uint32_t)(a) << 8 | (uint32_t)(b) << 16 |            \
     (uint32_t)(c) << 24)
#define OPX(op, a, bc)                                                         \
    ((uint32_t)VM_##op | (uint32_t)(a) << 8 | (uint32_t)(uint16_t)(bc) << 16)
#define JUMP(to) OPX(JMP, 0, to)

enum vm_tag { VM_INT, VM_DOUBLE, VM_ARRAYS };

struct vm_value {
    enum vm_tag tag;
    union {
        int64_t i;
        double d;
    };
};

/* A caller waiting for a result. */
struct vm_frame {
    const uint32_t *code, *pc;
    struct vm_value *base;
};

static struct vm_value vm_stack[VM_STACK], vm_array[VM_ARRAY_MAX];
static int64_t vm_array_len;

enum { FIB, PRIMES, COLLATZ, MANDEL, VM_PROGRAMS };

/* fib(n), by two calls of itself. */
static const uint32_t vm_fib[] = {
    OPX(LOADI, 1, 2),          OP(LT, 1, 0, 1),  JUMP(11),
    OPX(LOADI, 1, 1),          OP(SUB, 3, 0, 1), OP(CALL, 2, FIB, 0),
    OPX(LOADI, 1, 2),          OP(SUB, 4, 0, 1), OP(CALL, 3, FIB, 0),
    OP(ADD, 2, 2, 3),          OP(RET, 2, 0, 0),
    /* 11 */ OP(RET, 0, 0, 0),
};

/* How many primes there are below n: a sieve. */
static const uint32_t vm_primes[] = {
    OP(ARRAY, 1, 0, 0),        OPX(LOADI, 2, 0), /* found */
    OPX(LOADI, 3, 2),                            /* i */
    OPX(LOADI, 7, 1),          OPX(LOADI, 8, 0),
    /* 5 */ OP(LT, 0, 3, 0),   JUMP(19),         OP(GET, 4, 1, 3),
    OP(EQ, 0, 4, 8),           JUMP(17),         OP(ADD, 2, 2, 7),
    OP(MUL, 5, 3, 3), /* the first multiple to strike out */
    /* 12 */ OP(LT, 0, 5, 0),  JUMP(17),         OP(SET, 1, 5, 7),
    OP(ADD, 5, 5, 3),          JUMP(12),
    /* 17 */ OP(ADD, 3, 3, 7), JUMP(5),
    /* 19 */ OP(RET, 2, 0, 0),
};

/* The most steps that a number up to n takes to 1. */
static const uint32_t vm_collatz[] = {
    OPX(LOADI, 1, 0), /* most */
    OPX(LOADI, 2, 2),
    OPX(LOADI, 3, 1),
    OPX(LOADI, 4, 3),
    OPX(LOADI, 5, 0),
    OP(MOVE, 6, 0, 0), /* the number */
    /* 6 */ OP(MOVE, 7, 6, 0),
    OP(MOVE, 8, 5, 0), /* steps */
    /* 8 */ OP(EQ, 1, 7, 3),
    JUMP(19),
    OP(ADD, 8, 8, 3),
    OP(MOD, 9, 7, 2),
    OP(EQ, 1, 9, 5),
    JUMP(17),
    OP(MUL, 7, 7, 4),
    OP(ADD, 7, 7, 3),
    JUMP(8),
    /* 17 */ OP(IDIV, 7, 7, 2),
    JUMP(8),
    /* 19 */ OP(LT, 1, 1, 8),
    OP(MOVE, 1, 8, 0),
    OP(SUB, 6, 6, 3),
    OP(LT, 1, 5, 6),
    JUMP(6),
    OP(RET, 1, 0, 0),
};

/* Iterations, 50 at most each, over n by n points of the Mandelbrot set's
 * plane. */
static const uint32_t vm_mandel[] = {
    OPX(LOADI, 1, 0), /* iterations in all */
    OPX(LOADI, 2, 0), /* y */
    OPX(LOADI, 20, 0),
    OPX(LOADI, 21, 1),
    OPX(LOADI, 22, 2),
    OPX(LOADI, 23, 3),
    OPX(LOADI, 24, 4),
    OPX(LOADI, 25, 50),
    /* 8 */ OP(MUL, 4, 2, 22), /* imaginary part: 2 * y / n - 1 */
    OP(DIV, 4, 4, 0),
    OP(SUB, 4, 4, 21),
    OP(MOVE, 3, 20, 0),         /* x */
    /* 12 */ OP(MUL, 5, 3, 23), /* real part: 3 * x / n - 2 */
    OP(DIV, 5, 5, 0),
    OP(SUB, 5, 5, 22),
    OP(MOVE, 6, 20, 0), /* z, and how often it was squared */
    OP(MOVE, 7, 20, 0),
    OP(MOVE, 8, 20, 0),
    /* 18 */ OP(LT, 0, 8, 25),
    JUMP(33),
    OP(MUL, 9, 6, 6),
    OP(MUL, 10, 7, 7),
    OP(ADD, 11, 9, 10),
    OP(LT, 0, 11, 24),
    JUMP(33),
    OP(MUL, 7, 7, 6),
    OP(MUL, 7, 7, 22),
    OP(ADD, 7, 7, 4),
    OP(SUB, 6, 9, 10),
    OP(ADD, 6, 6, 5),
    OP(ADD, 8, 8, 21),
    OP(ADD, 1, 1, 21),
    JUMP(18),
    /* 33 */ OP(ADD, 3, 3, 21),
    OP(LT, 1, 3, 0),
    JUMP(12),
    OP(ADD, 2, 2, 21),
    OP(LT, 1, 2, 0),
    JUMP(8),
    OP(RET, 1, 0, 0),
};

static const struct {
    const uint32_t *code;
    unsigned registers;
    int64_t argument; /* in the benchmark */
} vm_programs[VM_PROGRAMS] = {
    [FIB] = {vm_fib, 5, 14},
    [PRIMES] = {vm_primes, 9, 1500},
    [COLLATZ] = {vm_collatz, 10, 80},
    [MANDEL] = {vm_mandel, 26, 12},
};

static int64_t vm_results[VM_PROGRAMS];

static inline double vm_double(struct vm_value v)
{
    return v.tag == VM_INT ? (double)v.i : v.d;
}

/* Every operation jumps to the next one itself, so that the processor sees an
 * indirect branch for each. */
#define NEXT                                                                   \
    do {                                                                       \
        x = *pc++;                                                             \
        goto *labels[x & 0xff];                                                \
    } while (0)
#define A base[x >> 8 & 0xff]
#define B base[x >> 16 & 0xff]
#define C base[x >> 24]
#define ARITHMETIC(op)                                                         \
    do {                                                                       \
        if (B.tag == VM_INT && C.tag == VM_INT)                                \
            A = (struct vm_value){VM_INT, {.i = B.i op C.i}};                  \
        else if (B.tag == VM_ARRAYS || C.tag == VM_ARRAYS)                     \
            return "arithmetic on an array";                                   \
        else                                                                   \
            A = (struct vm_value){VM_DOUBLE,                                   \
                                  {.d = vm_double(B) op vm_double(C)}};        \
        NEXT;                                                                  \
    } while (0)
#define INTEGERS(op)                                                           \
    do {                                                                       \
        if (B.tag != VM_INT || C.tag != VM_INT)                                \
            return "integer arithmetic on something else";                     \
        if (C.i == 0)                                                          \
            return "a division by zero";                                       \
        A = (struct vm_value){VM_INT, {.i = B.i op C.i}};                      \
        NEXT;                                                                  \
    } while (0)
#define COMPARE(op)                                                            \
    do {                                                                       \
        bool holds;                                                            \
                                                                               \
        if (B.tag == VM_INT && C.tag == VM_INT)                                \
            holds = B.i op C.i;                                                \
        else if (B.tag == VM_ARRAYS || C.tag == VM_ARRAYS)                     \
            return "a comparison of an array";                                 \
        else                                                                   \
            holds = vm_double(B) op vm_double(C);                              \
        pc += holds != (x >> 8 & 0xff);                                        \
        NEXT;                                                                  \
    } while (0)
#define CHECK_ELEMENT(array, index)                                            \
    do {                                                                       \
        if ((array).tag != VM_ARRAYS || (index).tag != VM_INT)                 \
            return "an index into no array, or no index";                      \
        if ((uint64_t)(index).i >= (uint64_t)vm_array_len)                     \
            return "an index outside the array";                               \
    } while (0)

/* Runs a program; what was wrong with it, or NULL and the result. */
static const char *vm_run(unsigned program, int64_t argument,
                          struct vm_value *result)
{
    static const void *const labels[VM_OPS] = {
        [VM_MOVE] = &&move, [VM_LOADI] = &&loadi, [VM_ADD] = &&add,
        [VM_SUB] = &&sub,   [VM_MUL] = &&mul,     [VM_DIV] = &&div,
        [VM_IDIV] = &&idiv, [VM_MOD] = &&mod,     [VM_EQ] = &&eq,
        [VM_LT] = &&lt,     [VM_JMP] = &&jmp,     [VM_ARRAY] = &&array,
        [VM_GET] = &&get,   [VM_SET] = &&set,     [VM_CALL] = &&call,
        [VM_RET] = &&ret,
    };
    struct vm_frame frames[VM_FRAMES];
    const uint32_t *code = vm_programs[program].code, *pc = code;
    struct vm_value *base = vm_stack;
    unsigned depth = 0;
    uint32_t x;

    base[0] = (struct vm_value){VM_INT, {.i = argument}};
    NEXT;

move:
    A = B;
    NEXT;
loadi:
    A = (struct vm_value){VM_INT, {.i = (int16_t)(x >> 16)}};
    NEXT;
add:
    ARITHMETIC(+);
sub:
    ARITHMETIC(-);
mul:
    ARITHMETIC(*);
div:
    if (B.tag == VM_ARRAYS || C.tag == VM_ARRAYS)
        return "arithmetic on an array";
    A = (struct vm_value){VM_DOUBLE, {.d = vm_double(B) / vm_double(C)}};
    NEXT;
idiv:
    INTEGERS(/);
mod:
    INTEGERS(%);
eq:
    COMPARE(==);
lt:
    COMPARE(<);
jmp:
    pc = code + (x >> 16);
    NEXT;
array:
    if (B.tag != VM_INT || B.i < 0 || B.i > VM_ARRAY_MAX)
        return "no length of an array";
    vm_array_len = B.i;
    for (int64_t i = 0; i < vm_array_len; i++)
        vm_array[i] = (struct vm_value){VM_INT, {.i = 0}};
    A = (struct vm_value){VM_ARRAYS, {.i = 0}};
    NEXT;
get:
    CHECK_ELEMENT(B, C);
    A = vm_array[C.i];
    NEXT;
set:
    CHECK_ELEMENT(A, B);
    vm_array[B.i] = C;
    NEXT;
call:
    program = x >> 16 & 0xff;
    if (depth == VM_FRAMES)
        return "too many calls";
    frames[depth++] = (struct vm_frame){code, pc, base};
    base = &A + 1;
    if (base + vm_programs[program].registers > vm_stack + VM_STACK)
        return "too many registers in use";
    code = pc = vm_programs[program].code;
    NEXT;
ret:
    base[-(depth > 0)] = A; /* the caller's A is just below */
    if (!depth) {
        *result = base[0];
        return NULL;
    }
    depth--;
    code = frames[depth].code;
    pc = frames[depth].pc;
    base = frames[depth].base;
    NEXT;
}

#undef NEXT
#undef A
#undef B
#undef C

/* An integer result; -1 where the program failed or has another. */
static int64_t vm_integer(unsigned program, int64_t argument)
{
    struct vm_value v;

    if (vm_run(program, argument, &v) || v.tag != VM_INT)
        return -1;
    return v.i;
}

static void bytecode_kernel(uint64_t n)
{
    while (n--)
        for (unsigned i = 0; i < VM_PROGRAMS; i++)
            vm_results[i] = vm_integer(i, vm_programs[i].argument);
}

/* Results of every program for every argument up to the benchmark's, in steps.
 */
static uint64_t bytecode_checksum(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < VM_PROGRAMS; i++)
        for (int64_t k = 1; k <= 4; k++)
            sum = mix64(
                sum, (uint64_t)vm_integer(i, vm_programs[i].argument * k / 4));
    return sum;
}

/* ---- The same in C ------------------------------------------------------- */

static int64_t plain_fib(int64_t n)
{
    int64_t a = 0, b = 1;

    for (; n; n--) {
        int64_t sum = a + b;

        a = b;
        b = sum;
    }
    return a;
}

static int64_t plain_primes(int64_t n)
{
    int64_t found = 0;

    for (int64_t i = 2; i < n; i++) {
        int64_t d = 2;

        while (d * d <= i && i % d)
            d++;
        found += d * d > i;
    }
    return found;
}

static int64_t plain_collatz(int64_t n)
{
    int64_t most = 0;

    for (; n > 0; n--) {
        int64_t steps = 0;

        for (int64_t i = n; i != 1; steps++)
            i = i % 2 ? 3 * i + 1 : i / 2;
        most = steps > most ? steps : most;
    }
    return most;
}

static int64_t plain_mandel(int64_t n)
{
    int64_t sum = 0;

    for (int64_t y = 0; y < n; y++) {
        for (int64_t x = 0; x < n; x++) {
            double ci = (double)(2 * y) / (double)n - 1;
            double cr = (double)(3 * x) / (double)n - 2, zr = 0, zi = 0;

            for (unsigned i = 0; i < 50 && zr * zr + zi * zi < 4; i++) {
                double re = zr * zr - zi * zi + cr;

                zi = zi * zr * 2 + ci;
                zr = re;
                sum++;
            }
        }
    }
    return sum;
}

static int64_t (*const plain_programs[VM_PROGRAMS])(int64_t) = {
    [FIB] = plain_fib,
    [PRIMES] = plain_primes,
    [COLLATZ] = plain_collatz,
    [MANDEL] = plain_mandel,
};

static const char *bytecode_verify(void)
{
    for (unsigned i = 0; i < VM_PROGRAMS; i++)
        if (vm_results[i] != plain_programs[i](vm_programs[i].argument))
            return "a program's result differs from plain C's";
    return NULL;
}

DEFINE_BENCHMARK(bytecode, "bytecode", "compute", "4 programs interpreted",
                 "Register-machine interpreter, as Lua's: indirect branches",
                 TM_BENCH_NATIVE, .kernel = bytecode_kernel,
                 .checksum = bytecode_checksum, .verify = bytecode_verify);
