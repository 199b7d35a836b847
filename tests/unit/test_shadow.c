/* Every policy on both sinks against a model: no entry may show a translation
 * that a TLB could not. */
#include "shadow_fixture.h"

/* Pages that are looked at: two of every three of these lie in one leaf table.
 */
#define PAGES 24
#define ALIAS                                                                  \
    0x210000000000ull /* delta 0: where the kernel maps all tables \
                       */
#define TABLE_FRAMES 64
#define OTHER_TABLE (TABLES + 50 * PAGE) /* a leaf table in reserve */
#define ROOT3 (ROOT + ROOT2)

/* What a translation gives. */
struct seen {
    gpa_t gpa;
    bool user, write, dirty, global;
};

/* SDM 4.10.2.3: any translation that was valid since the last flush of it may
 * still be used. */
#define HISTORY 64
struct history {
    struct seen e[HISTORY];
    unsigned n;
};

struct world {
    struct guest g;
    struct shadow_tlb callbacks;
    bool tlb_sink;
    uint64_t delta;
    struct history page[2][PAGES]; /* user, kernel */
    /* The owner's TLB: valid, and what it holds. */
    bool valid[2 + 1][TABLE_FRAMES];
    struct seen tlb[2 + 1][TABLE_FRAMES];
    unsigned shown, stale;
};

static uint64_t area(const struct world *w, unsigned which)
{
    const uint64_t kernel = w->delta ? HIGH_VA : KERNEL_VA;

    if (which == 2)
        return w->delta ? HIGH_VA + ALIAS - KERNEL_VA : ALIAS;
    return which ? kernel : USER_VA;
}

static uint64_t page_va(const struct world *w, unsigned which, unsigned k)
{
    return area(w, which) + k * PAGE;
}

/* ---- The owner's TLB ----------------------------------------------------- */

static void each_entry(struct world *w, gva_t gva, uint64_t size, bool drop)
{
    for (unsigned which = 0; which < 3; which++)
        for (unsigned k = 0; k < TABLE_FRAMES; k++) {
            if (page_va(w, which, k) - gva >= size)
                continue;
            if (drop)
                w->valid[which][k] = false;
            else
                w->tlb[which][k].write = false;
        }
}

static void tlb_drop(void *opaque, gva_t gva, uint64_t size)
{
    if (size == UINT64_MAX)
        gva = 0;
    each_entry(opaque, gva, size, true);
}

static void tlb_protect(void *opaque, gva_t gva)
{
    each_entry(opaque, gva, PAGE, false);
}

/* ---- The model ----------------------------------------------------------- */

static bool same(const struct seen *a, const struct seen *b)
{
    return a->gpa == b->gpa && a->user == b->user && a->write == b->write &&
           a->dirty == b->dirty && a->global == b->global;
}

/* The translation that the tables give now, if it may be in a TLB. */
static bool current(struct world *w, unsigned which, unsigned k,
                    struct seen *now)
{
    uint64_t gva = page_va(w, which, k);
    struct walk_result r;

    if (x86_walk(&w->g.ram, &w->g.regs, gva, WALK_PEEK, &r) ||
        !(*pte_of(&w->g, w->g.regs.cr3, gva) & A))
        return false;
    now->gpa = r.gpa;
    now->user = r.user;
    now->write = r.write;
    now->dirty = r.dirty;
    now->global = r.global;
    return true;
}

static void observe_page(struct world *w, unsigned which, unsigned k)
{
    struct history *h = &w->page[which][k];
    struct seen now;

    if (!current(w, which, k, &now))
        return;
    for (unsigned n = 0; n < h->n; n++)
        if (same(&h->e[n], &now))
            return;
    assert_in_range(h->n, 0, HISTORY - 1);
    h->e[h->n++] = now;
}

static void observe(struct world *w)
{
    for (unsigned which = 0; which < 2; which++)
        for (unsigned k = 0; k < PAGES; k++)
            observe_page(w, which, k);
}

