/* Page-table rights on every backend and paging policy, against a model and
 * against the plain interpreter. */
#include "paging_fixture.h"

/* One page is tested, by all sizes: VA's low bits are those of FRAME, so that
 * pages of 4 KiB, 2 MiB and 1 GiB all lead there. */
#define FRAME 0x601000ull
#define VA (0x8000000000ull + FRAME)
#define DATUM (VA + 16)  /* VA: UD2; VA + 8: a descriptor */
#define BAD (1ull << 45) /* beyond MAXPHYADDR */

#define ACCESSES 10

struct access {
    enum stub stub;
    unsigned cpl;
    uint64_t ac;
};

/* Tables, registers and what is done with them. */
struct test {
    unsigned leaf; /* level of the leaf */
    uint64_t entry[4];
    uint64_t cr0, cr4, efer;
    struct access access[ACCESSES];
};

static bool often(void)
{
    return random_below(4) != 0;
}

static gpa_t slot(unsigned level)
{
    if (level == 3)
        return PML4 + (VA >> 39 & 511) * 8;
    return TABLES + 0x1000 * (2 - level) + (VA >> (12 + 9 * level) & 511) * 8;
}

static void generate(struct test *t, bool implicit)
{
    unsigned odd = (unsigned)random_below(8); /* level with other rights */

    t->leaf = (unsigned)random_below(3);
    for (unsigned l = 3; l > t->leaf; l--)
        t->entry[l] = (TABLES + 0x1000 * (3 - l)) | P | W | U;
    t->entry[t->leaf] = (FRAME & ~((1ull << (12 + 9 * t->leaf)) - 1)) |
                        (t->leaf ? PS : 0) | P | (random_below(2) ? U : 0) |
                        (random_below(2) ? W : 0) | (often() ? 0 : NX) |
                        (random_below(2) ? A : 0) | (random_below(2) ? D : 0);
    if (!random_below(12))
        t->entry[t->leaf] &= ~P;
    if (!random_below(16))
        t->entry[t->leaf] |= BAD;
    if (odd <= 3 && odd > t->leaf) {
        static const uint64_t flip[] = {U, W, NX, W, U, P, BAD, A};

        t->entry[odd] ^= flip[random_below(8)];
    }
    t->cr0 = often() ? CR0_WP : 0;
    t->cr4 =
        (random_below(3) ? 0 : CR4_SMEP) | (random_below(3) ? 0 : CR4_SMAP);
    t->efer = often() ? EFER_NXE : 0;
    for (unsigned k = 0; k < ACCESSES; k++) {
        t->access[k].stub = (enum stub)random_below(implicit ? STUB_IMPLICIT + 1
                                                             : STUB_IMPLICIT);
        t->access[k].cpl = random_below(2) ? 3 : 0;
        t->access[k].ac = random_below(2) ? FL_AC : 0;
    }
}

/* ---- The model: SDM vol. 3A, 4.6 and 4.7 ------------------------------- */

struct expected {
    bool fault;
    uint32_t error;
};

static struct expected expect(const struct test *t, const struct access *a)
{
    bool fetch = a->stub == STUB_EXEC;
    bool write = a->stub == STUB_WRITE || a->stub == STUB_RMW;
    bool implicit = a->stub == STUB_IMPLICIT;
    bool user_mode = a->cpl == 3 && !implicit;
    bool user_page = true, writable = true, no_exec = false, ok;
    struct expected e = {true, 0};

    if (write)
        e.error |= 1 << 1;
    if (user_mode)
        e.error |= 1 << 2;
    if (fetch && (t->efer & EFER_NXE || t->cr4 & CR4_SMEP))
        e.error |= 1 << 4;
    for (int l = 3; l >= (int)t->leaf; l--) {
        uint64_t x = t->entry[l];

        if (!(x & 1))
            return e;
        if (x & BAD || (x >> 63 && !(t->efer & EFER_NXE))) {
            e.error |= 1 << 3 | 1;
            return e;
        }
        writable &= x >> 1 & 1;
        user_page &= x >> 2 & 1;
        no_exec |= x >> 63;
    }
    e.error |= 1;
    if (user_mode) {
        ok = user_page && !(write && !writable) && !(fetch && no_exec);
    } else if (fetch) {
        ok = !no_exec && !(user_page && t->cr4 & CR4_SMEP);
    } else {
        ok = !(write && !writable && t->cr0 & CR0_WP);
        if (user_page && t->cr4 & CR4_SMAP && (implicit || !a->ac))
            ok = false;
    }
    e.fault = !ok;
    return e;
}

