/* The KVM backend on bare vCPUs: exits, kicks, state, counters, and the probe.
 */
#include "backends/kvm/probe.h"
#include "backends/machine/machine.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>
#include <cmocka.h>

#define RAM_SIZE (4u << 20)
#define CODE_GPA 0x1000
#define TABLES_GPA 0x10000
#define MMIO_GPA 0xd0000000
#define PORT_DATA 0xd8 /* neither is a port of KVM's own devices */
#define PORT_DONE 0xd9 /* ends run() */

struct rig {
    struct machine *m;
    struct vm *vm;
    struct vm_bus bus;
    struct x86_state s;
    uint64_t io_out, mmio_out;
    unsigned io_count;
};

static const struct backend *kvm;
static char unavailable[REASON_MAX];

static uint64_t rig_io_read(void *opaque, uint16_t port, unsigned size)
{
    struct rig *r = opaque;

    r->io_count++;
    return port == PORT_DATA ? 0x5a6b7c8dull >> (32 - 8 * size) : ~0ull;
}

static void rig_io_write(void *opaque, uint16_t port, unsigned size, uint64_t v)
{
    struct rig *r = opaque;

    (void)size;
    r->io_count++;
    if (port == PORT_DATA)
        r->io_out = v;
    if (port == PORT_DONE)
        kvm->kick(r->vm);
}

static uint64_t rig_mmio_read(void *opaque, gpa_t gpa, unsigned size)
{
    (void)opaque;
    (void)size;
    return gpa * 3;
}

static void rig_mmio_write(void *opaque, gpa_t gpa, unsigned size, uint64_t v)
{
    struct rig *r = opaque;

    if (gpa == MMIO_GPA && size == 4)
        r->mmio_out = v;
}

static uint64_t rig_now(void *opaque)
{
    (void)opaque;
    return __rdtsc();
}

/* A vCPU in 64-bit mode at the given CPL, about to execute code. */
static struct rig *rig_new(int cpl, const void *code, size_t len)
{
    struct rig *r;
    char why[REASON_MAX];

    if (!kvm) {
        print_message("no KVM: %s\n", unavailable);
        skip();
    }
    r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->m = machine_create_bare(kvm, RAM_SIZE, false, why);
    if (!r->m)
        fail_msg("%s", why);
    r->vm = machine_vm(r->m);
    r->bus = *r->vm->bus;
    r->bus.opaque = r;
    r->bus.io_read = rig_io_read;
    r->bus.io_write = rig_io_write;
    r->bus.mmio_read = rig_mmio_read;
    r->bus.mmio_write = rig_mmio_write;
    r->bus.now = rig_now;
    r->vm->bus = &r->bus;
    memcpy(r->vm->ram->host + CODE_GPA, code, len);
    machine_long_mode(r->m, &r->s, TABLES_GPA, cpl);
    r->s.rip = CODE_GPA;
    r->s.rflags |= FL_IOPL; /* ports at CPL 3 as well */
    r->s.gpr[RSP] = TABLES_GPA;
    r->s.gpr[RDI] = MMIO_GPA;
    assert_int_equal(kvm->set_state(r->vm, &r->s), 0);
    return r;
}

static void rig_free(struct rig *r)
{
    machine_destroy(r->m);
    free(r);
}

/* Runs to the end of the program; no test needs more than two seconds. */
static struct vm_exit rig_run(struct rig *r)
{
    struct vm_exit exit;

    r->vm->deadline = __rdtsc() + 8000000000ull;
    kvm->run(r->vm, &exit);
    assert_int_equal(kvm->get_state(r->vm, &r->s), 0);
    return exit;
}

#define CODE(...) ((const uint8_t[]){__VA_ARGS__})
#define RIG(cpl, ...) rig_new(cpl, CODE(__VA_ARGS__), sizeof(CODE(__VA_ARGS__)))
#define OUT_DONE 0xe6, PORT_DONE
#define SPIN 0xeb, 0xfe

/* mov eax, 6; imul eax, eax, 7; out DONE */
static void computes(int cpl)
{
    struct rig *r = RIG(cpl, 0xb8, 6, 0, 0, 0, 0x6b, 0xc0, 7, OUT_DONE, SPIN);
    struct vm_exit exit = rig_run(r);

    assert_int_equal(exit.kind, EXIT_KICKED);
    assert_int_equal(r->s.gpr[RAX], 42);
    assert_int_equal(r->s.rip, CODE_GPA + 10); /* behind the OUT */
    rig_free(r);
}

