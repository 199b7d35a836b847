/* The translation cache: fragments, how they are found, chained and dropped. */
#include "emit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARGIN 65536u /* more than a unit and its stubs can take */

static void *reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static bool place(uint64_t at, size_t size, int prot, int flags, int fd)
{
    void *want = (void *)(uintptr_t)at;

    return mmap(want, size, prot, flags | MAP_FIXED_NOREPLACE, fd, 0) == want;
}

static int map_arena(struct bt *bt)
{
    const int rw = PROT_READ | PROT_WRITE;
    const int anon = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    int fd = memfd_create("trapmark-cache", MFD_CLOEXEC), err = 0;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, BT_CACHE_SIZE) ||
        !place(BT_ARENA, (sizeof(struct bt_cpu) + 4095) & ~4095ul, rw, anon,
               -1) ||
        !place(BT_TABLES, BT_MODES * BT_WAYS * BT_TABLE_SIZE, rw, anon, -1) ||
        !place(BT_CACHE, BT_CACHE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd))
        err = -errno;
    bt->rw = mmap(NULL, BT_CACHE_SIZE, rw, MAP_SHARED, fd, 0);
    if (bt->rw == MAP_FAILED) {
        bt->rw = NULL;
        err = err ? err : -errno;
    }
    close(fd);
    return err;
}

/* The n-th of all tables. */
static struct bt_table *table(struct bt *bt, unsigned n)
{
    return &bt->tables[n / BT_WAYS][n % BT_WAYS];
}

static bool create_tables(struct bt *bt)
{
    bool ok = true;

    for (unsigned n = 0; n < BT_MODES * BT_WAYS; n++) {
        struct bt_table *t = table(bt, n);

        t->to = (uint64_t *)(uintptr_t)(BT_TABLES + n * BT_TABLE_SIZE);
        t->used = reserve(BT_TABLE_ENTRIES * 2);
        t->frags = reserve(BT_TABLE_ENTRIES * 4);
        ok = ok && t->used && t->frags;
    }
    return ok;
}

int bt_cache_create(struct bt *bt, char why[REASON_MAX])
{
    int err = map_arena(bt);
    bool tables = create_tables(bt);

    bt->frags = reserve(BT_FRAGS_MAX * sizeof(*bt->frags));
    bt->exits = reserve(BT_EXITS_MAX * sizeof(*bt->exits));
    bt->maps = reserve(BT_MAPS_MAX * sizeof(*bt->maps));
    bt->stores = reserve(BT_STORES_MAX * sizeof(*bt->stores));
    bt->page_frags = reserve((bt->vm.ram->size >> 12) * 4);
    bt->stub_owner = reserve(BT_CACHE_SIZE / BT_STUB * 4);
    if (err || !tables || !bt->frags || !bt->exits || !bt->maps ||
        !bt->stores || !bt->page_frags || !bt->stub_owner) {
        snprintf(why, REASON_MAX, "no room for the translation cache: %s",
                 strerror(err ? -err : ENOMEM));
        bt_cache_destroy(bt);
        return err ? err : -ENOMEM;
    }
    bt->cpu = (struct bt_cpu *)(uintptr_t)BT_ARENA;
    bt->cpu->bt = bt;
    bt_stubs_emit(bt);
    for (unsigned n = 0; n < BT_MODES * BT_WAYS; n++)
        for (unsigned k = 0; k < BT_TABLE_ENTRIES; k++)
            table(bt, n)->to[k] = bt_host(bt->miss[n % BT_WAYS]);
    bt_cache_flush(bt);
    return 0;
}

static void release(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

void bt_cache_destroy(struct bt *bt)
{
    release(bt->rw, BT_CACHE_SIZE);
    release(bt->frags, BT_FRAGS_MAX * sizeof(*bt->frags));
    release(bt->exits, BT_EXITS_MAX * sizeof(*bt->exits));
    release(bt->maps, BT_MAPS_MAX * sizeof(*bt->maps));
    release(bt->stores, BT_STORES_MAX * sizeof(*bt->stores));
    release(bt->page_frags, (bt->vm.ram->size >> 12) * 4);
    release(bt->stub_owner, BT_CACHE_SIZE / BT_STUB * 4);
    for (unsigned n = 0; n < BT_MODES * BT_WAYS; n++) {
        release(table(bt, n)->used, BT_TABLE_ENTRIES * 2);
        release(table(bt, n)->frags, BT_TABLE_ENTRIES * 4);
    }
    munmap((void *)(uintptr_t)BT_ARENA, BT_CACHE + BT_CACHE_SIZE - BT_ARENA);
    bt->cpu = NULL;
}

bool bt_cache_room(const struct bt *bt)
{
    return bt->code + MARGIN < bt->stubs && bt->nfrags + 1 < BT_FRAGS_MAX &&
           bt->nexits + 4 * BT_UNIT_MAX < BT_EXITS_MAX &&
           bt->nmaps + 32 * BT_UNIT_MAX < BT_MAPS_MAX;
}

void bt_table_clear(struct bt *bt, enum bt_mode mode)
{
    for (unsigned way = 0; way < BT_WAYS; way++) {
        struct bt_table *t = &bt->tables[mode][way];

        for (unsigned k = 0; k < t->count; k++) {
            t->to[t->used[k]] = bt_host(bt->miss[way]);
            t->frags[t->used[k]] = 0;
        }
        t->count = 0;
    }
}

static void forget_page(struct bt *bt, gpa_t page)
{
    if (page == BT_NO_PAGE || !bt->page_frags[page >> 12])
        return;
    bt->page_frags[page >> 12] = 0;
    shadow_unwatch_code(bt->shadow, page);
}

void bt_cache_flush(struct bt *bt)
{
    for (uint32_t n = 1; n < bt->nfrags; n++) {
        forget_page(bt, bt->frags[n].page);
        forget_page(bt, bt->frags[n].page2);
    }
    for (unsigned m = 0; m < BT_MODES; m++)
        bt_table_clear(bt, m);
    memset(bt->hash, 0, sizeof(bt->hash));
    memset(bt->stub_owner, 0, BT_CACHE_SIZE / BT_STUB * 4);
    bt->nfrags = 1;
    bt->nexits = BT_WAYS;
    bt->nmaps = bt->nstores = 0;
    bt->ncode_pages = 0;
    bt->code = bt->fixed;
    bt->stubs = bt->opt.cache;
    bt->tail = 0;
    bt->flush = false;
}

/* ---- Finding
 * -------------------------------------------------------------------- */

static unsigned hash(gva_t pc, enum bt_mode mode)
{
    return (unsigned)((pc ^ pc >> 14 ^ (uint64_t)mode << 7) % BT_HASH_SIZE);
}

struct bt_frag *bt_find(struct bt *bt, gva_t pc, enum bt_mode mode, gpa_t page)
{
    uint32_t n = bt->hash[hash(pc, mode)];

    for (; n; n = bt->frags[n].hash_next) {
        struct bt_frag *f = &bt->frags[n];

        if (f->pc == pc && f->mode == mode &&
            (mode == BT_KERNEL || f->page == page))
            return f;
    }
    return NULL;
}

struct bt_frag *bt_frag_at(struct bt *bt, uint32_t off)
{
    uint32_t low = 1, high = bt->nfrags;

    if (off < bt->fixed || off >= bt->code)
        return NULL;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;

        if (bt->frags[middle].begin <= off)
            low = middle;
        else
            high = middle;
    }
    return &bt->frags[low];
}

