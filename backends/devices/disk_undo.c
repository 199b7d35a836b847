/* What a generated disk's sectors held before they were written: a volatile
 * write cache, for tests that let the power fail. */
#include "disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A sector before a write. */
struct disk_before {
    uint64_t sector;
    uint8_t bytes[DISK_SECTOR];
};

struct disk_undo {
    struct disk_before *entry; /* oldest first, since the last flush */
    size_t count, room;
    bool *settled; /* per sector: this and its older writes stay */
};

int disk_keep_unflushed(struct disk *d)
{
    struct disk_undo *u = calloc(1, sizeof(*u));

    if (u)
        u->settled = calloc(d->size / DISK_SECTOR, sizeof(*u->settled));
    if (!u || !u->settled) {
        free(u);
        return -ENOMEM;
    }
    d->undo = u;
    return 0;
}

int disk_undo_note(struct disk *d, uint64_t off, uint64_t len)
{
    struct disk_undo *u = d->undo;

    for (uint64_t s = off / DISK_SECTOR; s * DISK_SECTOR < off + len; s++) {
        if (u->count == u->room) {
            size_t room = u->room ? 2 * u->room : 64;
            void *grown = realloc(u->entry, room * sizeof(*u->entry));

            if (!grown)
                return -ENOMEM;
            u->entry = grown;
            u->room = room;
        }
        u->entry[u->count].sector = s;
        memcpy(u->entry[u->count++].bytes, d->memory + s * DISK_SECTOR,
               DISK_SECTOR);
    }
    return 0;
}

void disk_undo_forget(struct disk *d)
{
    d->undo->count = 0;
}

void disk_undo_free(struct disk *d)
{
    if (!d->undo)
        return;
    free(d->undo->entry);
    free(d->undo->settled);
    free(d->undo);
    d->undo = NULL;
}

void disk_lose_power(struct disk *d, uint64_t seed)
{
    struct disk_undo *u = d->undo;
    uint64_t random = (seed + 1) * 0x9e3779b97f4a7c15 | 1;

    memset(u->settled, 0, d->size / DISK_SECTOR * sizeof(*u->settled));
    while (u->count) {
        const struct disk_before *b = &u->entry[--u->count];

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (seed != UINT64_MAX && random >> 63)
            u->settled[b->sector] = true;
        if (!u->settled[b->sector])
            memcpy(d->memory + b->sector * DISK_SECTOR, b->bytes, DISK_SECTOR);
    }
}
