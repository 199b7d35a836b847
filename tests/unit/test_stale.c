/* Random edits of page tables, with and without the flushes that they demand: no
 * paging policy may show a translation that hardware could not. */
#include "paging_fixture.h"

/* Eight pages in two regions of 2 MiB, and the tables that may map them. */
#define BASE 0x8000000000ull
#define REGIONS 2u
#define PAGES 8u
#define ROOTS 2u
#define TABLES_N 9u
#define FRAMES 0x600000ull /* three times 2 MiB of numbered pages */
#define FRAMES_N 1536u
#define MAX 512u /* translations, values: more than there ever are */

/* root 0, root 1, two PDPTs, two PDs, three PTs */
static const gpa_t tables[TABLES_N] = {PML4,
                                       TABLES + 0x5000,
                                       TABLES,
                                       TABLES + 0x6000,
                                       TABLES + 0x1000,
                                       TABLES + 0x7000,
                                       TABLES + 0x2000,
                                       TABLES + 0x3000,
                                       TABLES + 0x4000};
static const unsigned level_of[TABLES_N] = {3, 3, 2, 2, 1, 1, 0, 0, 0};

/* A slot's present value and those that a walk may still know. */
struct slot {
    uint64_t now, old[16];
    unsigned n;
};

struct translation {
    uint32_t frame;
    bool w, u, nx, global, large;
};

struct page {
    struct translation t[MAX];
    unsigned n;
    bool absent; /* a walk could find nothing there now */
};

struct model {
    struct slot slot[TABLES_N][PAGES]; /* only the first few of most */
    struct page page[PAGES];
    unsigned root;
};

static struct model m;
static gva_t page_va(unsigned page)
{
    return BASE + (page / 4) * 0x200000ull + (page % 4) * 0x1000ull;
}

/* The slot of a table that translates the page. */
static unsigned index_of(unsigned level, unsigned page)
{
    return level == 0 ? page % 4 : level == 1 ? page / 4 : 0;
}

static gpa_t slot_gpa(unsigned table, unsigned index)
{
    return tables[table] + (level_of[table] == 3 ? 8 : 0) + 8 * index;
}

static int table_at(gpa_t gpa)
{
    for (unsigned t = 0; t < TABLES_N; t++)
        if (tables[t] == gpa)
            return (int)t;
    return -1;
}

/* ---- The model: SDM vol. 3A, 4.10 --------------------------------------- */

static void remember(struct page *p, const struct translation *t)
{
    for (unsigned k = 0; k < p->n; k++)
        if (!memcmp(&p->t[k], t, sizeof(*t)))
            return;
    assert_true(p->n < MAX);
    p->t[p->n++] = *t;
}

/* What walks from that table on may find; rights so far in t. Upper entries may
 * come from a cache (stale), the leaf is read. */
static void possible(unsigned page, unsigned table, struct translation t,
                     bool stale)
{
    unsigned level = level_of[table];
    const struct slot *s = &m.slot[table][index_of(level, page)];

    for (unsigned k = stale ? 0 : s->n; k <= s->n; k++) {
        uint64_t v = k < s->n ? s->old[k] : s->now;
        struct translation below = t;
        bool leaf = level == 0 || v & PS;

        if (!(v & P)) {
            m.page[page].absent |= k == s->n;
            continue;
        }
        if (leaf && k < s->n)
            continue;
        below.w &= (v & W) != 0;
        below.u &= (v & U) != 0;
        below.nx |= (v & NX) != 0;
        if (!leaf) {
            possible(page, (unsigned)table_at(v & 0xfffffffff000), below,
                     stale);
            continue;
        }
        below.global = v & G;
        below.large = level > 0;
        below.frame = (uint32_t)(((v & 0xfffffffff000) - FRAMES) >> 12) +
                      (level ? page % 4 : 0);
        remember(&m.page[page], &below);
    }
}

static void look(unsigned page, bool stale)
{
    struct translation all;

    memset(&all, 0, sizeof(all)); /* compared with its padding */
    all.w = all.u = true;
    m.page[page].absent = false;
    possible(page, m.root, all, stale);
}

static void look_everywhere(void)
{
    for (unsigned page = 0; page < PAGES; page++)
        look(page, true);
}

/* Keep of what is cached for the page that which isn't global, or nothing. */
static void keep_global(struct page *p, bool keep)
{
    unsigned n = 0;

    for (unsigned k = 0; k < p->n; k++)
        if (keep && p->t[k].global)
            p->t[n++] = p->t[k];
    p->n = n;
}

static void forget_tables(void)
{
    for (unsigned t = 0; t < TABLES_N; t++)
        for (unsigned k = 0; k < PAGES; k++)
            m.slot[t][k].n = 0;
}

static void model_edit(unsigned table, unsigned index, uint64_t v)
{
    struct slot *s = &m.slot[table][index];

    if (s->n == sizeof(s->old) / sizeof(s->old[0]))
        fail_msg("too many edits without a flush");
    s->old[s->n++] = s->now;
    s->now = v;
    look_everywhere();
}