void bt_cache_add(struct bt *bt, struct bt_frag *f)
{
    uint32_t n = (uint32_t)(f - bt->frags);
    unsigned h = hash(f->pc, f->mode);
    uint32_t *page = &bt->page_frags[f->page >> 12];

    f->hash_next = bt->hash[h];
    bt->hash[h] = n;
    if (!*page)
        shadow_watch_code(bt->shadow, f->page);
    f->page_next = *page;
    *page = n;
    if (f->page2 == BT_NO_PAGE || f->page2 == f->page)
        return;
    page = &bt->page_frags[f->page2 >> 12];
    if (!*page)
        shadow_watch_code(bt->shadow, f->page2);
    f->page2_next = *page;
    *page = n;
}

/* ---- Linking
 * --------------------------------------------------------------------- */

void bt_chain(struct bt *bt, struct bt_exit *e, uint32_t to)
{
    uint32_t rel = to - (e->patch + 4);

    memcpy(bt->rw + e->patch, &rel, 4);
    bt->vm.events.count[EV_BT_CHAIN]++;
}

void bt_table_set(struct bt *bt, struct bt_frag *f, enum bt_way way)
{
    struct bt_table *t = &bt->tables[f->mode][way];
    uint16_t k = (uint16_t)f->pc;

    if (!f->entry[way])
        bt_entry_add(bt, f, way);
    if (t->to[k] == bt_host(bt->miss[way]))
        t->used[t->count++] = k;
    t->to[k] = bt_host(f->entry[way]);
    t->frags[k] = (uint32_t)(f - bt->frags);
}

/* ---- Dropping
 * -------------------------------------------------------------------- */

static void unhash(struct bt *bt, const struct bt_frag *f)
{
    uint32_t n = (uint32_t)(f - bt->frags);
    uint32_t *at = &bt->hash[hash(f->pc, f->mode)];

    while (*at && *at != n)
        at = &bt->frags[*at].hash_next;
    if (*at)
        *at = f->hash_next;
}

/* Its first bytes become a jump to an exit, which later leads to the fragment
 * that takes its place: nobody who jumps to it needs to know. An entry becomes
 * a miss. */
void bt_frag_kill(struct bt *bt, struct bt_frag *f)
{
    struct emit e = {.bt = bt, .f = f, .mode = f->mode};

    if (f->dead)
        return;
    f->dead = true;
    unhash(bt, f);
    if (bt->tail == (uint32_t)(f - bt->frags))
        bt->tail = 0;
    if (bt->nexits + 1 >= BT_EXITS_MAX || bt->stubs < bt->code + MARGIN / 2) {
        bt->flush = true;
        return;
    }
    e.p = bt->rw + f->body;
    emit_branch(&e, -1, f->pc, f->pc);
    for (unsigned way = 0; way < BT_WAYS; way++) {
        if (!f->entry[way])
            continue;
        e.p = bt->rw + f->entry[way];
        emit_jmp(&e, bt->miss[way]);
    }
    if (f->late != bt_spilled[BT_BY_RETURN])
        return;
    /* Where it is expected, it begins behind the entry. */
    e.p = bt->rw + f->inner;
    f->nmap = 1;
    if (fits32((int64_t)f->pc)) {
        emit_set64(&e, CPU(target), (int32_t)f->pc);
        emit_jmp(&e, bt->miss[BT_BY_RETURN]);
    }
    assert(emit_off(&e) <= f->inner + EMIT_KILL);
}

void bt_cache_written(struct bt *bt, gpa_t gpa, uint64_t len)
{
    gpa_t page = gpa & ~0xfffull, end = gpa + len;

    for (; page < end && page < bt->vm.ram->size; page += 4096) {
        uint32_t n = bt->page_frags[page >> 12];

        if (!n)
            continue;
        for (; n; n = bt_page_next(bt, n, page))
            bt_frag_kill(bt, &bt->frags[n]);
        forget_page(bt, page);
        bt->vm.events.count[EV_BT_SMC]++;
    }
}
