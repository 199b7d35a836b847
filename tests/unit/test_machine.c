/* The loader and the run loop, with a scripted backend in place of a CPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/devices/lapic.h"
#include "backends/machine/internal.h"
#include "guest/abi/abi.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- A backend whose run() is the test's own ------------------------------ */

static int (*script)(struct vm *vm, struct vm_exit *e);
static struct x86_state script_state;
static unsigned script_calls, script_syncs;

static int fake_probe(char why[REASON_MAX])
{
    why[0] = '\0';
    return 0;
}

static const char *fake_paging(void)
{
    return "none";
}

static int fake_create(struct vm *vm, char why[REASON_MAX])
{
    (void)vm, (void)why;
    script_calls = script_syncs = 0;
    return 0;
}

static void fake_destroy(struct vm *vm)
{
    (void)vm;
}

static int fake_get_state(struct vm *vm, struct x86_state *s)
{
    (void)vm;
    *s = script_state;
    return 0;
}

static int fake_set_state(struct vm *vm, const struct x86_state *s)
{
    (void)vm;
    script_state = *s;
    return 0;
}

static int fake_run(struct vm *vm, struct vm_exit *e)
{
    __atomic_fetch_and(&vm->attention, ~ATTN_KICK, __ATOMIC_SEQ_CST);
    script_calls++;
    return script(vm, e);
}

static void fake_kick(struct vm *vm)
{
    __atomic_fetch_or(&vm->attention, ATTN_KICK, __ATOMIC_SEQ_CST);
}

static void fake_sync(struct vm *vm)
{
    (void)vm;
    script_syncs++;
}

static const struct backend fake = {
    .name = "fake",
    .class = BACKEND_VCPU,
    .caps = CAP_DETERMINISTIC,
    .probe = fake_probe,
    .paging = fake_paging,
    .vm_size = sizeof(struct vm),
    .create = fake_create,
    .destroy = fake_destroy,
    .get_state = fake_get_state,
    .set_state = fake_set_state,
    .run = fake_run,
    .kick = fake_kick,
    .sync_events = fake_sync,
};

/* ---- A kernel image ---------------------------------------------------------- */

struct image {
    Elf64_Ehdr eh;
    Elf64_Phdr ph[3]; /* code, data, note */
    struct {
        Elf64_Nhdr nh;
        char name[12];
        uint32_t version;
    } note;
    uint8_t code[64];
    uint8_t data[64];
};

static char dir[] = "/tmp/trapmark-machine-XXXXXX";
static char kernel_path[64], initrd_path[64];

static struct image good_image(void)
{
    struct image i = {
        .eh =
            {
                .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
                .e_type = ET_DYN,
                .e_machine = EM_X86_64,
                .e_version = 1,
                .e_entry = 0x40,
                .e_phoff = offsetof(struct image, ph),
                .e_ehsize = sizeof(Elf64_Ehdr),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = 3,
            },
        .ph =
            {
                {
                    .p_type = PT_LOAD,
                    .p_flags = PF_R | PF_X,
                    .p_offset = offsetof(struct image, code),
                    .p_vaddr = 0x30,
                    .p_paddr = TM_KERNEL_PHYS + 0x30,
                    .p_filesz = 64,
                    .p_memsz = 64,
                },
                {
                    .p_type = PT_LOAD,
                    .p_flags = PF_R | PF_W,
                    .p_offset = offsetof(struct image, data),
                    .p_vaddr = 0x1000,
                    .p_paddr = TM_KERNEL_PHYS + 0x1000,
                    .p_filesz = 64,
                    .p_memsz = 0x2000,
                },
                {
                    .p_type = PT_NOTE,
                    .p_offset = offsetof(struct image, note),
                    .p_filesz = 28,
                    .p_memsz = 28,
                    .p_align = 4,
                },
            },
        .note = {{9, 4, TM_NOTE_ABI}, TM_NOTE_NAME, TM_ABI_VERSION},
    };

