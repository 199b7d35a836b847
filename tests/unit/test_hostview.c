/* The shadow with the host's mmap against page tables: what a guest may see and
 * write. */
#include "shadow_fixture.h"

/* ---- Tests --------------------------------------------------------------- */

static void test_fill(void **state)
{
    struct shadow_fault f;
    struct guest g;
    uint64_t *pte, v;

    (void)state;
    make_guest(&g, 0, 0);
    pte = pte_of(&g, ROOT, USER_VA);
    *pte = data(7) | P | W | U;
    assert_false(readable(&g, USER_VA, NULL));

    /* A read sets A, not D, and gives no write permission. */
    assert_int_equal(touch(&g, 3, USER_VA + 8, 0, &f), SHADOW_RETRY);
    assert_int_equal(*pte & (A | D), A);
    assert_true(readable(&g, USER_VA, &v));
    assert_int_equal(v, 7);
    assert_false(writable(&g, USER_VA));

    assert_int_equal(touch(&g, 3, USER_VA + 8, PF_W | PF_P, &f), SHADOW_RETRY);
    assert_int_equal(*pte & (A | D), A | D);
    assert_true(writable(&g, USER_VA));
    assert_int_equal(g.events.count[EV_FAULT_HIDDEN], 2);
    end_guest(&g);
}

static void test_true_faults(void **state)
{
    struct shadow_fault f;
    struct guest g;

    (void)state;
    make_guest(&g, 0, 0);
    *pte_of(&g, ROOT, USER_VA) = data(1) | P | U | NX;
    *pte_of(&g, ROOT, KERNEL_VA) = data(2) | P | W;
    assert_int_equal(touch(&g, 3, USER_VA + PAGE, 0, &f), SHADOW_GUEST);
    assert_int_equal(f.gva, USER_VA + PAGE);
    assert_int_equal(f.error, PF_U);
    assert_int_equal(touch(&g, 0, USER_VA + PAGE, PF_W, &f), SHADOW_GUEST);
    assert_int_equal(f.error, PF_W);
    assert_int_equal(touch(&g, 3, USER_VA, PF_W, &f), SHADOW_GUEST);
    assert_int_equal(f.error, PF_U | PF_W | PF_P);
    assert_int_equal(touch(&g, 3, USER_VA, PF_I, &f), SHADOW_GUEST);
    assert_int_equal(f.error, PF_U | PF_I | PF_P);
    assert_int_equal(touch(&g, 3, KERNEL_VA, 0, &f), SHADOW_GUEST);
    assert_int_equal(f.error, PF_U | PF_P);
    /* Nothing there: the guest's fault. Something there: unsupported. */
    assert_int_equal(touch(&g, 0, 1ull << 46 | 1ull << 44, 0, &f),
                     SHADOW_GUEST);
    *pte_of(&g, ROOT, 1ull << 46 | 1ull << 44) = data(3) | P | W;
    assert_int_equal(touch(&g, 0, 1ull << 46 | 1ull << 44, 0, &f),
                     SHADOW_OUTSIDE);
    /* A device. */
    *pte_of(&g, ROOT, KERNEL_VA + PAGE) = 0xfee00000 | P | W;
    assert_int_equal(touch(&g, 0, KERNEL_VA + PAGE, 0, &f), SHADOW_EMULATE);
    assert_int_equal(f.reason, SHADOW_DEVICE);
    assert_int_equal(f.gpa, 0xfee00000);
    end_guest(&g);
}

