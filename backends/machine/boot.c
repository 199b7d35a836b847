/* What the guest finds in memory at its first instruction. */
#include "internal.h"
#include "guest/abi/abi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Conventional memory, below the kernel:
 *
 *   0x1000  page tables, 6 pages (machine_long_mode)
 *   0x7000  GDT
 *   0x8000  start_info, module list, memory map
 *   0x9000  command line, up to 0x20000
 */
#define BOOT_TABLES 0x1000
#define BOOT_GDT 0x7000
#define BOOT_INFO 0x8000
#define BOOT_CMDLINE 0x9000
#define BOOT_CMDLINE_END 0x20000
#define BOOT_LOW_END 0x9fc00 /* RAM as the PC's firmware reports it */

/* The PVH structures, as the Xen public headers lay them out. */
struct pvh_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist, cmdline, rsdp;
    uint64_t memmap; /* version 1 from here on */
    uint32_t memmap_entries, reserved;
};
_Static_assert(sizeof(struct pvh_info) == 56, "hvm_start_info");

struct pvh_module {
    uint64_t addr, size, cmdline, reserved;
};
_Static_assert(sizeof(struct pvh_module) == 32, "hvm_modlist_entry");

struct pvh_memory {
    uint64_t addr, size;
    uint32_t type, reserved;
};
_Static_assert(sizeof(struct pvh_memory) == 24, "hvm_memmap_table_entry");
#define PVH_RAM 1

struct boot_info {
    struct pvh_info info;
    struct pvh_module module;
    struct pvh_memory map[2];
};

/* Read fd to the end into RAM; the file's size was checked. */
static int boot_read(int fd, uint8_t *to, uint64_t size)
{
    while (size) {
        ssize_t n = read(fd, to, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (!n)
            return -EIO;
        to += n;
        size -= n;
    }
    return 0;
}

/* At the top of RAM, on a page boundary. */
static int boot_load_initrd(struct machine *m, uint64_t kernel_end,
                            struct pvh_module *mod, char why[REASON_MAX])
{
    const char *path = m->config.initrd;
    int fd = open(path, O_RDONLY | O_CLOEXEC), r;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        r = -errno;
        snprintf(why, REASON_MAX, "%.150s: cannot open initrd: %s", path,
                 strerror(-r));
        goto out;
    }
    r = -EINVAL;
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, REASON_MAX, "%.150s: initrd is not a regular file", path);
        goto out;
    }
    if (!st.st_size) {
        snprintf(why, REASON_MAX, "%.150s: initrd is empty", path);
        goto out;
    }
    mod->size = st.st_size;
    mod->addr = (m->ram.size - mod->size) & ~4095ull;
    if (mod->size > m->ram.size || mod->addr < kernel_end) {
        snprintf(why, REASON_MAX,
                 "%.150s: initrd of %llu KiB does not fit into %llu MiB of RAM",
                 path, (unsigned long long)mod->size >> 10,
                 (unsigned long long)m->ram.size >> 20);
        r = -ENOMEM;
        goto out;
    }
    r = boot_read(fd, m->ram.host + mod->addr, mod->size);
    if (r)
        snprintf(why, REASON_MAX, "%.150s: cannot read initrd: %s", path,
                 strerror(-r));
out:
    if (fd >= 0)
        close(fd);
    return r;
}

static int boot_write_cmdline(struct machine *m, char why[REASON_MAX])
{
    const size_t room = BOOT_CMDLINE_END - BOOT_CMDLINE;
    const char *given = m->config.cmdline ? m->config.cmdline : "";
    const char *low =
        m->vm->backend->caps & CAP_LOW_LAYOUT ? "layout=low " : "";
    char *to = (char *)m->ram.host + BOOT_CMDLINE;
    int n;

    if (m->vm->deterministic || m->config.tsc_khz)
        n = snprintf(to, room, "%s%s%stsc_khz=%llu", low, given,
                     *given ? " " : "", (unsigned long long)m->tsc_khz);
    else
        n = snprintf(to, room, "%s%s", low, given);
    if (n >= 0 && (size_t)n < room)
        return 0;
    snprintf(why, REASON_MAX, "guest command line of %d bytes is too long", n);
    return -E2BIG;
}

/* Descriptors that agree with the selectors of machine_long_mode(). */
static void boot_write_gdt(struct machine *m, struct x86_state *s)
{
    static const uint64_t gdt[] = {
        0,
        0,
        0x00af9b000000ffff, /* 0x10 code, CPL 0 */
        0x00cf93000000ffff, /* 0x18 data, CPL 0 */
        0x00cff3000000ffff, /* 0x20 data, CPL 3 */
        0x00affb000000ffff, /* 0x28 code, CPL 3 */
        0x00008b0000000067, /* 0x30 TSS at 0: nothing uses it, */
        0,                  /* but the task register wants one */
    };

    memcpy(m->ram.host + BOOT_GDT, gdt, sizeof(gdt));
    s->gdtr.base = BOOT_GDT;
    s->gdtr.limit = sizeof(gdt) - 1;
}

int boot_load(struct machine *m, struct x86_state *s, char why[REASON_MAX])
{
    struct boot_info b = {0};
    struct elf_image img;
    uint64_t entry, end;
    int r;

    r = elf_open(&img, m->config.kernel, why);
    if (r)
        return r;
    r = elf_load(&img, &m->ram, &entry, &end, why);
    elf_close(&img);
    if (!r && m->config.initrd) {
        r = boot_load_initrd(m, end, &b.module, why);
        b.info.nr_modules = 1;
        b.info.modlist = BOOT_INFO + offsetof(struct boot_info, module);
    }
    if (!r)
        r = boot_write_cmdline(m, why);
    if (r)
        return r;

    b.info.magic = TM_PVH_MAGIC;
    b.info.version = 1;
    b.info.cmdline = BOOT_CMDLINE;
    b.info.memmap = BOOT_INFO + offsetof(struct boot_info, map);
    b.info.memmap_entries = 2;
    b.map[0] = (struct pvh_memory){0, BOOT_LOW_END, PVH_RAM, 0};
    b.map[1] = (struct pvh_memory){TM_KERNEL_PHYS, m->ram.size - TM_KERNEL_PHYS,
                                   PVH_RAM, 0};
    memcpy(m->ram.host + BOOT_INFO, &b, sizeof(b));

    machine_long_mode(m, s, BOOT_TABLES, 0);
    boot_write_gdt(m, s);
    s->rip = entry;
    s->gpr[RSI] = BOOT_INFO;
    return 0;
}
