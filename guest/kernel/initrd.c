/* Look-up in the initrd, a newc cpio archive. */
#include "kernel.h"

/* All numbers are 8 hexadecimal digits. */
struct cpio_header {
    char magic[6]; /* 070701 */
    char ino[8], mode[8], uid[8], gid[8], nlink[8], mtime[8];
    char filesize[8];
    char devmajor[8], devminor[8], rdevmajor[8], rdevminor[8];
    char namesize[8]; /* NULs included */
    char check[8];
};
_Static_assert(sizeof(struct cpio_header) == 110, "cpio newc");

static uint64_t hex8(const char *digits)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++) {
        char c = digits[i];

        v = v * 16 + (uint64_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return v & 0xffffffff; /* bad digits do no harm */
}

static uint64_t align4(uint64_t v)
{
    return (v + 3) & ~3ull;
}

int initrd_find(const char *path, struct phys_range *file)
{
    uint64_t pos = 0, size = boot_info.initrd.end - boot_info.initrd.start;
    const char *base = phys_to_virt(boot_info.initrd.start);

    while (size - pos >= sizeof(struct cpio_header)) {
        const struct cpio_header *h = (const void *)(base + pos);
        uint64_t name = pos + sizeof(*h), data, next;

        if (memcmp(h->magic, "070701", 6))
            return -TM_EIO;
        data = align4(name + hex8(h->namesize));
        next = align4(data + hex8(h->filesize));
        if (data > size || data + hex8(h->filesize) > size ||
            !hex8(h->namesize) || base[name + hex8(h->namesize) - 1])
            return -TM_EIO;
        if (!strcmp(base + name, path)) {
            file->start = boot_info.initrd.start + data;
            file->end = file->start + hex8(h->filesize);
            return 0;
        }
        if (!strcmp(base + name, "TRAILER!!!"))
            return -TM_ENOENT;
        pos = next < size ? next : size;
    }
    return size ? -TM_EIO : -TM_ENOENT;
}