static void forget(struct world *w, unsigned which, unsigned k, bool globals)
{
    struct history *h = &w->page[which][k];
    unsigned kept = 0;

    for (unsigned n = 0; !globals && n < h->n; n++)
        if (h->e[n].global)
            h->e[kept++] = h->e[n];
    h->n = kept;
    observe_page(w, which, k);
}

/* Did the tables say so, now or since the last flush? */
static void check(struct world *w, unsigned which, unsigned k, gpa_t gpa,
                  bool write, bool by_user)
{
    const struct history *h = &w->page[which][k];
    struct seen now;

    w->shown++;
    for (unsigned n = 0; n < h->n; n++)
        if (h->e[n].gpa == gpa && (h->e[n].user || !by_user) &&
            (!write || (h->e[n].write && h->e[n].dirty))) {
            w->stale += !current(w, which, k, &now) || now.gpa != gpa ||
                        (write && !(now.write && now.dirty));
            return;
        }
    fail_msg("page %u of area %u shows %#llx%s", k, which,
             (unsigned long long)gpa, write ? ", writable" : "");
}

/* ---- Both sinks ---------------------------------------------------------- */

static uint64_t host_of(const struct world *w, unsigned cpl, uint64_t gva)
{
    return cpl == 3 ? gva : gva + w->delta;
}

static void check_host(struct world *w, unsigned cpl, unsigned which,
                       unsigned k)
{
    uint64_t host = host_of(w, cpl, page_va(w, which, k)), v;

    if (cpl == 3 && which && w->delta)
        return; /* no such address */
    if (readable(&w->g, host, &v))
        check(w, which, k, data((unsigned)v), writable(&w->g, host), cpl == 3);
}

static void check_all(struct world *w, unsigned cpl)
{
    for (unsigned which = 0; which < 2; which++)
        for (unsigned k = 0; k < PAGES; k++) {
            const struct seen *t = &w->tlb[which][k];

            if (!w->tlb_sink)
                check_host(w, cpl, which, k);
            else if (w->valid[which][k])
                check(w, which, k, t->gpa, t->write, t->user && cpl == 3);
        }
}

/* An access. True: it is emulated, at *gpa. */
static bool access_page(struct world *w, unsigned cpl, unsigned which,
                        unsigned k, bool write, gpa_t *gpa)
{
    uint64_t gva = page_va(w, which, k);
    struct seen *t = &w->tlb[which][k];
    enum shadow_verdict v;
    struct shadow_fault f;
    struct shadow_page page;

    if (cpl == 3 && which && w->delta)
        return false;
    if (!w->tlb_sink) {
        uint64_t host = host_of(w, cpl, gva);

        if (write ? writable(&w->g, host) : readable(&w->g, host, NULL))
            return false;
        v = touch(&w->g, cpl, host, write ? PF_W : 0, &f);
    } else {
        if (w->valid[which][k] && (t->user || cpl < 3) && (t->write || !write))
            return false;
        v = shadow_access(w->g.shadow, gva,
                          (write ? WALK_WRITE : 0) | (cpl == 3 ? WALK_USER : 0),
                          &page, &f);
        if (v == SHADOW_RETRY) {
            w->valid[which][k] = true;
            *t = (struct seen){.gpa = page.gpa,
                               .user = page.user,
                               .write = page.write,
                               .global = page.global};
            assert_true(page.write || !write);
        }
    }
    if (which < 2) /* A and D bits */
        observe_page(w, which, k);
    if (v == SHADOW_GUEST) {
        struct walk_result r;
        unsigned how = (write ? WALK_WRITE : 0) | (cpl == 3 ? WALK_USER : 0);

        assert_int_not_equal(
            x86_walk(&w->g.ram, &w->g.regs, gva, how | WALK_PEEK, &r), 0);
        assert_int_equal(f.error & ~PF_U, r.error & ~PF_U);
    }
    assert_int_not_equal(v, SHADOW_FAILED);
    *gpa = f.gpa;
    return v == SHADOW_EMULATE;
}

/* The guest's kernel stores to an entry through its own mapping of the table.
 */
