/* Where shadow entries take effect: mappings of this process, or the TLB of the
 * shadow's owner. */
#include "internal.h"

#include <errno.h>
#include <sys/mman.h>

static int host_prot(unsigned flags)
{
    if (flags & SH_HIDDEN)
        return PROT_NONE;
    return PROT_READ | (flags & SH_W ? PROT_WRITE : 0) |
           (flags & SH_X ? PROT_EXEC : 0);
}

static int mmap_map(struct shadow *s, uint64_t key, unsigned n, uint32_t gfn,
                    unsigned flags, bool populate)
{
    const int how = MAP_SHARED | MAP_FIXED | (populate ? MAP_POPULATE : 0);
    void *at = (void *)(uintptr_t)key;

    if (mmap(at, n * PAGE, host_prot(flags), how, s->cfg.ram->fd,
             (off_t)((uint64_t)gfn << 12)) == MAP_FAILED)
        return -errno;
    return 0;
}

static void mmap_unmap(struct shadow *s, uint64_t from, uint64_t to)
{
    if (munmap((void *)(uintptr_t)from, to - from))
        shadow_host_error(s, errno);
}

static void mmap_protect(struct shadow *s, uint64_t key, unsigned n,
                         unsigned flags)
{
    if (mprotect((void *)(uintptr_t)key, n * PAGE, host_prot(flags)))
        shadow_host_error(s, errno);
}

const struct shadow_sink sink_mmap = {
    .switches = true,
    .map = mmap_map,
    .unmap = mmap_unmap,
    .protect = mmap_protect,
};

/* The owner's TLB is filled by what asked for the entry; what it replaces must
 * not stay. */
static int none_map(struct shadow *s, uint64_t key, unsigned n, uint32_t gfn,
                    unsigned flags, bool populate)
{
    (void)gfn;
    (void)flags;
    (void)populate;
    for (unsigned k = 0; k < n; k++)
        if (entry_find(s, key + k * PAGE))
            s->tlb.drop(s->tlb.opaque, canonical(key + k * PAGE), PAGE);
    return 0;
}

static void none_unmap(struct shadow *s, uint64_t from, uint64_t to)
{
    uint64_t size = to - from;

    if (size >> 48)
        size = UINT64_MAX;
    s->tlb.drop(s->tlb.opaque, canonical(from), size);
}

/* Of pages that lose their write permission: nothing is hidden here. */
static void none_protect(struct shadow *s, uint64_t key, unsigned n,
                         unsigned flags)
{
    (void)flags;
    for (unsigned k = 0; k < n; k++)
        s->tlb.protect(s->tlb.opaque, canonical(key + k * PAGE));
}

const struct shadow_sink sink_none = {
    .map = none_map,
    .unmap = none_unmap,
    .protect = none_protect,
};
