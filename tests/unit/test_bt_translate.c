/* The translator: each class of instruction, self-modifying code, adaptation
 * and interrupts anywhere, against the interpreter. */
#include "bt_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

struct outcome {
    struct x86_state s;
    uint8_t data[SPAN], stack[SPAN];
    struct event_counters events;
};

struct kicker {
    struct vm *vm;
    volatile bool stop;
    uint64_t kicks;
};

static void *kick_often(void *arg)
{
    struct kicker *k = arg;
    const struct timespec pause = {.tv_nsec = 1};

    while (!k->stop) {
        k->vm->backend->kick(k->vm);
        k->kicks++;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Runs to the HLT; returns how often run() came back before. */
static uint64_t run(const struct backend *backend, const char *options,
                    const uint8_t *code, size_t len, bool kick,
                    struct outcome *o)
{
    char why[REASON_MAX] = "";
    struct machine *m =
        machine_create_bare_with(backend, RAM_SIZE, false, NULL, options, why);
    struct kicker k = {0};
    struct vm_exit exit;
    pthread_t thread;
    uint64_t back = 0;

    if (!m)
        fail_msg("%s", why);
    k.vm = machine_vm(m);
    bt_load_guest(m, &o->s, code, len, 0);
    assert_int_equal(backend->set_state(k.vm, &o->s), 0);
    if (kick)
        assert_int_equal(pthread_create(&thread, NULL, kick_often, &k), 0);
    do {
        backend->run(k.vm, &exit);
        back += exit.kind == EXIT_KICKED;
    } while (exit.kind == EXIT_KICKED);
    k.stop = true;
    if (kick)
        pthread_join(thread, NULL);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* the last kick */
    if (exit.kind != EXIT_HLT_DEAD && exit.kind != EXIT_HLT)
        fail_msg("%s: exit %d at %#llx: %s", backend->name, exit.kind,
                 (unsigned long long)exit.rip, exit.why);
    backend->get_state(k.vm, &o->s);
    memcpy(o->data, ram_ptr(k.vm->ram, DATA, SPAN), SPAN);
    memcpy(o->stack, ram_ptr(k.vm->ram, STACK, SPAN), SPAN);
    o->events = k.vm->events;
    machine_destroy(m);
    return back;
}

static struct outcome expected, got;

static void assert_same(const char *name)
{
    const struct x86_state *a = &expected.s, *b = &got.s;

    for (unsigned r = 0; r < 16; r++)
        if (a->gpr[r] != b->gpr[r])
            fail_msg("%s: register %u is %#llx, not %#llx", name, r,
                     (unsigned long long)b->gpr[r],
                     (unsigned long long)a->gpr[r]);
    assert_int_equal(a->rip, b->rip);
    assert_int_equal(a->rflags, b->rflags);
    assert_int_equal(a->seg[GS].base, b->seg[GS].base);
    assert_int_equal(a->kernel_gs_base, b->kernel_gs_base);
    assert_memory_equal(expected.data, got.data, SPAN);
    assert_memory_equal(expected.stack, got.stack, SPAN);
}

static void compare(const char *name, const uint8_t *code, size_t len)
{
    static const char *const options[] = {
        NULL,        "bt-chain=off",    "bt-unit=1",
        "bt-unit=2", "bt-adaptive=off", "bt-inline=off"};

    run(&backend_interp, NULL, code, len, false, &expected);
    for (unsigned k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
        run(&backend_bt, options[k], code, len, false, &got);
        assert_same(name);
    }
}
#define COMPARE(name)                                                          \
    compare(#name, guest_##name, (size_t)(guest_##name##_end - guest_##name))

/* ---- Classes ------------------------------------------------------------- */

GUEST(plain, "mov $5, %ecx\n"
             "1: add 8(%rbx,%rcx,8), %rax\n"
             "adc %rax, %rdx\n"
             "rol $7, %rdx\n"
             "xor %rdx, 0x100(%rbx)\n"
             "imul $77, %rdx, %rsi\n"
             "bswap %rsi\n"
             "lock xadd %rsi, 0x200(%rbx)\n"
             "cmovc %rsi, %rdi\n"
             "setz 0x300(%rbx)\n"
             "dec %ecx\n"
             "jnz 1b\n"
             "lea 1b(%rip), %r8\n"
             "mov 1b(%rip), %r9\n"
             "mov %gs:8, %r10\n"
             "add %r10, %gs:16");

GUEST(stack, "push %rax\n"
             "push $-5\n"
             "push 8(%rbx)\n"
             "push %rsp\n"
             "pop %rcx\n"
             "pop 16(%rbx)\n"
             "pop %rdx\n"
             "mov %rsp, %rbp\n"
             "push %rbp\n"
             "sub $64, %rsp\n"
             "leave\n"
             "pushw $7\n"
             "popw %si\n"
             "enter $32, $0\n"
             "leave");

GUEST(flow, "mov $1000, %ecx\n"
            "xor %eax, %eax\n"
            "1: call 2f\n"
            "lea 2f(%rip), %rdx\n"
            "call *%rdx\n"
            "mov %rdx, (%rbx)\n"
            "call *(%rbx)\n"
            "lea 3f(%rip), %rdx\n"
            "jmp *%rdx\n"
            "ud2\n"
            "2: inc %rax\n"
            "ret\n"
            "4: inc %rax\n"
            "ret $8\n"
            "3: push %rax\n"
            "call 4b\n"
            "loop 1b\n"
            "mov $3, %ecx\n"
            "5: jrcxz 6f\n"
            "dec %ecx\n"
            "jmp 5b\n"
            "6:");

GUEST(strings, "mov %rbx, %rsi\n"
               "lea 0x1000(%rbx), %rdi\n"
               "mov $100, %ecx\n"
               "rep movsq\n"
               "mov $50, %ecx\n"
               "rep stosb\n"
               "lodsl\n"
               "mov %rbx, %rsi\n"
               "lea 0x1000(%rbx), %rdi\n"
               "mov $1000, %ecx\n"
               "repe cmpsb\n"
               "mov $7, %al\n"
               "mov $1000, %ecx\n"
               "mov %rbx, %rdi\n"
               "repne scasb");

GUEST(system, "stc\n"
              "pushfq\n"
              "cli\n"
              "pushfq\n"
              "sti\n"
              "nop\n"
              "pushfq\n"
              "cli\n"
              "pop %rax\n"
              "pop %rcx\n"
              "popfq\n"
              "setc %dl\n"
              "push $0x40ad5\n" /* AC */
              "popfq\n"
              "pushfq\n"
              "pop %rsi\n"
              "push $2\n"
              "popfq\n"
              "mov %gs:0, %r8\n"
              "swapgs\n"
              "mov %gs:0, %r9\n"
              "mov %cr0, %r10\n"
              "in $0x80, %al\n"
              "xor %r11d, %r11d\n"
              "stc\n"
              "mov %r11, %cr8\n"
              "mov %cr8, %r12\n"
              "setc %r13b\n"
              "mov %ss, %r14d\n"
              "rdtsc\n"
              "xor %eax, %eax\n"
              "xor %edx, %edx");

static void test_classes(void **state)
{
    (void)state;
    COMPARE(plain);
    COMPARE(stack);
    COMPARE(flow);
    COMPARE(strings);
    COMPARE(system);
}

/* ---- Code that changes --------------------------------------------------- */

/* Every turn increments an immediate of the loop itself. */
GUEST(patch_loop, "mov $100, %ecx\n"
                  "xor %eax, %eax\n"
                  "1: incb 2f+2(%rip)\n"
                  "2: add $0, %eax\n"
                  "dec %ecx\n"
                  "jnz 1b");

/* A function is rewritten and called again. */
GUEST(patch_function, "mov $50, %ecx\n"
                      "xor %eax, %eax\n"
                      "1: mov %cl, 3f+2(%rip)\n"
                      "call 3f\n"
                      "dec %ecx\n"
                      "jnz 1b\n"
                      "jmp 4f\n"
                      ".p2align 12\n"
                      "3: add $1, %eax\n"
                      "ret\n"
                      "4:");

/* A function in another page, called from three places in turn, writes to the
 * code that it returns to, and once returns to where nobody called it. */
GUEST(patch_return, "mov $60, %ecx\n"
                    "1: call 3f\n"
                    "2: mov $1, %eax\n"
                    "add %rax, %rdx\n"
                    "call 3f\n"
                    "add %rax, %r8\n"
                    "test $3, %cl\n"
                    "jnz 5f\n"
                    "lea 5f(%rip), %r9\n"
                    "push %r9\n"
                    "jmp 4f\n"
                    ".skip 4096 - (. - guest_patch_return)\n"
                    "3: lea (%rax, %rcx), %r10\n"
                    "test $7, %cl\n"
                    "jnz 4f\n"
                    "incl 2b+1(%rip)\n"
                    "4: ret\n"
                    "5: add %rcx, %r10\n"
                    "dec %ecx\n"
                    "jnz 1b");

static void test_self_modifying(void **state)
{
    (void)state;
    COMPARE(patch_loop);
    assert_true(got.events.count[EV_BT_SMC] >= 100);
    COMPARE(patch_function);
    assert_int_equal(expected.s.gpr[RAX], 50 * 51 / 2);
    assert_true(got.events.count[EV_BT_SMC] >= 50);
    COMPARE(patch_return);
}

/* ---- Adaptation ---------------------------------------------------------- */

/* One store, 1000 times to a page-table entry that already has that value, then
 * 1000 times to plain memory, then to the entry again. */
GUEST(adapt, "mov $0x12320, %esi\n" /* in the first page directory */
             "mov (%rsi), %rax\n"
             "mov (%rbx), %r9\n"
             "mov %rax, (%rbx)\n"
             "mov $3, %edx\n"
             "1: mov $1000, %ecx\n"
             "2: mov %rax, (%rsi)\n"
             "dec %ecx\n"
             "jnz 2b\n"
             "xchg %rsi, %rbx\n"
             "dec %edx\n"
             "jnz 1b\n"
             "mov $0x300000, %ebx\n"
             "mov %r9, (%rbx)");

static void test_adaptation(void **state)
{
    const size_t len = (size_t)(guest_adapt_end - guest_adapt);
    uint64_t traces;

    (void)state;
    run(&backend_interp, NULL, guest_adapt, len, false, &expected);
    run(&backend_bt, "bt-adaptive=off", guest_adapt, len, false, &got);
    assert_same("adaptive=off");
    assert_int_equal(got.events.count[EV_BT_RETRANSLATE], 0);
    traces = got.events.count[EV_FAULT_TRACE];
    assert_true(traces >= 2000);
    run(&backend_bt, NULL, guest_adapt, len, false, &got);
    assert_same("adaptive=on");
    assert_int_equal(got.events.count[EV_BT_RETRANSLATE], 2);
    assert_int_equal(got.events.count[EV_BT_REVERT], 1);
    /* As many traces, but no longer by faults. */
    assert_true(got.events.count[EV_FAULT_TRACE] >= 2000);
}

/* ---- Inline sequences ---------------------------------------------------- */

GUEST(sensitive, "mov $100, %ecx\n"
                 "xor %r11d, %r11d\n"
                 "1: pushf\n"
                 "cli\n"
                 "popf\n"
                 "mov %r11, %cr8\n"
                 "mov %cr8, %r12\n"
                 "swapgs\n"
                 "swapgs\n"
                 "rdtsc\n"
                 "in $0x80, %al\n"
                 "dec %ecx\n"
                 "jnz 1b\n"
                 "xor %eax, %eax\n"
                 "xor %edx, %edx");

/* What a sequence does is no exit; a callout is one each time. */
static void test_inline(void **state)
{
    static const struct {
        enum tm_event event;
        uint64_t count;
    } callouts[] = {{EV_EXIT_IF, 300},
                    {EV_EXIT_CR, 200},
                    {EV_EXIT_RDTSC, 100},
                    {EV_EXIT_IO, 100}};
    const size_t len = GUEST_LEN(sensitive);

    (void)state;
    run(&backend_interp, NULL, guest_sensitive, len, false, &expected);
    run(&backend_bt, NULL, guest_sensitive, len, false, &got);
    assert_same("inline=on");
    for (unsigned k = 0; k < sizeof(callouts) / sizeof(callouts[0]); k++)
        assert_int_equal(got.events.count[callouts[k].event], 0);
    run(&backend_bt, "bt-inline=off", guest_sensitive, len, false, &got);
    assert_same("inline=off");
    for (unsigned k = 0; k < sizeof(callouts) / sizeof(callouts[0]); k++)
        assert_int_equal(got.events.count[callouts[k].event],
                         callouts[k].count);
}

/* ---- A full cache -------------------------------------------------------- */

/* 8192 units, more than fit the smallest cache, three times. */
GUEST(large, "mov $3, %ecx\n"
             "1:\n"
             ".rept 8192\n"
             "add $1, %rax\n"
             "jc 2f\n"
             "2:\n"
             ".endr\n"
             "call 3f\n"
             "dec %ecx\n"
             "jnz 1b\n"
             "jmp 4f\n"
             "3: lea 5f(%rip), %rdx\n"
             "jmp *%rdx\n"
             "5: ret\n"
             "4:");

static void test_full_cache(void **state)
{
    static const char *const options[] = {"bt-cache=256",
                                          "bt-cache=256,bt-chain=off"};

    (void)state;
    run(&backend_interp, NULL, guest_large, GUEST_LEN(large), false, &expected);
    for (unsigned k = 0; k < 2; k++) {
        run(&backend_bt, options[k], guest_large, GUEST_LEN(large), false,
            &got);
        assert_same(options[k]);
        assert_true(got.events.count[EV_BT_FLUSH] >= 3);
    }
    run(&backend_bt, NULL, guest_large, GUEST_LEN(large), false, &got);
    assert_int_equal(got.events.count[EV_BT_FLUSH], 0);
    assert_in_range(got.events.count[EV_BT_TRANSLATE], 8192, 8300);
}

/* ---- Interrupts anywhere ------------------------------------------------- */

/* Every sequence that takes several instructions of the host. */
GUEST(long_loop, "xor %edx, %edx\n"
                 "1: stc\n"
                 "pushfq\n"
                 "popq 0x800(%rbx)\n"
                 "push 0x800(%rbx)\n"
                 "popfq\n"
                 "adc %rdx, %rax\n"
                 "call 2f\n"
                 "lea 2f(%rip), %r8\n"
                 "call *%r8\n"
                 "mov %rbx, %rsi\n"
                 "lea 0x1000(%rbx), %rdi\n"
                 "mov $20, %ecx\n"
                 "rep movsb\n"
                 "xor %r9d, %r9d\n"
                 "cmp %rdx, %rax\n"
                 "mov %r9, %cr8\n"
                 "adc $0, %rax\n"
                 "swapgs\n"
                 "add %rax, %gs:8\n"
                 "swapgs\n"
                 "add %gs:8, %rax\n"
                 "mov $3, %ecx\n"
                 "3: inc %rax\n"
                 "loop 3b\n"
                 "push %rax\n"
                 "push %rdx\n"
                 "pop %r10\n"
                 "pop %r11\n"
                 "inc %rdx\n"
                 "cmp $30000, %rdx\n"
                 "jb 1b\n"
                 "jmp 4f\n"
                 "2: rol $3, %rax\n"
                 "xor %rdx, %rax\n"
                 "ret\n"
                 "4:");

static void test_kicks(void **state)
{
    static const char *const options[] = {NULL, "bt-unit=1", "bt-chain=off"};
    const size_t len = (size_t)(guest_long_loop_end - guest_long_loop);
    uint64_t back = 0;

    (void)state;
    run(&backend_interp, NULL, guest_long_loop, len, false, &expected);
    for (unsigned n = 0; n < 10; n++)
        for (unsigned k = 0; k < 3; k++) {
            back +=
                run(&backend_bt, options[k], guest_long_loop, len, true, &got);
            assert_same("kicked");
        }
    assert_true(back > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_self_modifying),
        cmocka_unit_test(test_adaptation),
        cmocka_unit_test(test_inline),
        cmocka_unit_test(test_full_cache),
        cmocka_unit_test(test_kicks),
    };
    char why[REASON_MAX];

    if (backend_bt.probe(why)) {
        print_message("skipped: %s\n", why);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