static void store(struct world *w, uint64_t *entry, uint64_t value)
{
    gpa_t at = gpa_of(&w->g, entry), gpa;
    bool emulated;

    assert_in_range(at, ROOT, TABLE_FRAMES * PAGE - 1);
    shadow_set_cpl(w->g.shadow, 0);
    emulated = access_page(w, 0, 2, (unsigned)(at / PAGE), true, &gpa);
    *entry = value;
    if (emulated)
        shadow_written(w->g.shadow, at, 8, 0);
    observe(w);
}

static void flush_page(struct world *w, unsigned which, unsigned k)
{
    w->valid[which][k] = false;
    shadow_invlpg(w->g.shadow, page_va(w, which, k) + 8);
    forget(w, which, k, true);
}

static void load_cr3(struct world *w, uint64_t cr3)
{
    for (unsigned which = 0; which < 3; which++)
        for (unsigned k = 0; k < TABLE_FRAMES; k++)
            if (!w->tlb[which][k].global)
                w->valid[which][k] = false;
    w->g.regs.cr3 = cr3;
    shadow_load_cr3(w->g.shadow, &w->g.regs);
    for (unsigned which = 0; which < 2; which++)
        for (unsigned k = 0; k < PAGES; k++)
            forget(w, which, k, false);
}

/* Both spaces: tables for all areas, all tables mapped for the kernel. */
static void make_tables(struct world *w)
{
    struct guest *g = &w->g;

    for (unsigned k = 0; k < TABLE_FRAMES; k++)
        *pte_of(g, ROOT, page_va(w, 2, k)) = k * PAGE | P | W | A | D;
    pte_of(g, ROOT, area(w, 1));
    for (unsigned k = 0; k < 2; k++)
        *slot(g, ROOT2, area(w, 1 + k) >> 39 & 511) =
            *slot(g, ROOT, area(w, 1 + k) >> 39 & 511);
    pte_of(g, ROOT, USER_VA);
    pte_of(g, ROOT2, USER_VA);
    assert_in_range(g->next_table, TABLES, TABLE_FRAMES * PAGE - 1);
}

static uint64_t random_pte(unsigned which, unsigned k)
{
    uint64_t bits = (uint64_t)random() & (W | A | D | (which ? G : U));

    return data(k + (unsigned)random() % 3) | bits | (random() % 8 ? P : 0);
}

/* The middle entry above USER_VA leads to one of two tables. */
static void exchange_tables(struct world *w, gpa_t other)
{
    gpa_t root = w->g.regs.cr3;
    uint64_t *upper = slot(
        &w->g, *slot(&w->g, *slot(&w->g, root, 0) & ~0xfffull, 0) & ~0xfffull,
        USER_VA >> 21 & 511);

    if (random() & 1)
        store(w, upper, other | P | W | U | A);
    else
        store(w, upper, *upper ^ W);
}

static void random_step(struct world *w, unsigned *cpl)
{
    unsigned which = random() & 1, k = (unsigned)random() % PAGES;
    gpa_t root = random() & 7 ? w->g.regs.cr3 : ROOT3 - w->g.regs.cr3, gpa;

    switch (random() % 16) {
    case 0:
    case 1:
    case 2:
        store(w, pte_of(&w->g, root, page_va(w, which, k)),
              random_pte(which, k));
        *cpl = 0;
        break;
    case 3:
    case 4:
        *cpl = 0;
        shadow_set_cpl(w->g.shadow, 0);
        flush_page(w, which, k);
        break;
    case 5:
        *cpl = 0;
        shadow_set_cpl(w->g.shadow, 0);
        load_cr3(w, random() & 1 ? ROOT3 - w->g.regs.cr3 : w->g.regs.cr3);
        break;
    case 6:
        if (random() % 4)
            break;
        exchange_tables(w, OTHER_TABLE);
        *cpl = 0;
        break;
    case 7:
        *cpl ^= 3;
        break;
    default:
        shadow_set_cpl(w->g.shadow, *cpl);
        access_page(w, *cpl, which, k, random() & 1, &gpa);
    }
}

