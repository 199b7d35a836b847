/* The loader: what kernels it refuses, and the state that a guest starts in. */
#include "machine_fixture.h"

#include <errno.h>

static void assert_refused(const struct image *i, size_t len, const char *text)
{
    char why[REASON_MAX] = "";

    write_file(kernel_path, i, len);
    if (machine_check_kernel(kernel_path, why) >= 0)
        fail_msg("accepted, expected '%s'", text);
    if (!strstr(why, text) || strchr(why, '\n') || !strstr(why, kernel_path))
        fail_msg("'%s' instead of '%s'", why, text);
}

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
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