static void model_cr3(unsigned root)
{
    m.root = root;
    forget_tables();
    for (unsigned page = 0; page < PAGES; page++)
        keep_global(&m.page[page], true);
    look_everywhere();
}

static void model_invlpg(unsigned page)
{
    forget_tables();
    keep_global(&m.page[page], false);
    for (unsigned p = page & ~3u; p < (page & ~3u) + 4; p++) {
        unsigned n = 0;

        for (unsigned k = 0; k < m.page[p].n; k++)
            if (!m.page[p].t[k].large)
                m.page[p].t[n++] = m.page[p].t[k];
        m.page[p].n = n;
    }
    look_everywhere();
}

/* The page's translations go, and the tables cached for it; those cached for
 * other addresses may be the same. */
static void model_fault(unsigned page)
{
    keep_global(&m.page[page], false);
    look(page, false);
}

/* What came of an access: could it? */
static bool model_access(unsigned page, enum stub stub, unsigned cpl,
                         const struct outcome *o)
{
    const struct page *p = &m.page[page];
    bool write = stub == STUB_RMW, exec = stub == STUB_EXEC;
    uint64_t error = (write ? PF_W : 0) | (cpl ? PF_U : 0) | (exec ? PF_I : 0);
    bool could = o->vector == VEC_PF && o->error == error && p->absent;

    for (unsigned k = 0; k < p->n && !could; k++) {
        const struct translation *t = &p->t[k];
        bool ok = (t->w || !write) && (t->u || !cpl) && !(exec && t->nx);

        if (o->vector == VEC_PF)
            could = !ok && o->error == (error | PF_P);
        else
            could =
                o->vector == VEC_UD && ok && (exec || o->rax == t->frame + 1);
    }
    if (o->vector == VEC_PF)
        model_fault(page);
    return could;
}

/* ---- The script -------------------------------------------------------- */

struct step {
    enum stub stub;
    unsigned cpl, page, table, index, root;
    uint64_t value;
    bool edit;
};

static struct step steps[SCRIPT_MAX];
static unsigned steps_n;

static uint64_t rights(void)
{
    return (random_below(8) ? P : 0) | (random_below(3) ? W : 0) |
           (random_below(3) ? U : 0) | (random_below(6) ? 0 : NX) |
           (random_below(2) ? A : 0) | (random_below(2) ? D : 0);
}

static uint64_t random_value(unsigned level)
{
    if (level == 0)
        return (FRAMES + 0x1000 * random_below(FRAMES_N)) | rights() |
               (random_below(6) ? 0 : G);
    if (level == 1 && !random_below(3))
        return (FRAMES + 0x200000 * random_below(3)) | rights() | PS |
               (random_below(6) ? 0 : G);
    /* PTs, PDs, PDPTs */
    return tables[level == 1   ? 6 + random_below(3)
                  : level == 2 ? 4 + random_below(2)
                               : 2 + random_below(2)] |
           (rights() & ~(A | D));
}

static struct step *add(enum stub stub)
{
    struct step *s = &steps[steps_n++];

    memset(s, 0, sizeof(*s));
    s->stub = stub;
    s->page = (unsigned)random_below(PAGES);
    s->cpl = stub <= STUB_EXEC && random_below(2) ? 3 : 0;
    return s;
}

static void add_edit(void)
{
    static const uint8_t often[] = {6, 6, 6, 6, 7, 7, 7, 8, 8,
                                    4, 4, 4, 5, 5, 2, 3, 0, 1};
    struct step *s = add(STUB_WRITE);
    unsigned level;

    s->edit = true;
    s->table = often[random_below(sizeof(often))];
    level = level_of[s->table];
    s->index = (unsigned)random_below(level == 0   ? 4
                                      : level == 1 ? REGIONS
                                                   : 1);
    s->value = random_value(level);
}

static void add_flush(struct guest *g)
{
    (void)g;
    if (random_below(3))
        add(STUB_INVLPG);
    else
        add(STUB_CR3)->root = (unsigned)random_below(ROOTS);
}

/* careful: flush all after each edit, as an operating system must that wants to
 * see no difference. */
static void generate(struct guest *g, unsigned n, bool careful)
{
    static const enum stub accesses[] = {STUB_READ, STUB_READ, STUB_RMW,
                                         STUB_RMW, STUB_EXEC};
    unsigned since = 0;

    steps_n = 0;
    while (steps_n + PAGES + 2 < n) {
        uint64_t what = random_below(10);

        if (what < 6) {
            add(accesses[random_below(5)]);
        } else if (what < 9 && since < 12) {
            add_edit();
            since++;
            for (unsigned page = 0; careful && page < PAGES; page++)
                add(STUB_INVLPG)->page = page;
        } else {
            add_flush(g);
            since = 0;
        }
    }
}

static void prepare(struct guest *g)
{
    memset(&m, 0, sizeof(m));
    for (unsigned t = 0; t < TABLES_N; t++) {
        if (t)
            memset(ram_ptr(g->vm->ram, tables[t], 4096), 0, 4096);
        *guest_word(g, tables[t]) = t < ROOTS ? PDPT | P | W | U : 0;
        for (unsigned k = 0; k < PAGES; k++)
            *guest_word(g, slot_gpa(t, k)) = 0;
    }
    for (unsigned k = 0; k < FRAMES_N; k++) {
        *guest_word(g, FRAMES + 4096 * k) = 0x0b0f; /* ud2 */
        *guest_word(g, FRAMES + 4096 * k + 16) = k + 1;
    }
    look_everywhere();
}