static void test_trace(void **state)
{
    struct shadow_fault f;
    struct guest g;
    uint64_t *pte, v, alias = KERNEL_VA + 64 * PAGE;

    (void)state;
    make_guest(&g, 0, 0);
    pte = pte_of(&g, ROOT, USER_VA);
    *pte = data(1) | P | W | U | A | D;
    /* The kernel has the table mapped writable before it is one. */
    *pte_of(&g, ROOT, alias) = (gpa_of(&g, pte) & ~(PAGE - 1)) | P | W | A | D;
    assert_int_equal(touch(&g, 0, alias, PF_W, &f), SHADOW_RETRY);
    assert_true(writable(&g, alias));
    assert_int_equal(touch(&g, 3, USER_VA, 0, &f), SHADOW_RETRY);
    assert_false(writable(&g, alias));
    assert_true(shadow_is_traced(g.shadow, gpa_of(&g, pte)));

    assert_int_equal(touch(&g, 0, alias, PF_W | PF_P, &f), SHADOW_EMULATE);
    assert_int_equal(f.reason, SHADOW_TRACED);
    assert_int_equal(g.events.count[EV_FAULT_TRACE], 1);
    /* The same value changes nothing, another one takes effect. */
    set_pte(&g, pte, *pte);
    assert_true(readable(&g, USER_VA, NULL));
    set_pte(&g, pte, data(2) | P | W | U | A | D);
    assert_false(readable(&g, USER_VA, NULL));
    assert_int_equal(touch(&g, 3, USER_VA, 0, &f), SHADOW_RETRY);
    assert_true(readable(&g, USER_VA, &v));
    assert_int_equal(v, 2);

    /* Not a table any more: a string instruction clears it. */
    shadow_end_trace(g.shadow, gpa_of(&g, pte));
    assert_false(readable(&g, USER_VA, NULL));
    assert_int_equal(touch(&g, 0, alias, PF_W | PF_P, &f), SHADOW_RETRY);
    assert_true(writable(&g, alias));
    end_guest(&g);
}

static void test_unlinked_table(void **state)
{
    const uint64_t far = USER_VA + 5 * PAGE; /* not the table's first page */
    struct shadow_fault f;
    struct guest g;
    uint64_t *pte, *upper;

    (void)state;
    make_guest(&g, 0, 0);
    pte = pte_of(&g, ROOT, far);
    *pte = data(1) | P | W | U | A | D;
    assert_int_equal(touch(&g, 3, far, 0, &f), SHADOW_RETRY);
    upper = slot(&g, *slot(&g, *slot(&g, ROOT, 0) & ~0xfffull, 0) & ~0xfffull,
                 USER_VA >> 21 & 511);
    set_pte(&g, upper, 0);
    assert_false(readable(&g, far, NULL));
    /* Its first write as a data page ends the trace. */
    set_pte(&g, pte, 0x1234);
    assert_false(shadow_is_traced(g.shadow, gpa_of(&g, pte)));
    end_guest(&g);
}

static void test_address_spaces(void **state)
{
    struct shadow_fault f;
    struct guest g;
    uint64_t v;

    (void)state;
    make_guest(&g, 0, 0);
    *pte_of(&g, ROOT, USER_VA) = data(1) | P | W | U | A | D;
    *pte_of(&g, ROOT2, USER_VA) = data(2) | P | W | U | A | D;
    *pte_of(&g, ROOT, KERNEL_VA) = data(3) | P | W | A | D;
    *slot(&g, ROOT2, KERNEL_VA >> 39 & 511) =
        *slot(&g, ROOT, KERNEL_VA >> 39 & 511);
    assert_int_equal(touch(&g, 0, USER_VA, 0, &f), SHADOW_RETRY);
    assert_int_equal(touch(&g, 0, KERNEL_VA, 0, &f), SHADOW_RETRY);
    g.regs.cr3 = ROOT2;
    shadow_set_regs(g.shadow, &g.regs);
    assert_false(readable(&g, USER_VA, NULL));
    assert_true(readable(&g, KERNEL_VA, NULL));
    assert_true(shadow_is_traced(g.shadow, ROOT2));
    assert_int_equal(touch(&g, 0, USER_VA, 0, &f), SHADOW_RETRY);
    assert_true(readable(&g, USER_VA, &v));
    assert_int_equal(v, 2);
    end_guest(&g);
}

