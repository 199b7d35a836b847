/* Unit tests of the note reader: good images, every kind of damaged one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/notes.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An ELF file of one program header and the notes behind it. */
struct image {
    Elf64_Ehdr eh;
    Elf64_Phdr ph;
    struct {
        Elf64_Nhdr n;
        char name[12];
        uint32_t version;
    } abi;
    struct {
        Elf64_Nhdr n;
        char name[12];
        struct tm_note_bench desc;
    } bench;
};

static struct image good(void)
{
    struct image i = {
        .eh = {.e_type = ET_DYN,
               .e_machine = EM_X86_64,
               .e_phoff = offsetof(struct image, ph),
               .e_phnum = 1,
               .e_phentsize = sizeof(Elf64_Phdr)},
        .ph = {.p_type = PT_NOTE,
               .p_offset = offsetof(struct image, abi),
               .p_filesz = sizeof(i.abi) + sizeof(i.bench)},
        .abi = {{9, 4, TM_NOTE_ABI}, TM_NOTE_NAME, TM_ABI_VERSION},
        .bench = {{9, sizeof(struct tm_note_bench), TM_NOTE_BENCH},
                  TM_NOTE_NAME,
                  {"in", "micro", "port read", "Reads a port", TM_BENCH_PAPER,
                   0}},
    };

    memcpy(i.eh.e_ident, ELFMAG, SELFMAG);
    i.eh.e_ident[EI_CLASS] = ELFCLASS64;
    i.eh.e_ident[EI_DATA] = ELFDATA2LSB;
    return i;
}

static void refused(const struct image *i, size_t len, const char *reason)
{
    struct bench_list list = {0};
    char why[REASON_MAX] = "";
    void *copy = malloc(len ? len : 1); /* so that overruns are seen */

    memcpy(copy, i, len);
    assert_true(notes_read_elf(&list, copy, len, false, "x", why) < 0);
    if (!strstr(why, reason))
        fail_msg("'%s' doesn't say '%s'", why, reason);
    free(copy);
    bench_list_free(&list);
}

static void good_image(void **state)
{
    struct image i = good();
    struct bench_list list = {0};
    char why[REASON_MAX];

    (void)state;
    assert_int_equal(notes_read_elf(&list, &i, sizeof(i), true, "x", why), 0);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.v[0].note.name, "in");
    assert_string_equal(list.v[0].note.summary, "Reads a port");
    assert_int_equal(list.v[0].note.flags, TM_BENCH_PAPER);
    assert_true(list.v[0].user);
    /* The same again: a name may occur once. */
    assert_true(notes_read_elf(&list, &i, sizeof(i), true, "x", why) < 0);
    assert_non_null(strstr(why, "twice"));
    bench_list_free(&list);
}

static void damaged_images(void **state)
{
    struct image i = good();

    (void)state;
    refused(&i, 0, "not an ELF");
    refused(&i, 3, "not an ELF");
    refused(&i, 20, "truncated");
    refused(&i, sizeof(i.eh) + 8, "truncated");
    refused(&i, sizeof(i) - 8, "truncated");
    i.eh.e_ident[EI_CLASS] = ELFCLASS32;
    refused(&i, sizeof(i), "not an x86-64");
    i = good();
    i.eh.e_machine = EM_AARCH64;
    refused(&i, sizeof(i), "not an x86-64");
    i = good();
    i.eh.e_phoff = UINT64_MAX - 8;
    refused(&i, sizeof(i), "truncated");
    i = good();
    i.ph.p_type = PT_LOAD;
    i.ph.p_offset = UINT64_MAX - 8;
    refused(&i, sizeof(i), "truncated");
}

static void bad_notes(void **state)
{
    struct image i = good();

    (void)state;
    i.abi.version = 99;
    refused(&i, sizeof(i), "ABI version 99");
    i = good();
    i.abi.name[0] = 'X';
    refused(&i, sizeof(i), "no Trapmark ABI note");
    i = good();
    i.bench.n.n_descsz = 0xfffffffc;
    refused(&i, sizeof(i), "runs past");
    i = good();
    i.bench.n.n_namesz = 0xffffffff;
    refused(&i, sizeof(i), "runs past");
    i = good();
    i.bench.n.n_descsz = 100;
    refused(&i, sizeof(i), "100 bytes");
    i = good();
    memset(i.bench.desc.summary, 'a', sizeof(i.bench.desc.summary));
    refused(&i, sizeof(i), "malformed");
    i = good();
    strcpy(i.bench.desc.name, "a b");
    refused(&i, sizeof(i), "malformed");
    i = good();
    i.bench.desc.name[0] = '\0';
    refused(&i, sizeof(i), "malformed");
}

static void grids(void **state)
{
    struct image i = good();
    struct bench_list list = {0};
    char why[REASON_MAX];

    (void)state;
    strcpy(i.bench.desc.grid, "updates=0,16 switches=4");
    assert_int_equal(notes_read_elf(&list, &i, sizeof(i), true, "x", why), 0);
    assert_int_equal(grid_points(&list.v[0].grid), 2);
    bench_list_free(&list);
    strcpy(i.bench.desc.grid, "updates=0,16 switches");
    refused(&i, sizeof(i),
            "x: benchmark in has a malformed grid: 'switches' is not");
    memset(i.bench.desc.grid, 'a', sizeof(i.bench.desc.grid));
    refused(&i, sizeof(i), "malformed");
}

/* Appends a newc member. */
static size_t add_member(char *cpio, size_t at, const char *name,
                         const void *data, size_t size)
{
    size_t name_size = strlen(name) + 1;

    at += sprintf(cpio + at,
                  "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x"
                  "%08x%08zx%08x",
                  0, 0, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0);
    memcpy(cpio + at, name, name_size);
    at = (at + name_size + 3) & ~3ul;
    memcpy(cpio + at, data, size);
    return (at + size + 3) & ~3ul;
}

static void initrd(void **state)
{
    struct image i = good();
    struct bench_list list = {0};
    static char cpio[8192];
    char why[REASON_MAX] = "";
    size_t len;

    (void)state;
    len = add_member(cpio, 0, "etc/note", "hello", 5);
    len = add_member(cpio, len, "bin/in", &i, sizeof(i));
    len = add_member(cpio, len, "TRAILER!!!", "", 0);
    assert_int_equal(notes_read_initrd(&list, cpio, len, "x", why), 0);
    assert_int_equal(list.count, 1);
    assert_true(list.v[0].user);
    bench_list_free(&list);

    /* Cut anywhere it is an error, never an overrun. */
    for (size_t cut = 0; cut < len - 4; cut += 7) {
        char *copy = malloc(cut + 1);

        memcpy(copy, cpio, cut);
        assert_true(notes_read_initrd(&list, copy, cut, "x", why) < 0);
        free(copy);
        bench_list_free(&list);
    }
    assert_true(notes_read_initrd(&list, "hello", 5, "x", why) < 0);
    len = add_member(cpio, 0, "bin/text", "hello", 5);
    add_member(cpio, len, "TRAILER!!!", "", 0);
    assert_true(notes_read_initrd(&list, cpio, sizeof(cpio), "x", why) < 0);
    assert_non_null(strstr(why, "bin/text: not an ELF"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_image), cmocka_unit_test(damaged_images),
        cmocka_unit_test(bad_notes),  cmocka_unit_test(grids),
        cmocka_unit_test(initrd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
