/* Pages in memory: look-up, eviction by a clock, writing back. */
#include "store.h"

#define BUCKETS (sizeof(((struct db *)0)->bucket) / sizeof(uint32_t))

static uint64_t page_offset(const struct db *db, uint32_t id)
{
    return DB_LOG_OFFSET + db->log_bytes + (uint64_t)id * DB_PAGE;
}

struct db_frame *cache_frame(struct db *db, const struct db_page *p)
{
    return &db->frame[p - db->page];
}

static uint32_t *bucket_of(struct db *db, uint32_t id)
{
    return &db->bucket[mix64(0, id) % BUCKETS];
}

static struct db_frame *look_up(struct db *db, uint32_t id)
{
    for (uint32_t i = *bucket_of(db, id); i; i = db->frame[i - 1].chain)
        if (db->frame[i - 1].page == id)
            return &db->frame[i - 1];
    return NULL;
}

static void forget(struct db *db, struct db_frame *f)
{
    uint32_t *link = bucket_of(db, f->page);

    while (&db->frame[*link - 1] != f)
        link = &db->frame[*link - 1].chain;
    *link = f->chain;
    f->taken = false;
}

static void remember(struct db *db, struct db_frame *f, uint32_t id)
{
    uint32_t *link = bucket_of(db, id);

    *f = (struct db_frame){.page = id, .chain = *link, .taken = true};
    *link = (uint32_t)(f - db->frame) + 1;
}

/* ---- Writing back ------------------------------------------------------- */

static int write_frames(struct db *db, struct db_frame **f, unsigned n)
{
    struct db_extent e[DB_EXTENTS] = {{0}};
    int err;

    for (unsigned i = 0; i < n; i++) {
        struct db_page *p = &db->page[f[i] - db->frame];

        p->sum = page_sum(p);
        e[i] = (struct db_extent){page_offset(db, f[i]->page), p, DB_PAGE};
    }
    err = db->config.device->write(db->config.device->context, e, n);
    for (unsigned i = 0; i < n && !err; i++)
        f[i]->dirty = false;
    return err;
}

int cache_clean(struct db *db)
{
    struct db_frame *batch[DB_EXTENTS];
    unsigned n = 0;
    int err = 0;

    for (unsigned i = 0; i < db->config.frames && !err; i++) {
        if (db->frame[i].taken && db->frame[i].dirty)
            batch[n++] = &db->frame[i];
        if (n == DB_EXTENTS) {
            err = write_frames(db, batch, n);
            n = 0;
        }
    }
    return err || !n ? err : write_frames(db, batch, n);
}

void cache_count_fresh(struct db *db)
{
    db->fresh = 0;
    for (unsigned i = 0; i < db->config.frames; i++)
        db->fresh += db->frame[i].taken && db->frame[i].dirty &&
                     db->frame[i].group > db->log.durable;
}

/* ---- Eviction ----------------------------------------------------------- */

/* The operation doesn't need it, and the log explains it. */
static bool may_go(const struct db *db, const struct db_frame *f)
{
    return f->used_by != db->operation &&
           !(f->dirty && f->group > db->log.durable);
}

/* A frame without a page. NULL: *err. */
static struct db_frame *make_room(struct db *db, int *err)
{
    /* Twice around: the first time may only clear `recent`. */
    for (unsigned i = 0; i < 2 * db->config.frames; i++) {
        struct db_frame *f = &db->frame[db->hand];

        db->hand = (db->hand + 1) % db->config.frames;
        if (!f->taken)
            return f;
        if (!may_go(db, f))
            continue;
        if (f->recent) {
            f->recent = false;
            continue;
        }
        *err = f->dirty ? write_frames(db, &f, 1) : 0;
        if (*err)
            return NULL;
        forget(db, f);
        return f;
    }
    *err = -DB_EFULL;
    return NULL;
}

struct db_page *cache_get(struct db *db, uint32_t id, bool fresh, int *err)
{
    const struct db_device *d = db->config.device;
    struct db_frame *f = look_up(db, id);
    struct db_page *p;

    *err = id < db->pages ? 0 : -DB_ECORRUPT;
    if (*err)
        return NULL;
    if (!f) {
        f = make_room(db, err);
        if (!f)
            return NULL;
        p = &db->page[f - db->frame];
        if (!fresh) {
            *err = d->read(d->context, page_offset(db, id), p, DB_PAGE);
            if (!*err && !page_is_sound(p, id))
                *err = -DB_ECORRUPT;
            if (*err)
                return NULL;
        }
        remember(db, f, id);
    }
    f->recent = true;
    f->used_by = db->operation;
    return &db->page[f - db->frame];
}