static void run_world(const char *policy, bool tlb_sink, uint64_t delta,
                      struct paging_options options, unsigned steps)
{
    struct world *w = calloc(1, sizeof(*w));
    struct shadow_config config = {.policy = policy,
                                   .options = options,
                                   .delta = delta,
                                   .kernel_exec = true};
    unsigned cpl = 0;

    assert_non_null(w);
    config.options.max_maps = 60;
    w->tlb_sink = tlb_sink;
    w->delta = delta;
    w->callbacks = (struct shadow_tlb){tlb_drop, tlb_protect, w};
    if (tlb_sink)
        config.tlb = &w->callbacks;
    make_guest_with(&w->g, config);
    make_tables(w);
    observe(w);
    srandom(4711);
    for (unsigned n = 0; n < steps; n++) {
        random_step(w, &cpl);
        shadow_set_cpl(w->g.shadow, cpl);
        if (tlb_sink || n % 8 == 0)
            check_all(w, cpl);
    }
    assert_true(w->shown > steps / 4);
    /* Only where nothing is out of date by design is nothing ever. */
    if (!strcmp(policy, "trace"))
        assert_int_equal(w->stale, 0);
    else
        assert_true(w->stale > 0);
    end_guest(&w->g);
    free(w);
}

static void every_option(const char *policy, bool tlb_sink, uint64_t delta,
                         unsigned steps)
{
    struct paging_options o = paging_defaults;

    run_world(policy, tlb_sink, delta, o, steps);
    o.fault_around = 1;
    o.shadow_cache = 1;
    run_world(policy, tlb_sink, delta, o, steps);
    o.fault_around = 8;
    o.shadow_cache = 2;
    o.prefill = PAGING_ON;
    run_world(policy, tlb_sink, delta, o, steps);
}

static void test_tlb(void **state)
{
    (void)state;
    for (unsigned k = 0; shadow_policies[k]; k++)
        every_option(shadow_policies[k], true, 0, 60000);
}

static void test_mmap(void **state)
{
    (void)state;
    for (unsigned k = 0; shadow_policies[k]; k++)
        every_option(shadow_policies[k], false, 0, 3000);
}

static void test_two_views(void **state)
{
    (void)state;
    for (unsigned k = 0; shadow_policies[k]; k++)
        every_option(shadow_policies[k], false, SHADOW_DELTA, 3000);
}

/* ---- What each policy costs ---------------------------------------------- */

/* How many of the event the call makes. */
#define COUNTED(w, event, call)                                                \
    ({                                                                         \
        uint64_t before_ = (w)->g.events.count[event];                         \
                                                                               \
        call;                                                                  \
        (w)->g.events.count[event] - before_;                                  \
    })

static void begin_world(struct world *w, const char *policy, bool tlb_sink,
                        bool prefill)
{
    struct shadow_config config = {
        .policy = policy, .options = paging_defaults, .kernel_exec = true};

    memset(w, 0, sizeof(*w));
    config.options.prefill = prefill ? PAGING_ON : PAGING_OFF;
    w->callbacks = (struct shadow_tlb){tlb_drop, tlb_protect, w};
    w->tlb_sink = tlb_sink;
    if (tlb_sink)
        config.tlb = &w->callbacks;
    make_guest_with(&w->g, config);
    make_tables(w);
    *pte_of(&w->g, ROOT, USER_VA) = data(1) | P | U | W | A | D;
    *pte_of(&w->g, ROOT2, USER_VA) = data(2) | P | U | W | A | D;
}