    memset(i.code, 0xc0, sizeof(i.code));
    memset(i.data, 0xda, sizeof(i.data));
    return i;
}
_Static_assert(sizeof(((struct image *)0)->note) == 28, "note size");

static void write_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void assert_refused(const struct image *i, size_t len, const char *text)
{
    char why[REASON_MAX] = "";

    write_file(kernel_path, i, len);
    if (machine_check_kernel(kernel_path, why) >= 0)
        fail_msg("accepted, expected '%s'", text);
    if (!strstr(why, text) || strchr(why, '\n') || !strstr(why, kernel_path))
        fail_msg("'%s' instead of '%s'", why, text);
}

static struct machine_config config(void)
{
    return (struct machine_config){
        .backend = &fake,
        .kernel = kernel_path,
        .cmdline = "bench=in",
        .ram_size = 4 << 20,
        .tsc_khz = 2000000,
    };
}

static struct machine *create(const struct machine_config *c)
{
    struct image i = good_image();
    char why[REASON_MAX] = "";
    struct machine *m;

    write_file(kernel_path, &i, sizeof(i));
    m = machine_create(c, why);
    if (!m)
        fail_msg("%s", why);
    return m;
}

/* ---- The loader --------------------------------------------------------------- */

static void test_bad_headers(void **state)
{
    char why[REASON_MAX];
    struct image i = good_image();

    (void)state;
    assert_int_equal(machine_check_kernel("/nonexistent", why), -ENOENT);
    assert_non_null(strstr(why, "/nonexistent: cannot open"));
    assert_int_equal(machine_check_kernel("/dev", why), -EINVAL);
    assert_refused(&i, 0, "not an ELF file");
    assert_refused(&i, 3, "not an ELF file");
    assert_refused(&i, 10, "truncated: ELF header");
    assert_refused(&i, 40, "truncated: ELF header");
    assert_refused(&i, 100, "truncated: program headers");
    assert_refused(&i, offsetof(struct image, data) + 63, "segment 1");
    i.eh.e_ident[0] = '#';
    assert_refused(&i, sizeof(i), "not an ELF file");
    i = good_image();
    i.eh.e_ident[EI_CLASS] = ELFCLASS32;
    assert_refused(&i, sizeof(i), "32-bit");
    i = good_image();
    i.eh.e_machine = EM_AARCH64;
    assert_refused(&i, sizeof(i), "another machine");
    i = good_image();
    i.eh.e_type = ET_REL;
    assert_refused(&i, sizeof(i), "not an executable");
    i = good_image();
    i.eh.e_phnum = 0;
    assert_refused(&i, sizeof(i), "0 program headers");
    i = good_image();
    i.eh.e_phoff = UINT64_MAX - 8;
    assert_refused(&i, sizeof(i), "truncated: program headers");
}

static void test_bad_segments(void **state)
{
    struct image i = good_image();

    (void)state;
    i.ph[1].p_offset = UINT64_MAX;
    assert_refused(&i, sizeof(i), "truncated: segment 1");
    i = good_image();
    i.ph[1].p_memsz = 8;
    assert_refused(&i, sizeof(i), "more bytes in the file");
    i = good_image();
    i.ph[0].p_paddr = 0x7c00;
    assert_refused(&i, sizeof(i), "below 1 MiB");
    i = good_image();
    i.ph[1].p_memsz = UINT64_MAX - 8;
    assert_refused(&i, sizeof(i), "wraps around");
    i = good_image();
    i.ph[1].p_paddr = TM_KERNEL_PHYS + 0x40;
    assert_refused(&i, sizeof(i), "overlap");
    i = good_image();
    i.eh.e_entry = 0x1000;
    assert_refused(&i, sizeof(i), "entry point");
    i = good_image();
    i.eh.e_entry = 0x70; /* one behind the code */
    assert_refused(&i, sizeof(i), "entry point");
}

