/* The interpreter as a machine: code that changes, interrupts, privilege, limits. */
#include "interp_fixture.h"

#include "backends/interp/step.h"

/* ---- Code that changes ------------------------------------------------ */

GUEST(patch_next, "movb $0x42, 1f+1(%rip)\n"
                  "1: mov $0x11, %al\n"
                  "hlt");

static void test_patch_next(void **state)
{
    struct fixture *f = *state;

    LOAD(f, CODE, patch_next);
    run(f);
    assert_int_equal(f->s.gpr[RAX], 0x42);
    assert_int_equal(f->vm->events.count[EV_SMC], 1);
}

/* Each turn of the loop increments the operand of an instruction in it. */
GUEST(patch_loop, "mov $100, %ecx\n"
                  "1: incb 2f+2(%rip)\n"
                  "2: add $0, %eax\n"
                  "loop 1b\n"
                  "hlt");

static void test_patch_loop(void **state)
{
    struct fixture *f = *state;

    LOAD(f, CODE, patch_loop);
    run(f);
    assert_int_equal(f->s.gpr[RAX], 100 * 101 / 2);
}

/* mov $imm32, %eax with all but its opcode on the next page. */
GUEST(straddle, "mov $0x12345678, %eax\n"
                "hlt");

static void test_patch_second_page(void **state)
{
    struct fixture *f = *state;
    struct x86_state begin;

    f->s.rip = CODE + 0xfff;
    begin = f->s;
    LOAD(f, CODE + 0xfff, straddle);
    run(f);
    assert_int_equal(f->s.gpr[RAX], 0x12345678);

    *(uint8_t *)ram_ptr(&f->ram, CODE + 0x1000, 1) = 0x99;
    backend_interp.ram_written(f->vm, CODE + 0x1000, 1);
    f->s = begin;
    run(f);
    assert_int_equal(f->s.gpr[RAX], 0x12345699);
}

GUEST(set_ten, "mov $10, %eax\nhlt");
GUEST(set_twenty, "mov $20, %eax\nhlt");

static void test_device_writes_code(void **state)
{
    struct fixture *f = *state;
    struct x86_state begin = f->s;

    LOAD(f, CODE, set_ten);
    run(f);
    assert_int_equal(f->s.gpr[RAX], 10);
    LOAD(f, CODE, set_twenty);
    backend_interp.ram_written(f->vm, CODE, 6);
    f->s = begin;
    run(f);
    assert_int_equal(f->s.gpr[RAX], 20);
}

/* One address, two pages behind it: the block in use is the one mapped. */
GUEST(remap, "mov $3, %ebx\n"
             "1: call *%rsi\n"
             "add %eax, %edx\n"
             "xchg %r8, (%rdi)\n"
             "invlpg (%rsi)\n"
             "dec %ebx\n"
             "jnz 1b\n"
             "hlt");
GUEST(return_one, "mov $1, %eax\nret");
GUEST(return_hundred, "mov $100, %eax\nret");

static void test_remapped_code(void **state)
{
    struct fixture *f = *state;

    LOAD(f, CODE, remap);
    LOAD(f, PAGED, return_one);
    LOAD(f, PAGED + 0x1000, return_hundred);
    f->s.gpr[RSI] = PAGED;
    f->s.gpr[RDI] = PT;
    f->s.gpr[R8] = (PAGED + 0x1000) | PTE_RW;
    run(f);
    assert_int_equal(f->s.gpr[RDX], 1 + 100 + 1);
}

/* ---- Memory ----------------------------------------------------------- */

/* A store that runs into a missing page changes nothing in the one before. */
GUEST(torn_store, "mov %rax, (%rdi)\nhlt");

static void test_torn_store(void **state)
{
    struct fixture *f = *state;
    uint64_t *frame;

    LOAD(f, CODE, torn_store);
    *word(f, PT + 8) = 0;
    f->s.gpr[RAX] = ~0ull;
    f->s.gpr[RDI] = PAGED + 0xffc;
    run(f);
    frame = expect_vector(f, VEC_PF);
    assert_int_equal(frame[0], PF_W);
    assert_int_equal(frame[1], CODE);
    assert_int_equal(frame[3] & FL_RF, FL_RF);
    assert_int_equal(f->s.cr2, PAGED + 0x1000);
    assert_int_equal(*word(f, PAGED + 0xff8), 0);
    assert_int_equal(f->vm->events.count[EV_FAULT_TRUE], 1);
}