static void play(struct guest *g)
{
    for (unsigned k = 0; k < steps_n; k++) {
        const struct step *s = &steps[k];

        if (s->edit)
            guest_add(g, s->stub, 0, 0, slot_gpa(s->table, s->index), s->value);
        else if (s->stub == STUB_CR3)
            guest_add(g, s->stub, 0, 0, 0, tables[s->root]);
        else
            guest_add(
                g, s->stub, s->cpl, 0,
                page_va(s->page) +
                    (s->stub == STUB_READ || s->stub == STUB_RMW ? 16 : 0),
                0);
    }
    memset(g->log, 0, steps_n * sizeof(*g->log));
    guest_make(g);
}

static void print_steps(unsigned upto)
{
    static const char *const names[] = {"read",     "write",  "rmw", "exec",
                                        "implicit", "invlpg", "cr3"};

    for (unsigned k = upto < 25 ? 0 : upto - 25; k <= upto; k++) {
        const struct step *s = &steps[k];

        if (s->edit)
            print_message("  %u: table %u slot %u = %#llx\n", k, s->table,
                          s->index, (unsigned long long)s->value);
        else
            print_message("  %u: %s page %u cpl %u root %u\n", k,
                          names[s->stub], s->page, s->cpl, s->root);
    }
}

static bool check(const struct guest *g)
{
    for (unsigned k = 0; k < steps_n; k++) {
        const struct step *s = &steps[k];
        const struct outcome *o = &g->log[k];
        bool ok = o->vector == VEC_UD;

        if (s->edit)
            model_edit(s->table, s->index, s->value & ~(A | D));
        else if (s->stub == STUB_CR3)
            model_cr3(s->root);
        else if (s->stub == STUB_INVLPG)
            model_invlpg(s->page);
        else
            ok = model_access(s->page, s->stub, s->cpl, o);
        if (ok)
            continue;
        print_message("%s: step %u can't have vector %llu error %#llx rax %llu "
                      "rip %#llx cr2 %#llx\n",
                      g->name, k, (unsigned long long)o->vector,
                      (unsigned long long)o->error, (unsigned long long)o->rax,
                      (unsigned long long)o->rip, (unsigned long long)o->cr2);
        print_steps(k);
        for (unsigned n = 0; n < m.page[s->page].n; n++)
            print_message("  could be frame %u\n", m.page[s->page].t[n].frame);
        return false;
    }
    return true;
}

static void edits(const char *backend, const char *policy, const char *options,
                  unsigned runs, unsigned length)
{
    struct guest g;
    bool ok = true;

    if (!guest_open(&g, backend, policy, options))
        return;
    seed = 7;
    for (unsigned n = 0; n < runs && ok; n++) {
        prepare(&g);
        generate(&g, length, false);
        play(&g);
        ok = check(&g);
    }
    guest_close(&g);
    assert_true(ok);
}

/* Where the guest flushes what it must, nothing shows. */
static void careful(const char *policy, const char *options, unsigned runs)
{
    struct guest plain, g;

    if (!guest_open(&g, "interp", policy, options))
        return;
    assert_true(guest_open(&plain, "interp", "none", NULL));
    seed = 9;
    for (unsigned n = 0; n < runs; n++) {
        generate(&g, SCRIPT_MAX - 1, true);
        prepare(&plain);
        play(&plain);
        prepare(&g);
        play(&g);
        assert_memory_equal(g.log, plain.log, steps_n * sizeof(*g.log));
        assert_memory_equal(g.vm->ram->host + TABLES,
                            plain.vm->ram->host + TABLES, 0x8000);
    }
    guest_close(&plain);
    guest_close(&g);
}

static void test_interp(void **state)
{
    const struct backend *interp = backend_find("interp");
    static const char *const options[] = {NULL, "paging-walk-cache=on",
                                          "paging-walk-cache=off"};

    (void)state;
    for (unsigned k = 0; interp->policies[k]; k++)
        for (unsigned o = 0; o < 3; o++) {
            edits("interp", interp->policies[k], options[o], 12,
                  SCRIPT_MAX - 1);
            careful(interp->policies[k], options[o], 4);
        }
    edits("interp", "nested", "paging-nested-large=on", 8, SCRIPT_MAX - 1);
}

static void native(const char *name)
{
    const struct backend *backend = backend_find(name);

    for (unsigned k = 0; backend->policies[k]; k++)
        edits(name, backend->policies[k], NULL, 3, 400);
}

static void test_bt(void **state)
{
    (void)state;
    native("bt");
}

static void test_direct(void **state)
{
    (void)state;
    native("direct");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interp),
        cmocka_unit_test(test_bt),
        cmocka_unit_test(test_direct),
    };

    return cmocka_run_group_tests_name("stale", tests, NULL, NULL);
}