static void test_computes_at_cpl3(void **state)
{
    (void)state;
    computes(3);
}

static void test_computes_at_cpl0(void **state)
{
    (void)state;
    computes(0);
}

/* in eax, DATA; inc eax; out DATA, eax */
static void test_port_round_trip(void **state)
{
    struct rig *r =
        RIG(3, 0xe5, PORT_DATA, 0xff, 0xc0, 0xe7, PORT_DATA, OUT_DONE, SPIN);

    (void)state;
    assert_int_equal(rig_run(r).kind, EXIT_KICKED);
    assert_int_equal(r->io_out, 0x5a6b7c8e);
    assert_int_equal(r->io_count, 3);
    rig_free(r);
}

/* in al, DATA; out DONE: the read's result arrives although run() ends. */
static void test_last_read_completes(void **state)
{
    struct rig *r = RIG(3, 0xe4, PORT_DATA, OUT_DONE, SPIN);

    (void)state;
    rig_run(r);
    assert_int_equal(r->s.gpr[RAX] & 0xff, 0x5a);
    rig_free(r);
}

/* mov dword [rdi], 0x1234; mov ebx, [rdi + 8]; out DONE */
static void test_mmio(void **state)
{
    struct rig *r =
        RIG(3, 0xc7, 0x07, 0x34, 0x12, 0, 0, 0x8b, 0x5f, 8, OUT_DONE, SPIN);

    (void)state;
    assert_int_equal(rig_run(r).kind, EXIT_KICKED);
    assert_int_equal(r->mmio_out, 0x1234);
    assert_int_equal(r->s.gpr[RBX], (uint32_t)((MMIO_GPA + 8) * 3ull));
    rig_free(r);
}

/* ud2 without an IDT */
static void test_triple_fault(void **state)
{
    struct rig *r = RIG(3, 0x0f, 0x0b);

    (void)state;
    assert_int_equal(rig_run(r).kind, EXIT_SHUTDOWN);
    rig_free(r);
}

/* paddd xmm0, [rdi]: an access to a device, so every KVM must emulate it, and
 * none knows this instruction. */
static void test_failure_names_bytes(void **state)
{
    static const uint8_t paddd[] = {0x66, 0x0f, 0xfe, 0x07};
    struct rig *r = RIG(3, 0x90, 0x66, 0x0f, 0xfe, 0x07, OUT_DONE, SPIN);
    struct vm_exit exit = rig_run(r);

    (void)state;
    assert_int_equal(exit.kind, EXIT_EMULATION);
    assert_int_equal(exit.rip, CODE_GPA + 1);
    assert_in_range(exit.insn_len, sizeof(paddd), sizeof(exit.insn));
    assert_memory_equal(exit.insn, paddd, sizeof(paddd));
    assert_non_null(strstr(exit.why, "66 0f fe 07"));
    assert_non_null(strstr(exit.why, "CPL 3"));
    rig_free(r);
}

/* The other vendor's hypercall is undefined, and KVM's habit of patching it
 * must not make the guest execute it for ever. (No IDT: #UD is a triple fault.)
 */
static void test_hypercalls_end(void **state)
{
    (void)state;
    for (int cpl = 0; cpl <= 3; cpl += 3) {
        struct rig *vmcall = RIG(cpl, 0x0f, 0x01, 0xc1, OUT_DONE, SPIN);
        struct rig *vmmcall = RIG(cpl, 0x0f, 0x01, 0xd9, OUT_DONE, SPIN);

        assert_int_not_equal(rig_run(vmcall).kind, EXIT_TIMER);
        assert_int_not_equal(rig_run(vmmcall).kind, EXIT_TIMER);
        rig_free(vmcall);
        rig_free(vmmcall);
    }
}

/* rdtsc; shl rdx, 32; or rax, rdx; out DONE: the guest reads a clock that runs
 * as the host's does. */
