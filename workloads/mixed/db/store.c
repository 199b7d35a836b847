/* Opening, recovery, transactions and checkpoints. */
#include "store.h"
#include "sum.h"

#define MAGIC 0x3142446d72617054ull

struct superblock {
    uint64_t magic, epoch;
    uint32_t log_pages, pages;
    uint64_t sum; /* of all before */
    uint8_t rest[DB_SECTOR - 32];
};
_Static_assert(sizeof(struct superblock) == DB_SECTOR, "one sector");

/* ---- Superblocks -------------------------------------------------------- */

static int write_superblock(struct db *db, const struct superblock *s,
                            uint64_t epoch)
{
    const struct db_device *d = db->config.device;
    struct db_extent e = {epoch % 2 * DB_PAGE, s, sizeof(*s)};
    int err = d->write(d->context, &e, 1);

    return err ? err : d->flush(d->context);
}

static int begin_epoch(struct db *db, uint64_t epoch)
{
    struct superblock s = {MAGIC,     epoch, db->config.log_pages,
                           db->pages, 0,     {0}};
    int err;

    s.sum = db_sum(&s, offsetof(struct superblock, sum));
    err = write_superblock(db, &s, epoch);
    if (!err)
        wal_restart(db, epoch);
    return err;
}

static bool is_sound(const struct superblock *s, const struct db_device *d)
{
    uint64_t pages = d->size / DB_PAGE;

    return s->magic == MAGIC &&
           s->sum == db_sum(s, offsetof(struct superblock, sum)) &&
           s->log_pages < pages && s->pages <= pages - s->log_pages - 2;
}

/* The newer of those that are sound: its epoch's log is the one. */
static int find_superblock(const struct db_device *d, struct superblock *best)
{
    struct superblock s;
    int found = -DB_ECORRUPT;

    for (uint64_t slot = 0; slot < 2; slot++) {
        int err = d->read(d->context, slot * DB_PAGE, &s, sizeof(s));

        if (err)
            return err;
        if (!is_sound(&s, d) || (!found && s.epoch < best->epoch))
            continue;
        *best = s;
        found = 0;
    }
    return found;
}

/* ---- Opening ------------------------------------------------------------ */

static void set_up(struct db *db, const struct db_config *c, uint32_t log_pages,
                   uint32_t pages)
{
    memset(db, 0, sizeof(*db));
    db->config = *c;
    db->config.log_pages = log_pages;
    db->log_bytes = (uint64_t)log_pages * DB_PAGE;
    db->pages = pages;
}

static int write_all(struct db *db, uint64_t epoch)
{
    const struct db_device *d = db->config.device;
    int err = cache_clean(db);

    if (!err)
        err = d->flush(d->context);
    return err ? err : begin_epoch(db, epoch);
}

int db_format(struct db *db, const struct db_config *c)
{
    static const struct superblock none;
    struct superblock old;
    uint64_t epoch = 1;
    int err;

    /* The log of an older database stays: its epochs are not used again. */
    if (!find_superblock(c->device, &old))
        epoch = old.epoch + 1;
    set_up(db, c, c->log_pages,
           (uint32_t)(c->device->size / DB_PAGE) - c->log_pages - 2);
    err = write_superblock(db, &none, 0);
    if (!err)
        err = write_superblock(db, &none, 1);
    if (!err)
        err = btree_create(db);
    return err ? err : write_all(db, epoch);
}

int db_recover(struct db *db, const struct db_config *c)
{
    struct superblock s;
    int err = find_superblock(c->device, &s);

    if (err)
        return err;
    set_up(db, c, s.log_pages, s.pages);
    wal_restart(db, s.epoch);
    err = wal_replay(db);
    /* Should the power fail here: the same log says the same again. */
    return err ? err : write_all(db, s.epoch + 1);
}

/* ---- Transactions ------------------------------------------------------- */

static int checkpoint(struct db *db)
{
    int err = wal_quiesce(db);

    return err ? err : write_all(db, db->log.epoch + 1);
}

/* Room for so many puts, in the group, in the log and in the cache. */
static int reserve(struct db *db, unsigned puts)
{
    size_t bytes = puts * (size_t)DB_PUT_LOG;
    int err = db->log.error;

    if (!err && !wal_log_has_room(db, bytes))
        err = checkpoint(db);
    while (!err && puts &&
           (!wal_group_has_room(db, bytes) || !wal_log_has_room(db, bytes) ||
            (db->fresh &&
             db->fresh + puts * DB_PUT_PAGES + 8 > db->config.frames)))
        err = wal_log_has_room(db, bytes) ? wal_quiesce(db) : checkpoint(db);
    return err;
}

int db_begin(struct db *db, unsigned puts)
{
    int err;

    db->config.sync->lock(&db->lock);
    err = reserve(db, puts);
    if (err)
        db->config.sync->unlock(&db->lock);
    return err;
}

void db_end(struct db *db)
{
    db->config.sync->unlock(&db->lock);
}

int db_commit(struct db *db)
{
    int err = wal_sync(db, wal_group(db));

    db->config.sync->unlock(&db->lock);
    return err;
}

int db_checkpoint(struct db *db)
{
    int err;

    db->config.sync->lock(&db->lock);
    err = checkpoint(db);
    db->config.sync->unlock(&db->lock);
    return err;
}
