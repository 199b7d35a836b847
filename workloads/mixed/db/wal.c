/* The write-ahead log: records of changes, group commit, replay. */
#include "store.h"
#include "sum.h"

enum record_type { RECORD_PAGE = 1, RECORD_BYTES, RECORD_INSERT };

/* A change of a page; the bytes that it needs follow. */
struct record {
    uint16_t type, at; /* BYTES: offset in the page; INSERT: position */
    uint32_t page;
    uint64_t len; /* of what follows, a multiple of 8 */
};

/* A group: begins on a sector that nothing was written to in this epoch, so
 * that what is durable is never written again. */
struct block {
    uint64_t sum; /* of all that follows, records included */
    uint64_t epoch, at;
    uint64_t len; /* of the records */
};

static uint64_t sectors(uint64_t bytes)
{
    return (bytes + DB_SECTOR - 1) / DB_SECTOR * DB_SECTOR;
}

/* ---- Filling the group -------------------------------------------------- */

uint64_t wal_group(const struct db *db)
{
    return db->log.group;
}

static bool group_is_empty(const struct db_log *l)
{
    return l->fill[l->side] == sizeof(struct block);
}

bool wal_group_has_room(const struct db *db, size_t bytes)
{
    return db->log.fill[db->log.side] + bytes <= DB_GROUP_BYTES;
}

bool wal_log_has_room(const struct db *db, size_t bytes)
{
    return db->log.at + sectors(db->log.fill[db->log.side] + bytes) <=
           db->log_bytes;
}

static void append(struct db *db, const struct record *r, const void *bytes)
{
    struct db_log *l = &db->log;
    uint8_t *to = l->buffer[l->side] + l->fill[l->side];

    memcpy(to, r, sizeof(*r));
    memcpy(to + sizeof(*r), bytes, r->len);
    l->fill[l->side] += (uint32_t)(sizeof(*r) + r->len);
}

static void changed(struct db *db, struct db_frame *f)
{
    if (!f->dirty || f->group <= db->log.durable)
        db->fresh++;
    f->dirty = true;
    f->group = db->log.group;
}

static void log_page(struct db *db, struct db_frame *f, const struct db_page *p)
{
    append(db, &(struct record){RECORD_PAGE, 0, f->page, DB_PAGE}, p);
    f->imaged = db->log.epoch;
}

/* Before a page is changed in part: recovery begins with the whole. */
static struct db_frame *prepare(struct db *db, const struct db_page *p)
{
    struct db_frame *f = cache_frame(db, p);

    changed(db, f);
    if (f->imaged != db->log.epoch)
        log_page(db, f, p);
    return f;
}

void wal_new(struct db *db, struct db_page *p)
{
    struct db_frame *f = cache_frame(db, p);

    changed(db, f);
    log_page(db, f, p);
}

void wal_bytes(struct db *db, struct db_page *p, void *at, const void *from,
               size_t len)
{
    struct db_frame *f = prepare(db, p);
    uint16_t offset = (uint16_t)((uint8_t *)at - (uint8_t *)p);

    append(db, &(struct record){RECORD_BYTES, offset, f->page, len}, from);
    memcpy(at, from, len);
}

void wal_insert(struct db *db, struct db_page *p, unsigned i, const void *entry)
{
    struct db_frame *f = prepare(db, p);

    append(db,
           &(struct record){RECORD_INSERT, (uint16_t)i, f->page,
                            page_entry_size(p)},
           entry);
    page_insert(p, i, entry);
}

/* ---- Group commit ------------------------------------------------------- */

static void lock(struct db *db)
{
    db->config.sync->lock(&db->lock);
}

static void unlock(struct db *db)
{
    db->config.sync->unlock(&db->lock);
}

static int write_block(struct db *db, const struct block *b)
{
    const struct db_device *d = db->config.device;
    struct db_extent e = {DB_LOG_OFFSET + b->at, b,
                          sectors(sizeof(*b) + b->len)};
    int err = d->write(d->context, &e, 1);

    return err ? err : d->flush(d->context);
}

