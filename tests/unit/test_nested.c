/* Nested paging: references of the two-dimensional walk, caches, A and D bits. */
#include "backends/mmu/nested.h"
#include "pte.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PWU (P | W | U)

#define RAM_SIZE (16u << 20)
#define VA 0x00007f8000345678ull
#define PAGE_4K 0xe05000ull /* what VA's 4 KiB page maps to */

/* Tables 3 (PML4) to 0 (PT), each in a 2 MiB page of its own. */
#define TABLE(level) (0x201000ull * (6 - (level)))

struct fixture {
    struct guest_ram ram;
    struct event_counters events;
    struct walk_regs regs;
    struct walk_result r;
    struct nested *n;
    uint8_t *host;
};

static uint64_t *entry(struct fixture *f, unsigned level)
{
    return (uint64_t *)(f->ram.host + TABLE(level)) +
           (VA >> (12 + 9 * level) & 511);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->ram.size = RAM_SIZE;
    f->ram.host = aligned_alloc(4096, RAM_SIZE);
    memset(f->ram.host, 0, RAM_SIZE);
    f->regs = (struct walk_regs){
        .cr0 = CR0_PE | CR0_PG | CR0_WP,
        .cr3 = TABLE(3),
        .cr4 = CR4_PAE | CR4_PGE,
        .efer = EFER_LMA | EFER_LME | EFER_NXE,
    };
    for (unsigned level = 3; level > 0; level--)
        *entry(f, level) = TABLE(level - 1) | PWU;
    *entry(f, 0) = PAGE_4K | PWU;
    *state = f;
    return 0;
}

static void stop(struct fixture *f)
{
    if (f->n)
        nested_destroy(f->n);
    f->n = NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stop(f);
    free(f->ram.host);
    free(f);
    return 0;
}

static void start(struct fixture *f, bool large, bool cache)
{
    struct nested_config config = {&f->ram, &f->events, large, cache};
    char why[REASON_MAX];

    stop(f);
    memset(&f->events, 0, sizeof(f->events));
    f->n = nested_create(&config, why);
    assert_non_null(f->n);
}

static int walk(struct fixture *f, unsigned access)
{
    return nested_walk(f->n, &f->regs, VA, access, &f->r, &f->host);
}

static uint64_t hidden(const struct fixture *f)
{
    return f->events.count[EV_FAULT_HIDDEN];
}

/* ---- References -------------------------------------------------------- */

static void expect_refs(struct fixture *f, bool large, unsigned refs)
{
    start(f, large, false);
    assert_int_equal(walk(f, WALK_WRITE), 0);
    for (unsigned k = 0; k < 3; k++) {
        assert_int_equal(walk(f, WALK_WRITE), 0);
        assert_int_equal(f->r.refs, refs);
    }
}

/* nm + n + m. */
static void test_references(void **state)
{
    struct fixture *f = *state;

    expect_refs(f, false, 24); /* 4 and 4 */
    expect_refs(f, true, 19);  /* 4 and 3 */
    *entry(f, 1) = PWU | PS;
    expect_refs(f, false, 19); /* 3 and 4 */
    assert_int_equal(f->r.shift, 21);
    expect_refs(f, true, 15); /* 3 and 3 */
    assert_ptr_equal(f->host, f->ram.host + (VA & 0x1fffff));
    *entry(f, 2) = PWU | PS;
    expect_refs(f, false, 14); /* 2 and 4 */
    assert_int_equal(f->r.shift, 30);
    expect_refs(f, true, 11); /* 2 and 3 */
    assert_ptr_equal(f->host, f->ram.host + (VA & 0x3fffffff));
}

/* A walk that finds nothing makes those references that it comes to. */
static void test_references_of_faults(void **state)
{
    struct fixture *f = *state;

    start(f, false, false);
    assert_int_equal(walk(f, 0), 0);
    for (unsigned level = 0; level < 4; level++) {
        *entry(f, level) &= ~P;
        assert_int_equal(walk(f, WALK_USER), -EFAULT);
        assert_int_equal(f->r.error, PF_U);
        assert_int_equal(f->r.refs, 5 * (4 - level));
        *entry(f, level) |= P;
    }
}