/* Follows the accessed and dirty bits: `must` be set, `may` be set. A walk that
 * ends in a fault may have come by some entries. */
static void follow(const struct test *t, const struct access *a,
                   const struct expected *e, uint64_t must[4], uint64_t may[4])
{
    bool write = a->stub == STUB_WRITE || a->stub == STUB_RMW;

    for (int l = 3; l >= (int)t->leaf; l--) {
        if (!(t->entry[l] & P) || t->entry[l] & BAD)
            return;
        may[l] |= A;
        if (e->fault)
            continue;
        must[l] |= A;
        if (write && l == (int)t->leaf) {
            must[l] |= D;
            may[l] |= D;
        }
    }
}

/* ---- Running ----------------------------------------------------------- */

static uint64_t address(enum stub stub)
{
    return stub == STUB_EXEC ? VA : stub == STUB_IMPLICIT ? VA + 8 : DATUM;
}

static void apply(struct guest *g, const struct test *t)
{
    memset(ram_ptr(g->vm->ram, TABLES, 0x4000), 0, 0x4000);
    *guest_word(g, slot(3)) = 0;
    for (unsigned l = t->leaf; l < 4; l++)
        *guest_word(g, slot(l)) = t->entry[l];
    *guest_word(g, FRAME) = 0x0b0f; /* ud2 */
    *guest_word(g, FRAME + 8) = 0x00cff3000000ffff;
    *guest_word(g, FRAME + 16) = 0x1234;
    g->s.cr0 = (g->s.cr0 & ~CR0_WP) | t->cr0;
    g->s.cr4 = (g->s.cr4 & ~(CR4_SMEP | CR4_SMAP)) | t->cr4;
    g->s.efer = (g->s.efer & ~EFER_NXE) | t->efer;
    g->s.ldtr = (struct x86_seg){
        .base = VA, .limit = 0xfff, .sel = 0x30, .attr = SEG_P | 2};
    for (unsigned k = 0; k < ACCESSES; k++)
        guest_add(g, t->access[k].stub, t->access[k].cpl, t->access[k].ac,
                  t->access[k].stub == STUB_EXEC ? VA : DATUM, 0x1234);
    memset(g->log, 0, ACCESSES * sizeof(*g->log));
    guest_make(g);
}

static void complain(const struct guest *g, const struct test *t, unsigned k)
{
    const struct access *a = &t->access[k];

    print_message(
        "%s: level %u entries %#llx %#llx %#llx %#llx cr0 %#llx cr4 "
        "%#llx efer %#llx\n  access %u: stub %u cpl %u ac %d: vector "
        "%llu error %#llx rip %#llx cr2 %#llx\n",
        g->name, t->leaf, (unsigned long long)t->entry[3],
        (unsigned long long)t->entry[2], (unsigned long long)t->entry[1],
        (unsigned long long)t->entry[0], (unsigned long long)t->cr0,
        (unsigned long long)t->cr4, (unsigned long long)t->efer, k, a->stub,
        a->cpl, !!a->ac, (unsigned long long)g->log[k].vector,
        (unsigned long long)g->log[k].error, (unsigned long long)g->log[k].rip,
        (unsigned long long)g->log[k].cr2);
}

