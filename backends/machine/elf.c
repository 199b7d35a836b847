/* Guest kernel images: reading, checking and loading ELF files. */
#include "internal.h"
#include "guest/abi/abi.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ELF_SIZE_MAX (1ull << 30)
#define ELF_PHNUM_MAX 64

#define ELF_FAIL(img, err, ...) elf_fail(img, err, why, __VA_ARGS__)

__attribute__((format(printf, 4, 5))) static int
elf_fail(const struct elf_image *img, int err, char why[REASON_MAX],
         const char *fmt, ...)
{
    char text[REASON_MAX / 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    snprintf(why, REASON_MAX, "%.100s: %s", img->path, text);
    return err;
}

/* Headers are copied out: nothing says that the file aligns them. */
static Elf64_Ehdr elf_header(const struct elf_image *img)
{
    Elf64_Ehdr eh;

    memcpy(&eh, img->data, sizeof(eh));
    return eh;
}

static Elf64_Phdr elf_segment(const struct elf_image *img, unsigned i)
{
    Elf64_Phdr ph;
    Elf64_Ehdr eh = elf_header(img);

    memcpy(&ph, img->data + eh.e_phoff + i * sizeof(ph), sizeof(ph));
    return ph;
}

static bool elf_inside(const struct elf_image *img, uint64_t off, uint64_t len)
{
    return off <= img->size && len <= img->size - off;
}

static int elf_read(struct elf_image *img, char why[REASON_MAX])
{
    int fd = open(img->path, O_RDONLY | O_CLOEXEC), err = 0;
    struct stat st;

    if (fd < 0)
        return ELF_FAIL(img, -errno, "cannot open: %s", strerror(errno));
    if (fstat(fd, &st) < 0) {
        err = ELF_FAIL(img, -errno, "cannot stat: %s", strerror(errno));
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        err = ELF_FAIL(img, -EINVAL, "not a regular file");
        goto out;
    }
    if ((uint64_t)st.st_size > ELF_SIZE_MAX) {
        err = ELF_FAIL(img, -EFBIG, "too large for a guest kernel");
        goto out;
    }
    img->data = malloc(st.st_size + 1);
    if (!img->data) {
        err = ELF_FAIL(img, -ENOMEM, "out of memory");
        goto out;
    }
    while (img->size < (uint64_t)st.st_size) {
        ssize_t n = read(fd, img->data + img->size, st.st_size - img->size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = ELF_FAIL(img, -errno, "cannot read: %s", strerror(errno));
        if (n <= 0)
            break; /* a file that shrank is caught as truncated */
        img->size += n;
    }
out:
    close(fd);
    return err;
}

static int elf_check_header(const struct elf_image *img, char why[REASON_MAX])
{
    Elf64_Ehdr eh;

    if (img->size < SELFMAG || memcmp(img->data, ELFMAG, SELFMAG))
        return ELF_FAIL(img, -ENOEXEC, "not an ELF file");
    if (img->size < EI_NIDENT)
        return ELF_FAIL(img, -ENOEXEC, "truncated: ELF header");
    if (img->data[EI_CLASS] != ELFCLASS64)
        return ELF_FAIL(img, -ENOEXEC, "a 32-bit ELF; the guest is 64-bit");
    if (img->size < sizeof(eh))
        return ELF_FAIL(img, -ENOEXEC, "truncated: ELF header");
    eh = elf_header(img);
    if (eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64)
        return ELF_FAIL(img, -ENOEXEC,
                        "built for another machine (%u), not x86-64",
                        eh.e_machine);
    if (eh.e_type != ET_EXEC && eh.e_type != ET_DYN)
        return ELF_FAIL(img, -ENOEXEC, "not an executable (ELF type %u)",
                        eh.e_type);
    if (!eh.e_phnum || eh.e_phnum > ELF_PHNUM_MAX)
        return ELF_FAIL(img, -ENOEXEC, "%u program headers", eh.e_phnum);
    if (eh.e_phentsize != sizeof(Elf64_Phdr))
        return ELF_FAIL(img, -ENOEXEC, "program headers of %u bytes",
                        eh.e_phentsize);
    if (!elf_inside(img, eh.e_phoff, eh.e_phnum * sizeof(Elf64_Phdr)))
        return ELF_FAIL(img, -ENOEXEC, "truncated: program headers");
    return 0;
}

static int elf_check_bounds(const struct elf_image *img, unsigned i,
                            char why[REASON_MAX])
{
    Elf64_Phdr ph = elf_segment(img, i);

    if (elf_inside(img, ph.p_offset, ph.p_filesz))
        return 0;
    return ELF_FAIL(img, -ENOEXEC, "truncated: segment %u", i);
}

static int elf_check_load(const struct elf_image *img, unsigned i,
                          char why[REASON_MAX])
{
    Elf64_Phdr ph = elf_segment(img, i);

    if (ph.p_type != PT_LOAD)
        return 0;
    if (ph.p_filesz > ph.p_memsz)
        return ELF_FAIL(img, -ENOEXEC,
                        "segment %u: more bytes in the file than in memory", i);
    if (!ph.p_memsz)
        return 0;
    if (ph.p_paddr < TM_KERNEL_PHYS)
        return ELF_FAIL(img, -ENOEXEC,
                        "segment %u: loads at %#llx, below 1 MiB", i,
                        (unsigned long long)ph.p_paddr);
    if (ph.p_memsz > UINT64_MAX - ph.p_paddr)
        return ELF_FAIL(img, -ENOEXEC, "segment %u: wraps around", i);
    for (unsigned j = 0; j < i; j++) {
        Elf64_Phdr other = elf_segment(img, j);

        if (other.p_type == PT_LOAD && other.p_memsz &&
            ph.p_paddr < other.p_paddr + other.p_memsz &&
            other.p_paddr < ph.p_paddr + ph.p_memsz)
            return ELF_FAIL(img, -ENOEXEC, "segments %u and %u overlap", j, i);
    }
    return 0;
}

/* The version in the ABI note of one PT_NOTE segment, or -1. */
static int64_t elf_find_abi(const struct elf_image *img, const Elf64_Phdr *ph)
{
    const uint8_t *p = img->data + ph->p_offset;
    const uint64_t align = ph->p_align == 8 ? 8 : 4;
    uint64_t left = ph->p_filesz;

    while (left >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr nh;
        uint64_t desc, total;
        uint32_t version;

        memcpy(&nh, p, sizeof(nh));
        desc = (sizeof(nh) + nh.n_namesz + align - 1) & -align;
        total = (desc + nh.n_descsz + align - 1) & -align;
        if (desc + nh.n_descsz > left)
            return -1;
        if (nh.n_type == TM_NOTE_ABI && nh.n_namesz == sizeof(TM_NOTE_NAME) &&
            nh.n_descsz >= sizeof(version) &&
            !memcmp(p + sizeof(nh), TM_NOTE_NAME, sizeof(TM_NOTE_NAME))) {
            memcpy(&version, p + desc, sizeof(version));
            return version;
        }
        if (total >= left)
            return -1;
        p += total;
        left -= total;
    }
    return -1;
}

static int elf_check_abi(const struct elf_image *img, char why[REASON_MAX])
{
    unsigned n = elf_header(img).e_phnum;
    int64_t version = -1;

    for (unsigned i = 0; i < n && version < 0; i++) {
        Elf64_Phdr ph = elf_segment(img, i);

        if (ph.p_type == PT_NOTE)
            version = elf_find_abi(img, &ph);
    }
    if (version < 0)
        return ELF_FAIL(img, -ENOEXEC,
                        "no Trapmark ABI note: not a Trapmark guest");
    if (version != TM_ABI_VERSION)
        return ELF_FAIL(img, -ENOEXEC,
                        "speaks ABI %lld, this trapmark speaks %d",
                        (long long)version, TM_ABI_VERSION);
    return 0;
}

static int elf_check_entry(const struct elf_image *img, uint64_t *entry,
                           char why[REASON_MAX])
{
    Elf64_Ehdr eh = elf_header(img);

    for (unsigned i = 0; i < eh.e_phnum; i++) {
        Elf64_Phdr ph = elf_segment(img, i);

        if (ph.p_type != PT_LOAD || eh.e_entry < ph.p_vaddr ||
            eh.e_entry - ph.p_vaddr >= ph.p_memsz)
            continue;
        if (!(ph.p_flags & PF_X))
            break;
        *entry = eh.e_entry - ph.p_vaddr + ph.p_paddr;
        return 0;
    }
    return ELF_FAIL(img, -ENOEXEC, "entry point %#llx is not in a code segment",
                    (unsigned long long)eh.e_entry);
}

int elf_open(struct elf_image *img, const char *path, char why[REASON_MAX])
{
    uint64_t entry;
    int r;

    img->path = path;
    img->data = NULL;
    img->size = 0;
    r = elf_read(img, why);
    if (!r)
        r = elf_check_header(img, why);
    for (unsigned i = 0; !r && i < elf_header(img).e_phnum; i++)
        r = elf_check_bounds(img, i, why);
    /* Before the addresses: some other program is told that it is one. */
    if (!r)
        r = elf_check_abi(img, why);
    for (unsigned i = 0; !r && i < elf_header(img).e_phnum; i++)
        r = elf_check_load(img, i, why);
    if (!r)
        r = elf_check_entry(img, &entry, why);
    if (r)
        elf_close(img);
    return r;
}

void elf_close(struct elf_image *img)
{
    free(img->data);
    img->data = NULL;
}

int elf_load(const struct elf_image *img, struct guest_ram *ram,
             uint64_t *entry, uint64_t *end, char why[REASON_MAX])
{
    unsigned n = elf_header(img).e_phnum;

    *end = TM_KERNEL_PHYS;
    for (unsigned i = 0; i < n; i++) {
        Elf64_Phdr ph = elf_segment(img, i);
        uint8_t *to;

        if (ph.p_type != PT_LOAD || !ph.p_memsz)
            continue;
        to = ram_ptr(ram, ph.p_paddr, ph.p_memsz);
        if (!to)
            return ELF_FAIL(img, -ENOMEM,
                            "segment %u ends at %#llx, outside %llu MiB of RAM",
                            i, (unsigned long long)(ph.p_paddr + ph.p_memsz),
                            (unsigned long long)(ram->size >> 20));
        memcpy(to, img->data + ph.p_offset, ph.p_filesz);
        memset(to + ph.p_filesz, 0, ph.p_memsz - ph.p_filesz);
        if (ph.p_paddr + ph.p_memsz > *end)
            *end = ph.p_paddr + ph.p_memsz;
    }
    return elf_check_entry(img, entry, why);
}

int machine_check_kernel(const char *path, char why[REASON_MAX])
{
    struct elf_image img;
    int r = elf_open(&img, path, why);

    if (!r)
        elf_close(&img);
    return r;
}