static void test_hiding(void **state)
{
    struct shadow_fault f;
    struct guest g;

    (void)state;
    make_guest(&g, 0, 0);
    for (unsigned k = 0; k < 8; k++)
        *pte_of(&g, ROOT, KERNEL_VA + k * PAGE) =
            data(k) | P | (k & 2 ? W : 0) | A | D;
    *pte_of(&g, ROOT, USER_VA) = data(9) | P | W | U | A | D;
    /* Boot code's supervisor pages lie in the user window. */
    *pte_of(&g, ROOT, USER_VA + PAGE) = data(10) | P | W | A | D;
    shadow_set_cpl(g.shadow, 0);
    for (unsigned k = 0; k < 8; k++)
        if (!readable(&g, KERNEL_VA + k * PAGE, NULL))
            assert_int_equal(touch(&g, 0, KERNEL_VA + k * PAGE, 0, &f),
                             SHADOW_RETRY);
    assert_int_equal(touch(&g, 0, USER_VA, 0, &f), SHADOW_RETRY);
    assert_int_equal(touch(&g, 0, USER_VA + PAGE, 0, &f), SHADOW_RETRY);
    for (unsigned round = 0; round < 40; round++) {
        shadow_set_cpl(g.shadow, 3);
        for (unsigned k = 0; k < 8; k++)
            assert_false(readable(&g, KERNEL_VA + k * PAGE, NULL));
        assert_false(readable(&g, USER_VA + PAGE, NULL));
        assert_true(writable(&g, USER_VA));
        assert_int_equal(touch(&g, 3, KERNEL_VA, 0, &f), SHADOW_GUEST);
        shadow_set_cpl(g.shadow, 0);
        for (unsigned k = 0; k < 8; k++) {
            uint64_t at = KERNEL_VA + k * PAGE;

            if (!readable(&g, at, NULL))
                assert_int_equal(touch(&g, 0, at, 0, &f), SHADOW_RETRY);
            assert_int_equal(writable(&g, at), !!(k & 2));
        }
    }
    end_guest(&g);
}

static void test_map_limit(void **state)
{
    struct shadow_stats st;
    struct shadow_fault f;
    struct guest g;
    uint64_t v;

    (void)state;
    make_guest(&g, 0, 64);
    for (unsigned k = 0; k < 512; k++) {
        uint64_t at = USER_VA + k * PAGE;

        /* No two neighbours can share a mapping. */
        *pte_of(&g, ROOT, at) = data(600 - k) | P | W | U | A | D;
        assert_int_equal(touch(&g, 3, at, PF_W, &f), SHADOW_RETRY);
        assert_true(readable(&g, at, &v));
        assert_int_equal(v, 600 - k);
        shadow_stats(g.shadow, &st);
        assert_in_range(st.maps, 1, 64);
    }
    assert_true(st.evictions > 4);
    end_guest(&g);
}

static void test_code(void **state)
{
    struct shadow_fault f;
    struct guest g;

    (void)state;
    make_guest(&g, 0, 0);
    *pte_of(&g, ROOT, USER_VA) = data(1) | P | W | U | A | D;
    assert_int_equal(touch(&g, 3, USER_VA, PF_W, &f), SHADOW_RETRY);
    assert_true(writable(&g, USER_VA));
    shadow_watch_code(g.shadow, data(1));
    assert_false(writable(&g, USER_VA));
    assert_int_equal(touch(&g, 3, USER_VA, PF_W | PF_P, &f), SHADOW_EMULATE);
    assert_int_equal(f.reason, SHADOW_CODE);
    shadow_unwatch_code(g.shadow, data(1));
    assert_int_equal(touch(&g, 3, USER_VA, PF_W | PF_P, &f), SHADOW_RETRY);
    assert_true(writable(&g, USER_VA));
    end_guest(&g);
}

static void test_two_views(void **state)
{
    const uint64_t kernel_user = USER_VA + SHADOW_DELTA;
    const uint64_t kernel_high = HIGH_VA + SHADOW_DELTA;
    struct shadow_fault f;
    struct guest g;
    uint64_t *pte, v;

    (void)state;
    make_guest(&g, SHADOW_DELTA, 0);
    pte = pte_of(&g, ROOT, USER_VA);
    *pte = data(1) | P | W | U | A | D;
    *pte_of(&g, ROOT, HIGH_VA) = data(2) | P | W | A | D;
    assert_int_equal(touch(&g, 3, USER_VA, 0, &f), SHADOW_RETRY);
    assert_false(readable(&g, kernel_user, NULL));
    assert_int_equal(touch(&g, 0, kernel_user, PF_W, &f), SHADOW_RETRY);
    assert_int_equal(touch(&g, 0, kernel_high, PF_W, &f), SHADOW_RETRY);
    assert_true(readable(&g, kernel_high, &v));
    assert_int_equal(v, 2);
    /* User code doesn't get the kernel's view. */
    assert_int_equal(touch(&g, 3, kernel_high, 0, &f), SHADOW_GUEST);
    set_pte(&g, pte, 0);
    assert_false(readable(&g, USER_VA, NULL));
    assert_false(readable(&g, kernel_user, NULL));
    assert_true(readable(&g, kernel_high, NULL));
    end_guest(&g);
}

