/* What the parts of the database have of each other; db->lock is held. */
#ifndef TM_DB_STORE_H
#define TM_DB_STORE_H

#include "db.h"

#define DB_LOG_OFFSET (2 * DB_PAGE)

/* Page 0, as the first bytes of its entries. */
struct db_meta {
    uint32_t root, used;
};

/* ---- cache.c ------------------------------------------------------------ */

/* The page in memory, until the operation ends: read, or (fresh) whatever was
 * in the frame, for the caller to fill. NULL: *err. */
struct db_page *cache_get(struct db *db, uint32_t id, bool fresh, int *err);
struct db_frame *cache_frame(struct db *db, const struct db_page *p);
/* Writes all changed pages; the log is durable. */
int cache_clean(struct db *db);
/* Recounts db->fresh. */
void cache_count_fresh(struct db *db);

/* ---- wal.c -------------------------------------------------------------- */

/* Changes a page and logs the change. There is room in the log: db_begin. */
void wal_new(struct db *db, struct db_page *p); /* it is all new */
void wal_bytes(struct db *db, struct db_page *p, void *at, const void *from,
               size_t len); /* a multiple of 8 */
void wal_insert(struct db *db, struct db_page *p, unsigned i,
                const void *entry);

/* Is there room for that many more bytes in the group, and in the log? */
bool wal_group_has_room(const struct db *db, size_t bytes);
bool wal_log_has_room(const struct db *db, size_t bytes);
/* Makes that group durable. The lock is released meanwhile. */
int wal_sync(struct db *db, uint64_t group);
/* Makes everything durable, and nothing is being written. */
int wal_quiesce(struct db *db);
/* The group, which isn't durable yet, that logs what was changed last. */
uint64_t wal_group(const struct db *db);
/* An empty log of that epoch. */
void wal_restart(struct db *db, uint64_t epoch);
/* Does again what the log of the present epoch says. */
int wal_replay(struct db *db);

/* ---- btree.c ------------------------------------------------------------ */

/* Log and pages that a put takes at most: a split at each of three levels, all
 * pages logged whole, a new root and page 0. */
#define DB_PUT_PAGES 8
#define DB_PUT_LOG (DB_PUT_PAGES * (DB_PAGE + 256))

/* Pages 0 and 1: an empty tree. */
int btree_create(struct db *db);

#endif