static void test_bad_notes(void **state)
{
    struct image i = good_image();

    (void)state;
    i.note.version = 7;
    assert_refused(&i, sizeof(i), "speaks ABI 7, this trapmark speaks 2");
    i = good_image();
    i.note.name[0] = 'X';
    assert_refused(&i, sizeof(i), "no Trapmark ABI note");
    i = good_image();
    i.note.nh.n_descsz = UINT32_MAX;
    assert_refused(&i, sizeof(i), "no Trapmark ABI note");
    i = good_image();
    i.note.nh.n_namesz = UINT32_MAX;
    assert_refused(&i, sizeof(i), "no Trapmark ABI note");
    i = good_image();
    i.ph[2].p_type = PT_NULL;
    assert_refused(&i, sizeof(i), "no Trapmark ABI note");
}

/* Damaged images are refused or loaded, never more. */
static void test_random_damage(void **state)
{
    struct machine_config c = config();
    char why[REASON_MAX];

    (void)state;
    srand(1);
    for (int round = 0; round < 3000; round++) {
        struct image i = good_image();
        struct machine *m;

        for (int n = 1 + rand() % 4; n; n--)
            ((uint8_t *)&i)[rand() % offsetof(struct image, code)] = rand();
        write_file(kernel_path, &i,
                   rand() % 4 ? sizeof(i) : (size_t)rand() % sizeof(i));
        if (machine_check_kernel(kernel_path, why) < 0)
            continue;
        if (round % 8)
            continue;
        m = machine_create(&c, why);
        machine_destroy(m);
    }
}

static void test_does_not_fit(void **state)
{
    struct machine_config c = config();
    struct image i = good_image();
    char why[REASON_MAX];

    (void)state;
    i.ph[1].p_memsz = 64 << 20;
    write_file(kernel_path, &i, sizeof(i));
    assert_null(machine_create(&c, why));
    assert_non_null(strstr(why, "outside 4 MiB of RAM"));

    i = good_image();
    write_file(kernel_path, &i, sizeof(i));
    c.initrd = "/nonexistent";
    assert_null(machine_create(&c, why));
    assert_non_null(strstr(why, "/nonexistent: cannot open initrd"));
    c.initrd = initrd_path;
    write_file(initrd_path, "", 0);
    assert_null(machine_create(&c, why));
    assert_non_null(strstr(why, "empty"));
    assert_int_equal(truncate(initrd_path, 3 << 20), 0);
    assert_null(machine_create(&c, why));
    assert_non_null(strstr(why, "does not fit"));
    assert_int_equal(truncate(initrd_path, 1 << 30), 0);
    assert_null(machine_create(&c, why));
    assert_non_null(strstr(why, "does not fit"));

    c = config();
    c.ram_size = 3 << 20;
    assert_null(machine_create(&c, why));
    assert_non_null(strstr(why, "multiple of 2 MiB"));
    c = config();
    c.cmdline = calloc(1, 200001);
    assert_non_null(c.cmdline);
    memset((char *)c.cmdline, 'x', 200000);
    assert_null(machine_create(&c, why));
    assert_non_null(strstr(why, "too long"));
    free((char *)c.cmdline);
}

static void test_boot_state(void **state)
{
    struct machine_config c = config();
    uint8_t initrd[5000];
    struct machine *m;
    uint64_t *info, *mod, *map;

    (void)state;
    memset(initrd, 0x1d, sizeof(initrd));
    write_file(initrd_path, initrd, sizeof(initrd));
    c.initrd = initrd_path;
    m = create(&c);
    assert_int_equal(script_state.rip, TM_KERNEL_PHYS + 0x40);
    assert_int_equal(script_state.rflags, 2);
    assert_true(script_state.efer & EFER_LMA);
    assert_int_equal(m->ram.host[TM_KERNEL_PHYS + 0x30], 0xc0);
    assert_int_equal(m->ram.host[TM_KERNEL_PHYS + 0x1000], 0xda);
    assert_int_equal(m->ram.host[TM_KERNEL_PHYS + 0x1040], 0);

    info = ram_ptr(&m->ram, script_state.gpr[RSI], 56);
    assert_non_null(info);
    assert_true(info[0] == (1ull << 32 | TM_PVH_MAGIC));
    assert_int_equal(info[1] >> 32, 1);
    assert_string_equal((char *)m->ram.host + info[3],
                        "bench=in tsc_khz=2000000");
    mod = ram_ptr(&m->ram, info[2], 32);
    assert_int_equal(mod[0] % 4096, 0);
    assert_int_equal(mod[1], sizeof(initrd));
    assert_memory_equal(m->ram.host + mod[0], initrd, sizeof(initrd));
    map = ram_ptr(&m->ram, info[5], 48);
    assert_int_equal((uint32_t)info[6], 2);
    assert_int_equal(map[3] + map[4], m->ram.size);
    machine_destroy(m);

    c = config();
    c.tsc_khz = 0; /* the guest finds out */
    m = create(&c);
    info = ram_ptr(&m->ram, script_state.gpr[RSI], 56);
    assert_string_equal((char *)m->ram.host + info[3], "bench=in");
    assert_in_range(m->tsc_khz, 100000, 10000000);
    machine_destroy(m);
}

