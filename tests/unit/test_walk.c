/* The page walker: sizes, rights, reserved bits, accessed and dirty. */
#include "pte.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PWU (P | W | U)

#define RAM_SIZE (2u << 20)
#define VA 0x00007f8012345678ull

/* Tables at 0x1000 (PML4) .. 0x4000 (PT). */
struct fixture {
    struct guest_ram ram;
    struct walk_regs regs;
    uint64_t *entry[4]; /* of VA; 3 is the PML4E */
    struct walk_result r;
};

static void reset(struct fixture *f)
{
    memset(f->ram.host, 0, f->ram.size);
    f->regs = (struct walk_regs){
        .cr0 = CR0_PE | CR0_PG | CR0_WP,
        .cr3 = 0x1000,
        .cr4 = CR4_PAE | CR4_PGE,
        .efer = EFER_LMA | EFER_LME | EFER_NXE,
    };
    for (unsigned level = 0; level < 4; level++) {
        uint64_t table = 0x4000 - 0x1000ull * level;

        f->entry[level] = (uint64_t *)(f->ram.host + table +
                                       (VA >> (12 + 9 * level) & 511) * 8);
        *f->entry[level] = (level ? table + 0x1000 : 0xab000) | PWU;
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->ram.size = RAM_SIZE;
    f->ram.host = aligned_alloc(4096, RAM_SIZE);
    reset(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    free(f->ram.host);
    free(f);
    return 0;
}

static int walk(struct fixture *f, unsigned access)
{
    return x86_walk(&f->ram, &f->regs, VA, access, &f->r);
}

static void expect_fault(struct fixture *f, unsigned access, uint32_t error)
{
    assert_int_equal(walk(f, access), -EFAULT);
    assert_int_equal(f->r.error, error);
}

static void test_4k(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(walk(f, WALK_USER), 0);
    assert_int_equal(f->r.gpa, 0xab678);
    assert_int_equal(f->r.shift, 12);
    assert_int_equal(f->r.refs, 4);
    assert_true(f->r.write && f->r.exec && f->r.user);
    assert_false(f->r.global || f->r.dirty);
    *f->entry[0] |= G;
    assert_int_equal(walk(f, 0), 0);
    assert_true(f->r.global);
    f->regs.cr4 &= ~CR4_PGE;
    assert_int_equal(walk(f, 0), 0);
    assert_false(f->r.global);
}

static void test_large(void **state)
{
    struct fixture *f = *state;

    *f->entry[1] = 0x40200000 | PWU | PS;
    assert_int_equal(walk(f, 0), 0);
    assert_int_equal(f->r.gpa, 0x40200000 | (VA & 0x1fffff));
    assert_int_equal(f->r.shift, 21);
    assert_int_equal(f->r.refs, 3);
    *f->entry[2] = 0x80000000 | PWU | PS;
    assert_int_equal(walk(f, 0), 0);
    assert_int_equal(f->r.gpa, 0x80000000 | (VA & 0x3fffffff));
    assert_int_equal(f->r.shift, 30);
    assert_int_equal(f->r.refs, 2);
}

static void test_not_present(void **state)
{
    struct fixture *f = *state;

    for (unsigned level = 0; level < 4; level++) {
        reset(f);
        *f->entry[level] &= ~P;
        expect_fault(f, 0, 0);
        assert_int_equal(f->r.refs, 4 - level);
        expect_fault(f, WALK_WRITE, PF_W);
        expect_fault(f, WALK_USER | WALK_WRITE, PF_W | PF_U);
        expect_fault(f, WALK_EXEC, PF_I);
    }
    f->regs.efer &= ~EFER_NXE;
    expect_fault(f, WALK_EXEC, 0); /* no I bit without NX or SMEP */
    f->regs.cr4 |= CR4_SMEP;
    expect_fault(f, WALK_EXEC, PF_I);
}

static void test_rights(void **state)
{
    struct fixture *f = *state;

    for (unsigned level = 0; level < 4; level++) {
        reset(f);
        *f->entry[level] &= ~U;
        expect_fault(f, WALK_USER, PF_P | PF_U);
        assert_int_equal(walk(f, WALK_WRITE), 0);

        reset(f);
        *f->entry[level] &= ~W;
        expect_fault(f, WALK_USER | WALK_WRITE, PF_P | PF_U | PF_W);
        expect_fault(f, WALK_WRITE, PF_P | PF_W);
        assert_int_equal(walk(f, 0), 0);
        assert_false(f->r.write);
        f->regs.cr0 &= ~CR0_WP;
        assert_int_equal(walk(f, WALK_WRITE), 0);
        expect_fault(f, WALK_USER | WALK_WRITE, PF_P | PF_U | PF_W);

        reset(f);
        *f->entry[level] |= NX;
        expect_fault(f, WALK_EXEC, PF_P | PF_I);
        expect_fault(f, WALK_EXEC | WALK_USER, PF_P | PF_I | PF_U);
        assert_int_equal(walk(f, WALK_WRITE), 0);
        assert_false(f->r.exec);
    }
}

static void test_smep_smap(void **state)
{
    struct fixture *f = *state;

    f->regs.cr4 |= CR4_SMEP | CR4_SMAP;
    expect_fault(f, WALK_EXEC, PF_P | PF_I);
    assert_int_equal(walk(f, WALK_EXEC | WALK_USER), 0);
    expect_fault(f, 0, PF_P);
    expect_fault(f, WALK_WRITE, PF_P | PF_W);
    assert_int_equal(walk(f, WALK_AC), 0);
    assert_int_equal(walk(f, WALK_USER), 0);
    *f->entry[2] &= ~U; /* a supervisor page */
    assert_int_equal(walk(f, WALK_EXEC), 0);
    assert_int_equal(walk(f, 0), 0);
}

static void test_reserved(void **state)
{
    struct fixture *f = *state;

    for (unsigned level = 0; level < 4; level++) {
        reset(f);
        *f->entry[level] |= 1ull << PHYS_BITS;
        expect_fault(f, 0, PF_P | PF_R);
        expect_fault(f, WALK_WRITE | WALK_USER, PF_P | PF_R | PF_W | PF_U);
        reset(f);
        *f->entry[level] |= 1ull << 51;
        expect_fault(f, 0, PF_P | PF_R);
        reset(f);
        *f->entry[level] |= 1ull << 52; /* ignored by the CPU */
        assert_int_equal(walk(f, 0), 0);
        f->regs.efer &= ~EFER_NXE; /* then NX is reserved */
        *f->entry[level] |= NX;
        expect_fault(f, 0, PF_P | PF_R);
    }
    reset(f);
    *f->entry[3] |= PS;
    expect_fault(f, 0, PF_P | PF_R);
    reset(f);
    *f->entry[1] = 0x40201000 | PWU | PS; /* bit 12 is PAT */
    assert_int_equal(walk(f, 0), 0);
    *f->entry[1] = 0x40202000 | PWU | PS;
    expect_fault(f, 0, PF_P | PF_R);
    reset(f);
    *f->entry[2] = 0x80200000 | PWU | PS;
    expect_fault(f, 0, PF_P | PF_R);
}

static void test_accessed_dirty(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(walk(f, WALK_PEEK | WALK_WRITE), 0);
    for (unsigned level = 0; level < 4; level++)
        assert_int_equal(*f->entry[level] & (A | D), 0);
    *f->entry[0] &= ~W; /* a refused access leaves no trace in the leaf */
    expect_fault(f, WALK_WRITE, PF_P | PF_W);
    assert_int_equal(*f->entry[0] & (A | D), 0);
    *f->entry[0] |= W;
    assert_int_equal(walk(f, 0), 0);
    for (unsigned level = 0; level < 4; level++)
        assert_int_equal(*f->entry[level] & (A | D), A);
    assert_false(f->r.dirty);
    assert_int_equal(walk(f, WALK_WRITE), 0);
    assert_int_equal(*f->entry[0] & (A | D), A | D);
    assert_int_equal(*f->entry[1] & (A | D), A);
    assert_int_equal(walk(f, 0), 0);
    assert_true(f->r.dirty);
}

/* Absent memory reads as all ones, which sets reserved bits. */
static void test_outside_ram(void **state)
{
    struct fixture *f = *state;

    *f->entry[2] = 0x100000000ull | PWU;
    expect_fault(f, 0, PF_P | PF_R);
    f->regs.cr3 = RAM_SIZE;
    expect_fault(f, 0, PF_P | PF_R);
    assert_int_equal(f->r.refs, 1);
}

static void test_paging_off(void **state)
{
    struct fixture *f = *state;

    f->regs.cr0 &= ~CR0_PG;
    assert_int_equal(walk(f, WALK_WRITE), 0);
    assert_int_equal(f->r.gpa, VA);
    assert_int_equal(f->r.refs, 0);
}

static void test_canonical(void **state)
{
    (void)state;
    assert_true(gva_canonical(0x00007fffffffffffull));
    assert_true(gva_canonical(0xffff800000000000ull));
    assert_false(gva_canonical(0x0000800000000000ull));
    assert_false(gva_canonical(0xffff7fffffffffffull));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_4k),
        TEST(test_large),
        TEST(test_not_present),
        TEST(test_rights),
        TEST(test_smep_smap),
        TEST(test_reserved),
        TEST(test_accessed_dirty),
        TEST(test_outside_ram),
        TEST(test_paging_off),
        TEST(test_canonical),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