/* The same that succeeds, to two pages that aren't neighbours in RAM. */
static void test_split_store(void **state)
{
    struct fixture *f = *state;

    LOAD(f, CODE, torn_store);
    *word(f, PT + 8) = (PAGED + 0x5000) | PTE_RW;
    f->s.gpr[RAX] = 0x1122334455667788;
    f->s.gpr[RDI] = PAGED + 0xffc;
    run(f);
    assert_int_equal(*word(f, PAGED + 0xff8) >> 32, 0x55667788);
    assert_int_equal(*word(f, PAGED + 0x5000), 0x11223344);
    assert_int_equal(*word(f, PAGED + 0x1000), 0);
}

/* Loads and stores of device memory reach the bus, in every operand form. */
GUEST(device, "movzbl 0x400003, %eax\n"
              "movl $0x1234, 0x400010\n"
              "movups 0x400020, %xmm0\n"
              "movq %xmm0, %rbx\n"
              "hlt");

static void test_device_memory(void **state)
{
    struct fixture *f = *state;

    LOAD(f, CODE, device);
    run(f);
    assert_int_equal(f->s.gpr[RAX], 0x03);
    assert_int_equal(f->out, 0x1234);
    assert_int_equal(f->s.gpr[RBX], 0xe0000020ull * 0x0101010101010101ull);
}

/* ---- Events ----------------------------------------------------------- */

/* From ring 3 through a gate to the TSS's stack, and back by IRETQ. */
GUEST(user, "mov $7, %eax\n"
            "int3\n"
            "mov %cs, %ecx\n"
            "ud2");
GUEST(count_and_return, "inc %r9\niretq");

static void test_ring_crossing(void **state)
{
    struct fixture *f = *state;
    uint64_t *frame;

    LOAD(f, CODE, user);
    LOAD(f, HANDLERS + 16 * VEC_BP, count_and_return);
    set_cpl(f, 3);
    f->s.rflags |= FL_IF;
    start(f);
    resume(f, EXIT_HLT_DEAD); /* in #UD's handler: interrupt gate */
    frame = expect_vector(f, VEC_UD);
    assert_int_equal(f->s.gpr[R9], 1);
    assert_int_equal(f->s.gpr[RCX], 0x1b);
    assert_int_equal(frame[0], CODE + 8);
    assert_int_equal(frame[1], 0x1b);
    assert_int_equal(frame[3], STACK);
    assert_int_equal(frame[4], 0x23);
    assert_int_equal(f->s.gpr[RSP], STACK0 - 40);
    assert_int_equal(f->s.seg[CS].sel, 8);
    assert_int_equal(f->s.seg[SS].sel, 0);
}

/* STI's window covers one instruction, even where an interrupt waits. */
GUEST(window, "sti\n"
              "inc %eax\n"
              "inc %eax\n"
              "hlt");

static void test_sti_window(void **state)
{
    struct fixture *f = *state;
    uint64_t *frame;

    LOAD(f, CODE, window);
    f->irq = 0x40;
    f->vm->attention = ATTN_IRQ;
    run(f);
    frame = expect_vector(f, 0x40);
    assert_int_equal(frame[0], CODE + 3);
    assert_int_equal(f->s.gpr[RAX], 1);
    assert_int_equal(f->vm->events.count[EV_INTERRUPT], 1);
}

/* STI; HLT must not sleep on an interrupt that came just before. */
GUEST(idle, "sti\nhlt\ninc %eax\ncli\nhlt");

static void test_idle(void **state)
{
    struct fixture *f = *state;
    uint64_t *frame;

    LOAD(f, CODE, idle);
    start(f);
    resume(f, EXIT_HLT);
    assert_true(f->s.halted);
    f->irq = 0x41;
    f->vm->attention = ATTN_IRQ;
    resume(f, EXIT_HLT_DEAD);
    frame = expect_vector(f, 0x41);
    assert_int_equal(frame[0], CODE + 2);
    assert_false(f->s.gpr[RAX]);
}

/* #GP whose handler's code segment is bad: #DF. With #DF's gate absent too, the
 * machine shuts down. */
GUEST(bad_load, "mov $0x1000, %eax\nmov %eax, %ds\nhlt");

static void test_double_fault(void **state)
{
    struct fixture *f = *state;
    struct x86_state begin = f->s;
    uint64_t *frame;

    LOAD(f, CODE, bad_load);
    *word(f, IDT + 16 * VEC_GP) &= ~(1ull << 47);
    run(f);
    frame = expect_vector(f, VEC_DF);
    assert_int_equal(frame[0], 0);
    assert_int_equal(frame[1], CODE + 5);

    *word(f, IDT + 16 * VEC_DF) &= ~(1ull << 47);
    f->s = begin;
    start(f);
    resume(f, EXIT_SHUTDOWN);
}

GUEST(trap_flag, "pushfq\n"
                 "orl $0x100, (%rsp)\n"
                 "popfq\n"
                 "inc %eax\n"
                 "inc %eax\n"
                 "hlt");

