/* jit: turns a random program into machine code, runs it, rewrites its
 * constants and runs it again. W^X: the code is writable or executable, never
 * both, so each turn costs an mprotect. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

#define PAGE 4096
#define STEPS 64
#define ROUNDS 50 /* the program's loop */

enum step_kind { STEP_ADD, STEP_XOR, STEP_MUL, STEP_ROL, STEP_KINDS };

struct step {
    enum step_kind kind;
    uint32_t constant; /* of a rotation: its count, 1..63 */
};

static struct step program[STEPS];
static uint8_t *code; /* one page */
static size_t code_len;
static size_t constant_at[STEPS]; /* where in the code each constant is */
static const char *problem;

static uint32_t pick_constant(enum step_kind kind, uint64_t random)
{
    /* Sign-extended by the instruction: kept positive and odd. */
    return kind == STEP_ROL ? random % 63 + 1 : (random & 0x7fffffff) | 1;
}

static void make_program(uint64_t seed)
{
    for (unsigned i = 0; i < STEPS; i++) {
        uint64_t random = mix64(seed, i);

        program[i].kind = random >> 60 & 3;
        program[i].constant = pick_constant(program[i].kind, random);
    }
}

static void emit(const void *bytes, size_t n)
{
    memcpy(code + code_len, bytes, n);
    code_len += n;
}

static void put_constant(unsigned i)
{
    size_t n = program[i].kind == STEP_ROL ? 1 : 4;

    memcpy(code + constant_at[i], &program[i].constant, n);
}

/* uint64_t f(uint64_t): RDI is the argument, RAX the value, ECX counts. */
static void generate(void)
{
    static const uint8_t add[] = {0x48, 0x05},
                         xor[] =
                             {
                                 0x48, 0x35},
                         mul[] = {0x48, 0x69, 0xc0}, rol[] = {0x48, 0xc1, 0xc0};
    static const struct {
        const uint8_t *bytes;
        size_t len;
    } opcodes[STEP_KINDS] = {[STEP_ADD] = {add, 2},
                             [STEP_XOR] = {xor, 2},
                             [STEP_MUL] = {mul, 3},
                             [STEP_ROL] = {rol, 3}};
    static const uint8_t enter[] = {0x48, 0x89, 0xf8, 0xb9}; /* mov; mov ecx */
    static const uint8_t again[] = {0xff, 0xc9, 0x0f, 0x85}; /* dec ecx; jnz */
    static const uint32_t rounds = ROUNDS;
    size_t loop;
    int32_t back;

    code_len = 0;
    emit(enter, sizeof(enter));
    emit(&rounds, 4);
    loop = code_len;
    for (unsigned i = 0; i < STEPS; i++) {
        enum step_kind kind = program[i].kind;

        emit(opcodes[kind].bytes, opcodes[kind].len);
        constant_at[i] = code_len;
        code_len += kind == STEP_ROL ? 1 : 4;
        put_constant(i);
    }
    emit(again, sizeof(again));
    back = (int32_t)loop - (int32_t)(code_len + 4);
    emit(&back, 4);
    emit("\xc3", 1);
}

static void rewrite(uint64_t seed)
{
    for (unsigned i = 0; i < STEPS; i++) {
        program[i].constant = pick_constant(program[i].kind, mix64(seed, i));
        put_constant(i);
    }
}

static uint64_t interpret(uint64_t x)
{
    for (int round = 0; round < ROUNDS; round++)
        for (const struct step *s = program; s < program + STEPS; s++)
            switch (s->kind) {
            case STEP_ADD:
                x += s->constant;
                break;
            case STEP_XOR:
                x ^= s->constant;
                break;
            case STEP_MUL:
                x *= s->constant;
                break;
            default:
                x = x << s->constant | x >> (64 - s->constant);
            }
    return x;
}

static void protect(unsigned prot)
{
    if (sys_mprotect(code, PAGE, prot))
        problem = "mprotect failed";
}

static uint64_t run(uint64_t x, bool check)
{
    uint64_t result = 0;

    protect(PROT_EXEC);
    if (!problem)
        result = ((uint64_t(*)(uint64_t))(uintptr_t)code)(x);
    if (check && result != interpret(x))
        problem = "the generated code computed something else";
    protect(PROT_WRITE);
    return result;
}

static uint64_t generate_and_run(uint64_t op, bool check)
{
    uint64_t first;

    make_program(op);
    generate();
    first = run(op, check);
    rewrite(~op);
    return mix64(first, run(first, check));
}

static const char *jit_init(void)
{
    code = sys_mmap(PAGE);
    return code ? NULL : "mmap failed";
}

static void jit_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n && !problem; op++)
        generate_and_run(op, false);
}

static uint64_t jit_checksum(void)
{
    uint64_t sum = 0;

    for (uint64_t op = 0; op < 8; op++)
        sum = mix64(sum, generate_and_run(op, true));
    return sum;
}

static const char *jit_verify(void)
{
    generate_and_run(1000, true);
    return problem;
}

DEFINE_BENCHMARK(jit, "jit", "mixed", "generate, run, rewrite, run",
                 "Generated code, W^X by mprotect, checked by interpretation",
                 0, .init = jit_init, .kernel = jit_kernel,
                 .checksum = jit_checksum, .verify = jit_verify);