/* Each page's first touch, and no other, faults for the VMM. The walks that
 * were cut short count: 1, 2 and 3 levels of the second dimension exist at the
 * first, and all of them but the leaf later. */
static void test_hidden_faults(void **state)
{
    struct fixture *f = *state;
    unsigned cut = 1; /* the root's entry is empty */

    start(f, false, false);
    assert_int_equal(walk(f, 0), 0);
    assert_int_equal(hidden(f), 5);
    /* Each page lies below a page directory entry of its own, so the later ones
     * are cut at the third of four; all that came before is walked again. */
    for (unsigned k = 1; k < 5; k++)
        cut += 5 * k + 3;
    assert_int_equal(f->r.refs, cut + 24);
    assert_int_equal(walk(f, WALK_WRITE), 0);
    assert_int_equal(hidden(f), 5);
    *entry(f, 0) = (PAGE_4K + 0x1000) | PWU;
    assert_int_equal(walk(f, WALK_WRITE), 0);
    assert_int_equal(hidden(f), 6);
    *entry(f, 0) = 0;
    assert_int_equal(walk(f, WALK_WRITE), -EFAULT);
    assert_int_equal(hidden(f), 6);

    start(f, true, false);
    *entry(f, 0) = PAGE_4K | PWU;
    assert_int_equal(walk(f, 0), 0);
    assert_int_equal(hidden(f), 5);
    *entry(f, 0) = (PAGE_4K + 0x1000) | PWU; /* in the same 2 MiB */
    assert_int_equal(walk(f, 0), 0);
    assert_int_equal(hidden(f), 5);
}

/* ---- Caches ------------------------------------------------------------ */

static void test_walk_cache(void **state)
{
    struct fixture *f = *state;

    start(f, false, true);
    assert_int_equal(walk(f, WALK_WRITE), 0);
    assert_int_equal(walk(f, WALK_WRITE), 0);
    /* The PTE, whose page is known, and the second dimension's PTE. */
    assert_int_equal(f->r.refs, 2);
    nested_flush(f->n);
    assert_int_equal(walk(f, WALK_WRITE), 0);
    assert_int_equal(f->r.refs, 4 + 1);
    assert_int_equal(walk(f, WALK_WRITE), 0);
    assert_int_equal(f->r.refs, 2);
}

/* What the architecture lets be stale is, and no more: the PTE is read. */
static void test_stale_tables(void **state)
{
    struct fixture *f = *state;
    const uint64_t other = 0x604000;

    /* Nested faults void what is cached, too: pages large enough for none. */
    start(f, true, true);
    assert_int_equal(walk(f, 0), 0);
    *(uint64_t *)(f->ram.host + other + (VA >> 12 & 511) * 8) =
        (PAGE_4K + 0x1000) | PWU;
    *entry(f, 1) = other | PWU;
    assert_int_equal(walk(f, 0), 0);
    assert_int_equal(f->r.gpa & ~0xfffull, PAGE_4K);
    *entry(f, 0) = (PAGE_4K + 0x2000) | PWU;
    assert_int_equal(walk(f, 0), 0);
    assert_int_equal(f->r.gpa & ~0xfffull, PAGE_4K + 0x2000);
    nested_flush(f->n);
    assert_int_equal(walk(f, 0), 0);
    assert_int_equal(f->r.gpa & ~0xfffull, PAGE_4K + 0x1000);
}

/* Rights of upper levels hold where the walk begins below them. */
static void test_cached_rights(void **state)
{
    struct fixture *f = *state;

    for (unsigned level = 1; level < 4; level++) {
        start(f, false, true);
        *entry(f, level) &= ~6ull;
        assert_int_equal(walk(f, 0), 0);
        for (unsigned k = 0; k < 2; k++) { /* k = 1: from the PT on */
            assert_int_equal(walk(f, WALK_WRITE), -EFAULT);
            assert_int_equal(f->r.error, PF_P | PF_W);
            assert_int_equal(walk(f, WALK_USER), -EFAULT);
            assert_int_equal(f->r.error, PF_P | PF_U);
            assert_int_equal(walk(f, 0), 0);
            assert_false(f->r.write || f->r.user);
        }
        *entry(f, level) |= 1ull << 63 | 6;
        nested_flush(f->n);
        assert_int_equal(walk(f, WALK_WRITE | WALK_USER), 0);
        assert_int_equal(walk(f, WALK_EXEC), -EFAULT);
        assert_int_equal(f->r.error, PF_P | PF_I);
        *entry(f, level) &= ~(1ull << 63);
    }
}