static bool as_expected(const struct test *t, const struct access *a,
                        const struct outcome *o, const struct expected *e)
{
    bool exec = a->stub == STUB_EXEC;
    uint64_t stub = (a->cpl ? UCODE : KCODE) + STUBS + STUB_SIZE * a->stub;

    (void)t;
    if (!e->fault)
        return o->vector == VEC_UD && (exec ? o->rip == VA : o->rip > stub) &&
               (a->stub != STUB_READ || o->rax == 0x1234);
    return o->vector == VEC_PF && o->error == e->error &&
           o->cr2 == address(a->stub) &&
           (exec ? o->rip == VA
                 : o->rip == stub + (a->stub == STUB_IMPLICIT ? 5 : 0));
}

static bool check(struct guest *g, struct test *t)
{
    uint64_t must[4], may[4];

    memcpy(must, t->entry, sizeof(must));
    memcpy(may, t->entry, sizeof(may));
    for (unsigned k = 0; k < ACCESSES; k++) {
        struct expected e = expect(t, &t->access[k]);

        if (!as_expected(t, &t->access[k], &g->log[k], &e)) {
            complain(g, t, k);
            print_message("  expected %s %#x\n", e.fault ? "#PF" : "success",
                          e.error);
            return false;
        }
        follow(t, &t->access[k], &e, must, may);
    }
    for (unsigned l = t->leaf; l < 4; l++) {
        uint64_t is = *guest_word(g, slot(l));

        if ((is & must[l]) == must[l] && !(is & ~may[l]))
            continue;
        complain(g, t, 0);
        print_message("  level %u is %#llx, must have %#llx, may have %#llx\n",
                      l, (unsigned long long)is, (unsigned long long)must[l],
                      (unsigned long long)may[l]);
        return false;
    }
    return true;
}

/* As the plain interpreter, tables included. */
static void compare(struct guest *g, struct guest *plain, const struct test *t)
{
    for (unsigned k = 0; k < ACCESSES; k++)
        if (memcmp(&g->log[k], &plain->log[k], sizeof(*g->log))) {
            complain(plain, t, k);
            complain(g, t, k);
            fail();
        }
    for (unsigned l = t->leaf; l < 4; l++)
        assert_int_equal(*guest_word(g, slot(l)), *guest_word(plain, slot(l)));
}

static void matrix(const char *backend, const char *policy, const char *options,
                   unsigned tests, bool exact)
{
    struct guest plain, g;
    unsigned bad = 0;
    struct test t;

    if (!guest_open(&g, backend, policy, options))
        return;
    assert_true(guest_open(&plain, "interp", "none", NULL));
    seed = 1;
    for (unsigned n = 0; n < tests && bad < 5; n++) {
        generate(&t, exact);
        /* The host's rights know nothing like RFLAGS.AC. */
        if (!exact)
            t.cr4 &= ~CR4_SMAP;
        apply(&plain, &t);
        assert_true(check(&plain, &t));
        apply(&g, &t);
        bad += !check(&g, &t);
        if (exact)
            compare(&g, &plain, &t);
    }
    guest_close(&plain);
    guest_close(&g);
    assert_int_equal(bad, 0);
}

static void test_interp(void **state)
{
    const struct backend *interp = backend_find("interp");
    const unsigned tests = 5000;

    (void)state;
    for (unsigned k = 0; interp->policies[k]; k++) {
        matrix("interp", interp->policies[k], NULL, tests, true);
        matrix("interp", interp->policies[k], "paging-walk-cache=on", tests / 4,
               true);
        matrix("interp", interp->policies[k], "paging-walk-cache=off",
               tests / 4, true);
    }
    matrix("interp", "nested", "paging-nested-large=on", tests, true);
}

static void test_bt(void **state)
{
    const struct backend *bt = backend_find("bt");

    (void)state;
    for (unsigned k = 0; bt->policies && bt->policies[k]; k++)
        matrix("bt", bt->policies[k], NULL, 300, false);
}

static void test_direct(void **state)
{
    const struct backend *direct = backend_find("direct");

    (void)state;
    for (unsigned k = 0; direct->policies && direct->policies[k]; k++)
        matrix("direct", direct->policies[k], NULL, 300, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interp),
        cmocka_unit_test(test_bt),
        cmocka_unit_test(test_direct),
    };

    return cmocka_run_group_tests_name("permissions", tests, NULL, NULL);
}
