/* Guest RAM: a shared mapping of a memfd with a guard page behind it. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_GUARD 4096
#define RAM_ALIGN (2ull << 20)
#define RAM_LIMIT (3ull << 30) /* device memory begins above */

int ram_create(struct guest_ram *ram, uint64_t size, char why[REASON_MAX])
{
    uint8_t *base;
    int r;

    ram->fd = -1;
    if (!size || size % RAM_ALIGN || size > RAM_LIMIT) {
        snprintf(why, REASON_MAX,
                 "RAM size %llu is not a multiple of 2 MiB up to 3 GiB",
                 (unsigned long long)size);
        return -EINVAL;
    }
    ram->fd = memfd_create("trapmark-ram", MFD_CLOEXEC);
    if (ram->fd < 0 || ftruncate(ram->fd, size) < 0)
        goto fail;

    /* One reservation for both, so that nothing else lands on the guard. */
    base = mmap(NULL, size + RAM_GUARD, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        goto fail;
    if (mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             ram->fd, 0) == MAP_FAILED) {
        munmap(base, size + RAM_GUARD);
        goto fail;
    }
    ram->host = base;
    ram->size = size;
    return 0;

fail:
    r = -errno;
    snprintf(why, REASON_MAX, "cannot allocate %llu MiB of guest RAM: %s",
             (unsigned long long)(size >> 20), strerror(-r));
    if (ram->fd >= 0)
        close(ram->fd);
    ram->fd = -1;
    return r;
}

void ram_destroy(struct guest_ram *ram)
{
    if (ram->host)
        munmap(ram->host, ram->size + RAM_GUARD);
    if (ram->host && ram->fd >= 0)
        close(ram->fd);
    ram->host = NULL;
    ram->fd = -1;
}