static void test_single_step(void **state)
{
    struct fixture *f = *state;
    uint64_t *frame;

    LOAD(f, CODE, trap_flag);
    run(f);
    frame = expect_vector(f, VEC_DB);
    assert_int_equal(f->s.gpr[RAX], 1);
    assert_int_equal(frame[0], CODE + 9 + 2);
    assert_int_equal(f->s.dr[6] & 0x4000, 0x4000);
}

/* ---- Counting --------------------------------------------------------- */

GUEST(counted, "mov $1000, %ecx\n"
               "1: add %rcx, %rax\n"
               "mov %rax, 0x30000(,%rcx,8)\n"
               "cmp $500, %ecx\n"
               "jae 2f\n"
               "movq %rax, %xmm0\n"
               "paddq %xmm0, %xmm1\n"
               "2: dec %ecx\n"
               "jnz 1b\n"
               "rdtsc\n"
               "hlt");

/* A run in steps of any size is the run in one go. */
static void test_steps(void **state)
{
    static const unsigned sizes[] = {1, 3, 63, 64, 65, 1000};
    struct fixture *f = *state;
    struct x86_state begin = f->s, whole;
    uint64_t retired;

    LOAD(f, CODE, counted);
    run(f);
    whole = f->s;
    retired = f->vm->retired;
    assert_int_equal(f->s.gpr[RAX], retired - 2); /* RDTSC, HLT */
    assert_int_equal(f->vm->events.count[EV_INSN_RETIRED], retired);
    for (unsigned k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        uint64_t done = 0;

        f->vm->retired = 0;
        f->s = begin;
        start(f);
        while (done + sizes[k] < retired) {
            assert_int_equal(backend_interp.step(f->vm, sizes[k], &f->exit), 0);
            assert_int_equal(f->exit.kind, EXIT_KICKED);
            done += sizes[k];
            assert_int_equal(f->vm->retired, done);
        }
        resume(f, EXIT_HLT_DEAD);
        assert_int_equal(f->vm->retired, retired);
        assert_memory_equal(&f->s, &whole, sizeof(whole));
    }
}

/* A deadline ends the run at its instruction, wherever that is. */
static void test_deadline(void **state)
{
    struct fixture *f = *state;

    LOAD(f, CODE, counted);
    start(f);
    for (uint64_t t = 1; t < 3000; t += 37) {
        f->vm->deadline = t;
        resume(f, EXIT_TIMER);
        assert_int_equal(f->vm->retired, t);
    }
}

GUEST(spin, "jmp .");

static void test_kick(void **state)
{
    struct fixture *f = *state;

    LOAD(f, CODE, spin);
    start(f);
    backend_interp.kick(f->vm);
    resume(f, EXIT_KICKED);
    assert_int_equal(f->s.rip, CODE);
}

/* What can't be emulated is named with its bytes. */
GUEST(compatibility, "push $0x28\npush $0x1000\nlretq");

static void test_emulation_fails(void **state)
{
    struct fixture *f = *state;

    LOAD(f, CODE, compatibility);
    *word(f, GDT + 0x28) = 0x00cf9b000000ffff; /* 32-bit code */
    f->s.gdtr.limit = 0x2f;
    start(f);
    resume(f, EXIT_EMULATION);
    assert_int_equal(f->exit.rip, CODE + 7);
    assert_int_equal(f->exit.insn_len, 2);
    assert_int_equal(f->exit.insn[1], 0xcb);
    assert_true(strlen(f->exit.why) > 0);
}

/* ---- The stepper ------------------------------------------------------ */

static void test_stepper(void **state)
{
    struct fixture *f = *state;
    struct interp_stepper *s;
    char why[REASON_MAX];

    LOAD(f, CODE, counted);
    s = interp_stepper_create(f->vm, why);
    assert_non_null(s);
    assert_int_equal(interp_step(s, &f->s, 4, &f->exit), 0);
    assert_int_equal(f->exit.kind, EXIT_KICKED);
    assert_int_equal(f->vm->retired, 4);
    assert_int_equal(f->s.gpr[RAX], 1000);
    assert_int_equal(*word(f, 0x30000 + 8000), 1000);
    interp_stepper_destroy(s);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_patch_next),
        TEST(test_patch_loop),
        TEST(test_patch_second_page),
        TEST(test_device_writes_code),
        TEST(test_remapped_code),
        TEST(test_torn_store),
        TEST(test_split_store),
        TEST(test_device_memory),
        TEST(test_ring_crossing),
        TEST(test_sti_window),
        TEST(test_idle),
        TEST(test_double_fault),
        TEST(test_single_step),
        TEST(test_steps),
        TEST(test_deadline),
        TEST(test_kick),
        TEST(test_emulation_fails),
        TEST(test_stepper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