/* Translate by hand through the tables that machine_long_mode() writes. */
static void test_long_mode(void **state)
{
    char why[REASON_MAX];
    struct machine *m = machine_create_bare(&fake, 4 << 20, false, why);
    struct x86_state s;

    (void)state;
    assert_non_null(m);
    machine_long_mode(m, &s, 0x3000, 3);
    assert_int_equal(s.seg[CS].sel & 3, 3);
    assert_int_equal(SEG_DPL(s.seg[SS].attr), 3);
    assert_int_equal(s.cr3, 0x3000);
    for (uint64_t va = 0; va < 1ull << 32; va += 0x1234567) {
        uint64_t e = s.cr3;

        for (int shift = 39; shift >= 21; shift -= 9) {
            uint64_t *t = ram_ptr(&m->ram, e & ~4095ull, 4096);

            assert_non_null(t);
            e = t[va >> shift & 511];
            assert_int_equal(e & 7, 7);
        }
        assert_int_equal(e & 0x80, 0x80);
        assert_int_equal((e & ~0x1fffffull) + (va & 0x1fffff), va);
    }
    assert_int_equal(m->vm->bus->io_read(m->vm->bus->opaque, 0x80, 1), 0xff);
    assert_int_equal(m->vm->bus->irq_ack(m->vm->bus->opaque), -1);
    assert_int_equal(m->vm->events.count[EV_EXIT_IO], 1);
    machine_destroy(m);
}

/* ---- The run loop ------------------------------------------------------------ */

static void io_out(struct vm *vm, uint16_t port, unsigned size, uint64_t v)
{
    vm->bus->io_write(vm->bus->opaque, port, size, v);
}

static void mmio_out(struct vm *vm, gpa_t gpa, uint32_t v)
{
    vm->bus->mmio_write(vm->bus->opaque, gpa, 4, v);
}

static void lapic_out(struct vm *vm, unsigned reg, uint32_t v)
{
    mmio_out(vm, TM_LAPIC_GPA + reg * 16, v);
}

static int finish(struct vm *vm, struct vm_exit *e)
{
    io_out(vm, TM_PORT_EXIT, 1, TM_EXIT_OK);
    assert_true(vm->attention & ATTN_KICK);
    e->kind = EXIT_HLT_DEAD; /* power-off goes first */
    return 0;
}

static enum machine_end run(const struct machine_config *c,
                            int (*s)(struct vm *, struct vm_exit *),
                            struct machine_result *r)
{
    struct machine *m = create(c);

    script = s;
    machine_run(m, r);
    machine_destroy(m);
    assert_true((r->end == END_OK) == !r->why[0]);
    return r->end;
}

static int do_panic(struct vm *vm, struct vm_exit *e)
{
    io_out(vm, TM_PORT_EXIT, 1, TM_EXIT_PANIC);
    io_out(vm, TM_PORT_EXIT, 1, TM_EXIT_OK); /* too late */
    e->kind = EXIT_KICKED;
    return 0;
}