static void test_tsc_rate(void **state)
{
    (void)state;
    for (int cpl = 0; cpl <= 3; cpl += 3) {
        struct rig *r = RIG(cpl, 0x0f, 0x31, 0x48, 0xc1, 0xe2, 32, 0x48, 0x09,
                            0xd0, OUT_DONE, SPIN);
        uint64_t host = __rdtsc(), guest, span;

        assert_int_equal(rig_run(r).kind, EXIT_KICKED);
        guest = r->s.gpr[RAX];
        usleep(20000);
        r->s.rip = CODE_GPA;
        assert_int_equal(kvm->set_state(r->vm, &r->s), 0);
        assert_int_equal(rig_run(r).kind, EXIT_KICKED);
        guest = r->s.gpr[RAX] - guest;
        span = __rdtsc() - host;
        print_message("CPL %d: %llu of %llu ticks\n", cpl,
                      (unsigned long long)guest, (unsigned long long)span);
        assert_in_range(guest, span / 2, span);
        rig_free(r);
    }
}

static void *kick_later(void *vm)
{
    usleep(30000);
    kvm->kick(vm);
    return NULL;
}

static struct vm_exit run_and_kick(struct rig *r)
{
    struct vm_exit exit;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, kick_later, r->vm), 0);
    exit = rig_run(r);
    pthread_join(thread, NULL);
    return exit;
}

static void test_kick_interrupts_a_loop(void **state)
{
    (void)state;
    for (int cpl = 0; cpl <= 3; cpl += 3) {
        struct rig *r = RIG(cpl, SPIN);

        assert_int_equal(run_and_kick(r).kind, EXIT_KICKED);
        assert_int_equal(r->s.rip, CODE_GPA);
        rig_free(r);
    }
}

static void test_early_kick_is_kept(void **state)
{
    struct rig *r = RIG(3, SPIN);

    (void)state;
    kvm->kick(r->vm);
    assert_int_equal(rig_run(r).kind, EXIT_KICKED);
    /* And only once. */
    assert_int_equal(run_and_kick(r).kind, EXIT_KICKED);
    rig_free(r);
}

/* hlt with IF = 0 */
static void test_dead_halt(void **state)
{
    struct rig *kicked = RIG(0, 0xf4), *left_alone = RIG(0, 0xf4);

    (void)state;
    assert_int_equal(run_and_kick(kicked).kind, EXIT_HLT_DEAD);
    assert_int_equal(rig_run(left_alone).kind, EXIT_HLT_DEAD);
    rig_free(kicked);
    rig_free(left_alone);
}

static void test_deadline(void **state)
{
    struct rig *r = RIG(3, SPIN);
    uint64_t begin = __rdtsc();
    struct vm_exit exit;

    (void)state;
    r->vm->deadline = begin + 20000000;
    kvm->run(r->vm, &exit);
    assert_int_equal(exit.kind, EXIT_TIMER);
    assert_true(__rdtsc() >= begin + 20000000);
    rig_free(r);
}

static void test_state_round_trip(void **state)
{
    struct rig *r = RIG(3, SPIN);
    struct x86_state in = r->s, out;

    (void)state;
    for (int i = 0; i < 16; i++)
        in.gpr[i] = 0x1111111111111111ull * i;
    in.seg[FS].base = 0x123456789000;
    in.seg[GS].base = 0xffff800000001000;
    in.kernel_gs_base = 0xffff800000002000;
    in.star = 0x001b001000000000;
    in.lstar = 0xffffffff80001000;
    in.sfmask = 0x47700;
    in.cr2 = 0xdeadb000;
    in.cr8 = 5;
    in.fx.mxcsr = 0x1fa0;
    memset(in.fx.xmm, 0xa5, sizeof(in.fx.xmm));
    assert_int_equal(kvm->set_state(r->vm, &in), 0);
    assert_int_equal(kvm->get_state(r->vm, &out), 0);
    assert_memory_equal(out.gpr, in.gpr, sizeof(in.gpr));
    assert_memory_equal(out.fx.xmm, in.fx.xmm, sizeof(in.fx.xmm));
    for (int i = 0; i < SREG_COUNT; i++) {
        assert_int_equal(out.seg[i].base, in.seg[i].base);
        assert_int_equal(out.seg[i].limit, in.seg[i].limit);
        assert_int_equal(out.seg[i].sel, in.seg[i].sel);
    }
    assert_int_equal(out.seg[CS].attr, in.seg[CS].attr);
    assert_int_equal(out.rip, in.rip);
    assert_int_equal(out.rflags, in.rflags);
    assert_int_equal(out.kernel_gs_base, in.kernel_gs_base);
    assert_int_equal(out.star, in.star);
    assert_int_equal(out.lstar, in.lstar);
    assert_int_equal(out.sfmask, in.sfmask);
    assert_int_equal(out.cr0, in.cr0);
    assert_int_equal(out.cr2, in.cr2);
    assert_int_equal(out.cr3, in.cr3);
    assert_int_equal(out.cr4, in.cr4);
    assert_int_equal(out.cr8, in.cr8);
    assert_int_equal(out.efer, in.efer);
    assert_int_equal(out.apic_base, in.apic_base);
    assert_int_equal(out.fx.mxcsr, in.fx.mxcsr);
    rig_free(r);
}