/* ---- Accessed and dirty bits ------------------------------------------- */

static uint64_t second_bits(struct fixture *f, gpa_t gpa)
{
    unsigned shift;

    return nested_entry(f->n, gpa, &shift) & (A | D);
}

static void accessed_dirty(struct fixture *f, bool cache)
{
    start(f, false, cache);
    for (unsigned level = 0; level < 4; level++)
        *entry(f, level) &= ~(A | D);
    assert_int_equal(walk(f, 0), 0);
    for (unsigned level = 0; level < 4; level++) {
        assert_int_equal(*entry(f, level) & (A | D), A);
        assert_int_equal(second_bits(f, TABLE(level)), A | D);
    }
    assert_int_equal(second_bits(f, PAGE_4K), A);
    assert_false(f->r.dirty);

    /* Dirty in one dimension isn't dirty in both. */
    *entry(f, 0) |= D;
    assert_int_equal(walk(f, 0), 0);
    assert_false(f->r.dirty);
    assert_int_equal(walk(f, WALK_WRITE), 0);
    assert_true(f->r.dirty);
    assert_int_equal(second_bits(f, PAGE_4K), A | D);
    *entry(f, 0) &= ~D;
    assert_int_equal(walk(f, 0), 0);
    assert_false(f->r.dirty);
    assert_int_equal(walk(f, WALK_WRITE), 0);
    assert_int_equal(*entry(f, 0) & (A | D), A | D);
    assert_int_equal(*entry(f, 1) & (A | D), A);
}

static void test_accessed_dirty(void **state)
{
    accessed_dirty(*state, false);
    accessed_dirty(*state, true);
}

/* ---- What isn't RAM ---------------------------------------------------- */

static void test_outside_ram(void **state)
{
    struct fixture *f = *state;

    start(f, false, true);
    *entry(f, 0) = 0xfee00000 | PWU;
    assert_int_equal(walk(f, WALK_WRITE), 0);
    assert_null(f->host);
    assert_int_equal(f->r.gpa, 0xfee00678);
    assert_int_equal(hidden(f), 4);
    *entry(f, 1) = 0xfee00000 | PWU; /* reads as all ones */
    nested_flush(f->n);
    assert_int_equal(walk(f, 0), -EFAULT);
    assert_int_equal(f->r.error, PF_P | PF_R);
    assert_int_equal(hidden(f), 4);
    f->regs.cr0 &= ~CR0_PG;
    assert_int_equal(nested_walk(f->n, &f->regs, 0x123456, 0, &f->r, &f->host),
                     0);
    assert_ptr_equal(f->host, f->ram.host + 0x123456);
}

/* All of RAM fits into the second level, to its last page. */
static void test_whole_ram(void **state)
{
    struct fixture *f = *state;

    start(f, false, true);
    f->regs.cr0 &= ~CR0_PG;
    for (gpa_t gpa = 0; gpa < RAM_SIZE; gpa += 4096) {
        assert_int_equal(nested_walk(f->n, &f->regs, gpa, 0, &f->r, &f->host),
                         0);
        assert_ptr_equal(f->host, f->ram.host + gpa);
    }
    assert_int_equal(hidden(f), RAM_SIZE / 4096);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_references),     TEST(test_references_of_faults),
        TEST(test_hidden_faults),  TEST(test_walk_cache),
        TEST(test_stale_tables),   TEST(test_cached_rights),
        TEST(test_accessed_dirty), TEST(test_outside_ram),
        TEST(test_whole_ram),
    };

    return cmocka_run_group_tests_name("nested", tests, NULL, NULL);
}