static int do_shutdown(struct vm *vm, struct vm_exit *e)
{
    (void)vm;
    e->kind = EXIT_SHUTDOWN;
    e->rip = 0x1234;
    return 0;
}

static int do_dead(struct vm *vm, struct vm_exit *e)
{
    (void)vm;
    e->kind = EXIT_HLT_DEAD;
    return 0;
}

static int do_hlt(struct vm *vm, struct vm_exit *e)
{
    (void)vm;
    e->kind = EXIT_HLT;
    return 0;
}

static int do_emulation(struct vm *vm, struct vm_exit *e)
{
    static const uint8_t insn[] = {0x0f, 0x01, 0xd0, 0x90, 0x90};

    (void)vm;
    e->kind = EXIT_EMULATION;
    e->rip = 0xabc;
    memcpy(e->insn, insn, sizeof(insn));
    e->insn_len = sizeof(insn);
    return 0;
}

static int do_fail(struct vm *vm, struct vm_exit *e)
{
    (void)vm;
    snprintf(e->why, sizeof(e->why), "out of luck");
    return -EIO;
}

static void test_ends(void **state)
{
    struct machine_config c = config();
    struct machine_result r;

    (void)state;
    assert_int_equal(run(&c, finish, &r), END_OK);
    assert_int_equal(r.exit_code, TM_EXIT_OK);
    assert_int_equal(r.all.count[EV_EXIT_IO], 1);
    assert_true(r.total_ticks > 0);
    assert_int_equal(run(&c, do_panic, &r), END_PANIC);
    assert_int_equal(r.exit_code, TM_EXIT_PANIC);
    assert_int_equal(run(&c, do_shutdown, &r), END_SHUTDOWN);
    assert_string_equal(r.why, "triple fault at rip 0x1234");
    assert_int_equal(run(&c, do_dead, &r), END_DEAD);
    assert_non_null(strstr(r.why, "interrupts off"));
    assert_int_equal(run(&c, do_hlt, &r), END_DEAD);
    assert_non_null(strstr(r.why, "no timer armed"));
    assert_int_equal(run(&c, do_emulation, &r), END_EMULATION);
    assert_string_equal(
        r.why, "fake: cannot emulate 'xgetbv' (0f 01 d0) at rip 0xabc");
    assert_int_equal(run(&c, do_fail, &r), END_ERROR);
    assert_string_equal(r.why, "fake: out of luck");
}

/* Sleeps until a timer interrupt a virtual second away, then ends. */
static int do_timer_sleep(struct vm *vm, struct vm_exit *e)
{
    if (script_calls == 1) {
        lapic_out(vm, LAPIC_SVR, 0x1ff);
        lapic_out(vm, LAPIC_DIVIDE, 0xb);
        lapic_out(vm, LAPIC_LVT, 0x40);
        lapic_out(vm, LAPIC_INITIAL, vm->deterministic ? 1000000000 : 20000000);
        vm->retired += 100;
        e->kind = EXIT_HLT;
        return 0;
    }
    assert_int_equal(vm->bus->irq_ack(vm->bus->opaque), 0x40);
    lapic_out(vm, LAPIC_EOI, 0);
    return finish(vm, e);
}

static uint64_t ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void test_idle(void **state)
{
    struct machine_config c = config();
    struct machine_result r;
    struct machine *m;
    uint64_t begin;

    (void)state;
    c.tsc_khz = 0;
    begin = ns();
    assert_int_equal(run(&c, do_timer_sleep, &r), END_OK);
    assert_true(ns() - begin >= 20000000); /* 20 ms of real sleep */
    assert_true(r.all.ticks[EV_EXIT_HLT] < r.total_ticks / 2);

    c.deterministic = true; /* a second, skipped */
    begin = ns();
    m = create(&c);
    script = do_timer_sleep;
    machine_run(m, &r);
    assert_int_equal(r.end, END_OK);
    assert_int_equal(m->bus.now(m), 1000000000);
    assert_int_equal(m->skipped, 1000000000 - 100);
    assert_true(ns() - begin < 900000000);
    assert_int_equal(r.total_ticks, 0);
    for (int i = 0; i < EV_COUNT; i++)
        assert_int_equal(r.all.ticks[i], 0);
    machine_destroy(m);
}