/* mov ecx, 100; 1: out DATA, al; dec ecx; jnz 1b; out DONE */
static void test_counts_exits(void **state)
{
    struct rig *r = RIG(3, 0xb9, 100, 0, 0, 0, 0xe6, PORT_DATA, 0xff, 0xc9,
                        0x75, 0xfa, OUT_DONE, SPIN);
    uint64_t exits;

    (void)state;
    assert_int_equal(rig_run(r).kind, EXIT_KICKED);
    kvm->sync_events(r->vm);
    assert_int_equal(r->io_count, 101);
    exits = r->vm->events.count[EV_EXIT_TOTAL];
    rig_free(r);
    if (!exits) {
        print_message("this kernel has no KVM statistics\n");
        skip();
    }
    assert_in_range(exits, 101, 100000);
}

static void test_refuses_what_it_cannot_do(void **state)
{
    char why[REASON_MAX] = "";

    (void)state;
    if (!kvm)
        skip();
    assert_null(machine_create_bare(kvm, RAM_SIZE, true, why));
    assert_non_null(strstr(why, "deterministic"));
}

/* Whatever this host is, the label must not claim more than the facts do. */
static void test_probe_is_honest(void **state)
{
    struct kvm_facts f, again;

    (void)state;
    if (kvm_probe_facts(&f)) {
        assert_false(f.available);
        assert_true(f.why[0]);
        assert_string_equal(f.label, "no KVM");
        return;
    }
    print_message("%s; ring 0 / ring 3 = %.1f, port exit %.0f ticks\n", f.label,
                  f.ring0_ratio, f.exit_ticks);
    if (strcmp(f.ring0, "unknown")) {
        assert_true(f.ring0_ratio > 0.3);
        assert_int_equal(f.ring0_ratio > 20, !strcmp(f.ring0, "emulated"));
    }
    if (!f.cpu_flag || strcmp(f.ring0, "hardware"))
        assert_null(strstr(f.label, "hardware"));
    if (!strcmp(f.module, "kvm_pvm"))
        assert_string_equal(f.paging, "shadow");
    kvm_probe_facts(&again);
    assert_true(again.exit_ticks == f.exit_ticks); /* remembered */
}

static int find_kvm(void **state)
{
    const struct backend *found = backend_find("kvm");

    (void)state;
    if (found && found->probe(unavailable) == 0)
        kvm = found;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_computes_at_cpl3),
        cmocka_unit_test(test_computes_at_cpl0),
        cmocka_unit_test(test_port_round_trip),
        cmocka_unit_test(test_last_read_completes),
        cmocka_unit_test(test_mmio),
        cmocka_unit_test(test_triple_fault),
        cmocka_unit_test(test_failure_names_bytes),
        cmocka_unit_test(test_hypercalls_end),
        cmocka_unit_test(test_tsc_rate),
        cmocka_unit_test(test_kick_interrupts_a_loop),
        cmocka_unit_test(test_early_kick_is_kept),
        cmocka_unit_test(test_dead_halt),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_state_round_trip),
        cmocka_unit_test(test_counts_exits),
        cmocka_unit_test(test_refuses_what_it_cannot_do),
        cmocka_unit_test(test_probe_is_honest),
    };

    return cmocka_run_group_tests(tests, find_kvm, NULL);
}