/* Closes the group and writes it, while others fill the next. */
static void write_group(struct db *db)
{
    struct db_log *l = &db->log;
    uint64_t group;
    struct block *b;
    uint32_t end;
    int err;

    l->writing = true;
    if (db->config.sync->yield) { /* who is about to commit comes along */
        unlock(db);
        db->config.sync->yield();
        lock(db);
    }
    b = (struct block *)l->buffer[l->side];
    end = l->fill[l->side];
    *b = (struct block){0, l->epoch, l->at, end - sizeof(*b)};
    memset((uint8_t *)b + end, 0, sectors(end) - end);
    group = l->group++;
    l->at += sectors(end);
    l->side ^= 1;
    l->fill[l->side] = sizeof(*b);
    unlock(db);
    b->sum = db_sum(&b->epoch, end - sizeof(b->sum));
    err = write_block(db, b);
    lock(db);
    if (err)
        l->error = err;
    else
        l->durable = group;
    l->writing = false;
    cache_count_fresh(db);
    __atomic_add_fetch(&l->word, 1, __ATOMIC_RELEASE); /* read unlocked */
    db->config.sync->wake(&l->word);
}

/* Until the group that is being written is. */
static void await_writer(struct db *db)
{
    uint32_t word = db->log.word;

    unlock(db);
    db->config.sync->wait(&db->log.word, word);
    lock(db);
}

int wal_sync(struct db *db, uint64_t group)
{
    struct db_log *l = &db->log;

    while (l->durable < group && !l->error) {
        if (l->writing)
            await_writer(db);
        else
            write_group(db);
    }
    return l->error;
}

int wal_quiesce(struct db *db)
{
    struct db_log *l = &db->log;

    while (l->writing || (!group_is_empty(l) && !l->error)) {
        if (l->writing)
            await_writer(db);
        else
            write_group(db);
    }
    return l->error;
}

void wal_restart(struct db *db, uint64_t epoch)
{
    struct db_log *l = &db->log;

    l->epoch = epoch;
    l->at = 0;
    l->fill[l->side] = sizeof(struct block);
    if (!l->group) {
        l->group = 1;
        l->fill[!l->side] = sizeof(struct block);
    }
}

/* ---- Replay ------------------------------------------------------------- */

static int replay_record(struct db *db, const struct record *r,
                         const uint8_t *bytes)
{
    struct db_page *p;
    int err;

    db->operation++;
    p = cache_get(db, r->page, r->type == RECORD_PAGE, &err);
    if (!p)
        return err;
    cache_frame(db, p)->dirty = true;
    if (r->type == RECORD_PAGE && r->len == DB_PAGE)
        memcpy(p, bytes, DB_PAGE);
    else if (r->type == RECORD_BYTES && r->len <= DB_PAGE &&
             r->at <= DB_PAGE - r->len)
        memcpy((uint8_t *)p + r->at, bytes, r->len);
    else if (r->type == RECORD_INSERT && r->len == page_entry_size(p) &&
             r->at <= p->count && !page_is_full(p))
        page_insert(p, r->at, bytes);
    else
        return -DB_ECORRUPT;
    return 0;
}

static int replay_block(struct db *db, const struct block *b)
{
    const uint8_t *at = (const uint8_t *)(b + 1), *end = at + b->len;
    int err = 0;

    while (at < end && !err) {
        struct record r;

        memcpy(&r, at, sizeof(r));
        at += sizeof(r);
        /* The sum is right: this is no torn block but a wrong program. */
        if (r.len > (uint64_t)(end - at))
            return -DB_ECORRUPT;
        err = replay_record(db, &r, at);
        at += r.len;
    }
    return err;
}

/* The block at db->log.at, into the buffer. 1; 0: the log ends here. */
static int read_block(struct db *db, struct block *b)
{
    const struct db_device *d = db->config.device;
    uint64_t at = db->log.at, from = DB_LOG_OFFSET + at;
    int err;

    if (at + DB_SECTOR > db->log_bytes)
        return 0;
    err = d->read(d->context, from, b, DB_SECTOR);
    if (err)
        return err;
    if (b->epoch != db->log.epoch || b->at != at || b->len % 8 ||
        b->len > DB_GROUP_BYTES - sizeof(*b) ||
        at + sizeof(*b) + b->len > db->log_bytes)
        return 0;
    err = d->read(d->context, from, b, sectors(sizeof(*b) + b->len));
    if (err)
        return err;
    return b->sum == db_sum(&b->epoch, sizeof(*b) - sizeof(b->sum) + b->len);
}

int wal_replay(struct db *db)
{
    struct block *b = (struct block *)db->log.buffer[1];
    int r;

    while ((r = read_block(db, b)) == 1) {
        r = replay_block(db, b);
        if (r < 0)
            break;
        db->log.at += sectors(sizeof(*b) + b->len);
    }
    return r < 0 ? r : 0;
}