/* Whatever the mappings allow, the tables must allow, and A and D be set. */
static void check_page(struct guest *g, uint64_t host, uint64_t gva, bool user)
{
    unsigned access = WALK_PEEK | (user ? WALK_USER : 0);
    struct walk_result w;
    uint64_t v, pte;

    if (!readable(g, host, &v))
        return;
    assert_int_equal(x86_walk(&g->ram, &g->regs, gva, access, &w), 0);
    assert_int_equal(v, *(uint64_t *)(g->ram.host + w.gpa));
    pte = *pte_of(g, g->regs.cr3, gva);
    assert_true(pte & A);
    if (!writable(g, host))
        return;
    assert_true(pte & D);
    assert_int_equal(x86_walk(&g->ram, &g->regs, gva, access | WALK_WRITE, &w),
                     0);
    assert_false(shadow_is_traced(g->shadow, w.gpa));
}

static void random_against_walk(uint64_t delta)
{
    enum { PAGES = 24 };
    const uint64_t kernel_gva = delta ? HIGH_VA : KERNEL_VA;
    struct shadow_fault f;
    struct guest g;
    unsigned mapped = 0;

    make_guest(&g, delta, 40);
    srandom(4711);
    for (unsigned n = 0; n < 20000; n++) {
        unsigned k = (unsigned)random() % PAGES, cpl = random() & 1 ? 3 : 0;
        bool kernel = random() & 1;
        uint64_t gva = (kernel ? kernel_gva : USER_VA) + k * PAGE;
        uint64_t host = cpl == 3 && !kernel ? gva : gva + delta;
        gpa_t root = random() & 7 ? g.regs.cr3 : ROOT2;
        uint64_t bits = (uint64_t)random() & (W | U | A | D);

        shadow_set_cpl(g.shadow, cpl);
        switch (random() % 8) {
        case 0:
        case 1: /* data pages, contiguous often, tables sometimes */
            set_pte(&g, pte_of(&g, root, gva),
                    (random() % 8 ? data(k + (unsigned)random() % 2)
                                  : TABLES + PAGE * (random() % 4)) |
                        (random() % 8 ? P : 0) | bits);
            break;
        case 2:
            if (random() % 8)
                break;
            g.regs.cr3 ^= ROOT ^ ROOT2;
            shadow_set_regs(g.shadow, &g.regs);
            break;
        default:
            if (delta && cpl == 3 && kernel)
                break;
            mapped += touch(&g, cpl, host, random() & 1 ? PF_W : 0, &f) ==
                      SHADOW_RETRY;
        }
        for (unsigned p = 0; n % 16 == 0 && p < PAGES; p++) {
            gva = USER_VA + p * PAGE;
            check_page(&g, gva, gva, delta || cpl == 3);
            if (delta)
                check_page(&g, gva + delta, gva, false);
            gva = kernel_gva + p * PAGE;
            check_page(&g, gva + delta, gva, !delta && cpl == 3);
        }
    }
    assert_true(mapped > 1000);
    end_guest(&g);
}

static void test_random(void **state)
{
    (void)state;
    random_against_walk(0);
}

static void test_random_two_views(void **state)
{
    (void)state;
    random_against_walk(SHADOW_DELTA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_true_faults),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_unlinked_table),
        cmocka_unit_test(test_address_spaces),
        cmocka_unit_test(test_hiding),
        cmocka_unit_test(test_map_limit),
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_two_views),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_random_two_views),
    };

    return cmocka_run_group_tests_name("hostview", tests, NULL, NULL);
}