static int do_timer_exit(struct vm *vm, struct vm_exit *e)
{
    if (script_calls == 1) {
        lapic_out(vm, LAPIC_SVR, 0x1ff);
        lapic_out(vm, LAPIC_LVT, 0x40000 | 0x41);
        assert_true(vm->bus->msr_write(vm->bus->opaque, MSR_TSC_DEADLINE,
                                       vm->bus->now(vm->bus->opaque) + 500));
        assert_int_equal(vm->deadline, 500);
        vm->retired = 500;
        e->kind = EXIT_TIMER;
        return 0;
    }
    assert_true(vm->attention & ATTN_IRQ);
    assert_int_equal(vm->bus->irq_ack(vm->bus->opaque), 0x41);
    assert_false(vm->attention & ATTN_IRQ);
    assert_true(vm->deadline == UINT64_MAX);
    return finish(vm, e);
}

static void test_timer_exit(void **state)
{
    struct machine_config c = config();
    struct machine_result r;

    (void)state;
    c.deterministic = true;
    assert_int_equal(run(&c, do_timer_exit, &r), END_OK);
}

/* A masked periodic timer wakes nobody, but does not make a halt dead. */
static int do_sleep_forever(struct vm *vm, struct vm_exit *e)
{
    lapic_out(vm, LAPIC_SVR, 0x1ff);
    lapic_out(vm, LAPIC_TPR, 0xff);
    lapic_out(vm, LAPIC_LVT, 0x20040);
    lapic_out(vm, LAPIC_INITIAL, 1000000);
    e->kind = EXIT_HLT;
    return 0;
}

static void *stop_later(void *m)
{
    usleep(30000);
    machine_stop(m);
    return NULL;
}

static int do_spin(struct vm *vm, struct vm_exit *e)
{
    while (!(vm->attention & ATTN_KICK))
        ;
    e->kind = EXIT_KICKED;
    return 0;
}

static void test_stop(void **state)
{
    static int (*const scripts[])(struct vm *, struct vm_exit *) = {
        do_sleep_forever, do_spin};
    struct machine_config c = config();
    struct machine_result r;
    pthread_t t;

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct machine *m;

        c.deterministic = i >= 2;
        m = create(&c);
        script = scripts[i % 2];
        assert_int_equal(pthread_create(&t, NULL, stop_later, m), 0);
        machine_run(m, &r);
        pthread_join(t, NULL);
        assert_int_equal(r.end, END_STOPPED);
        machine_run(m, &r); /* stays stopped */
        assert_int_equal(r.end, END_STOPPED);
        machine_destroy(m);
    }
}

/* ---- Regions ------------------------------------------------------------------ */

static uint32_t rung[16];
static unsigned rings;

static void on_ring(void *opaque, uint32_t value)
{
    assert_ptr_equal(opaque, rung);
    rung[rings++] = value;
}

static int do_regions(struct vm *vm, struct vm_exit *e)
{
    io_out(vm, TM_PORT_POST, 1, 0); /* outside */
    for (int round = 0; round < 3; round++) {
        io_out(vm, TM_PORT_DOORBELL, 4, TM_DB_KERNEL_BEGIN);
        for (int i = 0; i < 10; i++)
            vm->bus->io_read(vm->bus->opaque, TM_PORT_POST, 1);
        mmio_out(vm, TM_VIRTIO_GPA + 0x70, 0);
        io_out(vm, TM_PORT_DOORBELL, 4, TM_DB_KERNEL_END);
        io_out(vm, TM_PORT_POST, 1, 0);
        io_out(vm, TM_PORT_DOORBELL, 4, TM_DB_CONTROL_BEGIN);
        io_out(vm, TM_PORT_DOORBELL, 4, TM_DB_CONTROL_END);
    }
    return finish(vm, e);
}

