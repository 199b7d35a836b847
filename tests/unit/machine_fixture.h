/* A machine with a scripted backend in place of a CPU, and a kernel image. */
#ifndef TM_TEST_MACHINE_FIXTURE_H
#define TM_TEST_MACHINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/machine/internal.h"
#include "guest/abi/abi.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- A backend whose run() is the test's own ----------------------------- */

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

/* ---- A kernel image ------------------------------------------------------ */

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

static inline struct image good_image(void)
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

static inline void write_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}
static inline struct machine_config config(void)
{
    return (struct machine_config){
        .backend = &fake,
        .kernel = kernel_path,
        .cmdline = "bench=in",
        .ram_size = 4 << 20,
        .tsc_khz = 2000000,
    };
}

static inline struct machine *create(const struct machine_config *c)
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
static inline int group_setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(kernel_path, sizeof(kernel_path), "%s/kernel", dir);
    snprintf(initrd_path, sizeof(initrd_path), "%s/initrd", dir);
    return 0;
}

static inline int group_teardown(void **state)
{
    (void)state;
    unlink(kernel_path);
    unlink(initrd_path);
    return rmdir(dir);
}

#endif
