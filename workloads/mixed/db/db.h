/* A small database: a B+tree of 64-bit keys on a block device, behind a
 * write-ahead log and a cache of pages that several processes share.
 *
 * The device, from its first byte on:
 *
 *   0       superblock of even epochs: one sector
 *   4096    superblock of odd epochs
 *   8192    log: blocks of one epoch, one for each group of commits
 *           pages: 0 says where the tree's root is
 *
 * A transaction changes pages in the cache and says so in the log's buffer. A
 * commit writes the buffer, with all transactions that have come into it, and
 * flushes. A page is written later, when the log that explains it is durable;
 * the first change of a page in an epoch logs the whole page, so that recovery
 * never believes one that may be torn. A checkpoint writes all pages and begins
 * the next epoch with an empty log. */
#ifndef TM_DB_H
#define TM_DB_H

#include "page.h"

#define DB_FRAMES 96                /* most that the cache can have */
#define DB_GROUP_BYTES (160u << 10) /* of log, written at once */
#define DB_SECTOR 512u

/* Errors are negative. */
#define DB_EIO 5       /* the device failed */
#define DB_EFULL 28    /* no pages, or no frames, left */
#define DB_ECORRUPT 74 /* it isn't a database, or a damaged one */

/* Part of a write. */
struct db_extent {
    uint64_t offset;
    const void *from;
    uint64_t len;
};

/* Multiples of DB_SECTOR. A sector is written whole or not at all; nothing else
 * is promised of writes that no flush followed. 0 or -DB_EIO. */
struct db_device {
    int (*read)(void *context, uint64_t offset, void *to, uint64_t len);
    int (*write)(void *context, const struct db_extent *e, unsigned n);
    int (*flush)(void *context);
    void *context;
    uint64_t size;
};
#define DB_EXTENTS 32 /* most in one write */

/* How processes share it. wait: sleeps unless *word has changed from value;
 * may return for no reason. yield: lets others go first; NULL where there are
 * no others. */
struct db_sync {
    void (*lock)(uint32_t *word);
    void (*unlock)(uint32_t *word);
    void (*wait)(uint32_t *word, uint32_t value);
    void (*wake)(uint32_t *word);
    void (*yield)(void);
};

struct db_config {
    const struct db_device *device;
    const struct db_sync *sync;
    uint32_t log_pages; /* db_format's: 64 or more */
    unsigned frames;    /* 48..DB_FRAMES */
};

struct db_frame {
    uint32_t page;    /* whose this is */
    uint32_t chain;   /* next of its bucket, + 1 */
    uint64_t imaged;  /* epoch whose log holds the whole page; 0: none */
    uint64_t group;   /* of its last change */
    uint64_t used_by; /* operation that needs it to stay */
    bool taken, dirty, recent;
};

struct db_log {
    uint64_t epoch;
    uint64_t at;             /* bytes of the log that are written */
    uint64_t group, durable; /* that is being filled; that is on the disk */
    uint32_t word;           /* changes when durable does */
    bool writing;
    int error; /* of the device: sticks */
    unsigned side;
    uint32_t fill[2];
    uint8_t buffer[2][DB_GROUP_BYTES] __attribute__((aligned(4096)));
};

/* Zeroed before db_format or db_recover; in memory that all users share. */
struct db {
    struct db_config config;
    uint32_t lock;
    uint32_t pages; /* that the device has room for */
    uint64_t log_bytes;
    uint64_t operation; /* counts; frames of the present one stay */
    unsigned hand;      /* the cache's clock */
    unsigned fresh;     /* frames changed in groups that aren't durable */
    uint32_t bucket[2 * DB_FRAMES];
    struct db_frame frame[DB_FRAMES];
    struct db_log log;
    struct db_page page[DB_FRAMES] __attribute__((aligned(4096)));
};

/* ---- What users call --------------------------------------------------- */

/* An empty database; what was there is gone. */
int db_format(struct db *db, const struct db_config *c);
/* The database that is there, as its last durable commit left it. */
int db_recover(struct db *db, const struct db_config *c);

/* A transaction: db_begin (which locks) with the number of puts there will be
 * at most, up to DB_PUTS; gets and puts; then db_commit: it is durable and
 * unlocked. Or db_end: what it put becomes durable with some later commit.
 * After an error in between, db_end. */
#define DB_PUTS 4
int db_begin(struct db *db, unsigned puts);
int db_get(struct db *db, uint64_t key, struct db_value *v); /* 1, 0: none */
int db_put(struct db *db, uint64_t key, const struct db_value *v);
int db_commit(struct db *db);
void db_end(struct db *db);
/* Everything is durable, and the log empty. Not inside a transaction. */
int db_checkpoint(struct db *db);
/* Pages in use. Inside a transaction. */
int64_t db_used(struct db *db);

/* Looks at the whole tree: NULL, or what is wrong with it. Calls visit for each
 * record, in order; what it says, if not NULL, ends the walk. */
const char *db_check(struct db *db,
                     const char *(*visit)(void *opaque, uint64_t key,
                                          const struct db_value *v),
                     void *opaque);

#endif