static void test_regions(void **state)
{
    struct machine_config c = config();
    struct machine_result r;

    (void)state;
    c.doorbell = on_ring;
    c.opaque = rung;
    rings = 0;
    assert_int_equal(run(&c, do_regions, &r), END_OK);
    assert_int_equal(rings, 12);
    assert_int_equal(rung[0], TM_DB_KERNEL_BEGIN);
    assert_int_equal(rung[11], TM_DB_CONTROL_END);
    assert_int_equal(r.kernel_regions, 3);
    assert_int_equal(r.control_regions, 3);
    assert_int_equal(r.kernel.count[EV_EXIT_IO], 30);
    assert_int_equal(r.kernel.count[EV_EXIT_MMIO], 3);
    for (int i = 0; i < EV_COUNT; i++) {
        assert_int_equal(r.control.count[i], 0);
        assert_int_equal(r.control.ticks[i], 0);
    }
    assert_true(r.kernel_vmm_ticks > 0);
    assert_true(r.kernel_vmm_ticks <= r.kernel_ticks);
    assert_true(r.kernel_ticks < r.total_ticks);
    assert_int_equal(r.all.count[EV_EXIT_IO], 30 + 12 + 3 + 1 + 1);
    assert_int_equal(script_syncs, 13);
    assert_string_equal(r.warning, "");
}

static int do_nested(struct vm *vm, struct vm_exit *e)
{
    static const uint32_t values[] = {
        TM_DB_KERNEL_END,  TM_DB_KERNEL_BEGIN, TM_DB_CONTROL_BEGIN,
        TM_DB_CONTROL_END, TM_DB_KERNEL_END,   0,
        77,                UINT32_MAX};

    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        io_out(vm, TM_PORT_DOORBELL, 4, values[i]);
    return finish(vm, e);
}

static void test_nested_regions(void **state)
{
    struct machine_config c = config();
    struct machine_result r;

    (void)state;
    assert_int_equal(run(&c, do_nested, &r), END_OK);
    assert_int_equal(r.kernel_regions, 0);
    assert_int_equal(r.control_regions, 1);
    assert_non_null(strstr(r.warning, "had not begun"));
}

/* ---- Lines ------------------------------------------------------------------- */

static char lines[4][128];
static size_t lengths[4];
static unsigned line_count;

static void on_line(void *opaque, const char *text, size_t len)
{
    (void)opaque;
    assert_int_equal(text[len], '\0');
    assert_true(line_count < 4);
    lengths[line_count] = len;
    snprintf(lines[line_count++], sizeof(lines[0]), "%.100s", text);
}

static int do_print(struct vm *vm, struct vm_exit *e)
{
    for (const char *p = "one\r\n\n"; *p; p++)
        io_out(vm, TM_COM1_PORT, 1, *p);
    for (int i = 0; i < MACHINE_LINE_MAX + 5; i++)
        io_out(vm, TM_COM1_PORT, 1, 'x');
    for (const char *p = "\npart"; *p; p++)
        io_out(vm, TM_COM1_PORT, 1, *p);
    return finish(vm, e);
}

static void test_lines(void **state)
{
    struct machine_config c = config();
    struct machine_result r;

    (void)state;
    c.line = on_line;
    line_count = 0;
    assert_int_equal(run(&c, do_print, &r), END_OK);
    assert_int_equal(line_count, 4);
    assert_string_equal(lines[0], "one");
    assert_string_equal(lines[1], "");
    assert_int_equal(lengths[2], MACHINE_LINE_MAX);
    assert_string_equal(lines[3], "part");
}

static int group_setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(kernel_path, sizeof(kernel_path), "%s/kernel", dir);
    snprintf(initrd_path, sizeof(initrd_path), "%s/initrd", dir);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    unlink(kernel_path);
    unlink(initrd_path);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_bad_segments),
        cmocka_unit_test(test_bad_notes),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_does_not_fit),
        cmocka_unit_test(test_boot_state),
        cmocka_unit_test(test_long_mode),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_timer_exit),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_nested_regions),
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