static void test_costs(void **state)
{
    static const struct {
        const char *policy;
        unsigned first, second, fresh; /* trace faults of writes to a PTE: the
                                    first, the next, one after a CR3 load */
        unsigned back; /* hidden faults of coming back to a space */
    } costs[] = {
        {"trace", 1, 1, 1, 0},
        {"vtlb", 0, 0, 0, 1},
        {"unsync", 1, 0, 1, 0},
    };
    static struct world w;
    uint64_t *pte;
    gpa_t gpa;

    (void)state;
    for (unsigned k = 0; k < sizeof(costs) / sizeof(costs[0]); k++) {
        begin_world(&w, costs[k].policy, true, false);
        pte = pte_of(&w.g, ROOT, USER_VA + PAGE);
        assert_int_equal(
            COUNTED(&w, EV_FAULT_HIDDEN, access_page(&w, 3, 0, 0, true, &gpa)),
            1);
        assert_int_equal(COUNTED(&w, EV_FAULT_TRACE, store(&w, pte, 0)),
                         costs[k].first);
        assert_int_equal(COUNTED(&w, EV_FAULT_TRACE, store(&w, pte, 0)),
                         costs[k].second);
        load_cr3(&w, ROOT2);
        access_page(&w, 3, 0, 0, true, &gpa);
        load_cr3(&w, ROOT);
        assert_int_equal(
            COUNTED(&w, EV_FAULT_HIDDEN, access_page(&w, 3, 0, 0, true, &gpa)),
            costs[k].back);
        assert_int_equal(COUNTED(&w, EV_FAULT_TRACE, store(&w, pte, 0)),
                         costs[k].fresh);
        end_guest(&w.g);
    }
}

/* With mmap only one space is live: the other's entries are brought back by a
 * fault each, or all at once. */
static void test_coming_back(void **state)
{
    static struct world w;
    uint64_t v;
    gpa_t gpa;

    (void)state;
    for (unsigned prefill = 0; prefill < 2; prefill++) {
        begin_world(&w, "trace", false, prefill);
        access_page(&w, 3, 0, 0, true, &gpa);
        load_cr3(&w, ROOT2);
        assert_false(readable(&w.g, USER_VA, NULL));
        access_page(&w, 3, 0, 0, true, &gpa);
        assert_true(readable(&w.g, USER_VA, &v));
        assert_int_equal(v, 2);
        assert_int_equal(COUNTED(&w, EV_SHADOW_FILL, load_cr3(&w, ROOT)),
                         prefill);
        assert_int_equal(readable(&w.g, USER_VA, NULL), prefill);
        /* Known: no walk of the guest's tables. */
        assert_int_equal(
            COUNTED(&w, EV_WALK_VMM, access_page(&w, 3, 0, 0, true, &gpa)), 0);
        assert_true(readable(&w.g, USER_VA, &v));
        assert_int_equal(v, 1);
        end_guest(&w.g);
    }
}

static void test_options(void **state)
{
    static const char *const wrong[] = {
        "paging-fault-around=3", "paging-fault-around=0",
        "paging-fault-around=",  "paging-prefill=yes",
        "paging-shadow-cache=0", "bt-unit=4,paging-colour=red",
        "paging-prefill",        "paging-max-maps=15",
    };
    struct paging_options o;
    char why[REASON_MAX];

    (void)state;
    assert_int_equal(paging_options_parse(NULL, &o, why), 0);
    assert_memory_equal(&o, &paging_defaults, sizeof(o));
    assert_int_equal(paging_options_parse("bt-unit=4,paging-fault-around=64,"
                                          "paging-prefill=on,"
                                          "paging-shadow-cache=3,"
                                          "paging-walk-cache=off,"
                                          "paging-max-maps=16",
                                          &o, why),
                     0);
    assert_int_equal(o.fault_around, 64);
    assert_int_equal(o.shadow_cache, 3);
    assert_int_equal(o.prefill, PAGING_ON);
    assert_int_equal(o.walk_cache, PAGING_OFF);
    assert_int_equal(o.max_maps, 16);
    for (unsigned k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
        why[0] = 0;
        assert_int_equal(paging_options_parse(wrong[k], &o, why), -EINVAL);
        assert_non_null(strstr(why, "paging-"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),     cmocka_unit_test(test_costs),
        cmocka_unit_test(test_coming_back), cmocka_unit_test(test_tlb),
        cmocka_unit_test(test_mmap),        cmocka_unit_test(test_two_views),
    };

    return cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
