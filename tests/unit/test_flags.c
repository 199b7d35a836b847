/* Packed flags: the host's against the manual's formulas. */
#include "backends/interp/cond.h"
#include "backends/x86/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t szp(uint8_t r)
{
    return (r & 0x80 ? FL_SF : 0) | (r ? 0 : FL_ZF) |
           (__builtin_parity(r) ? 0 : FL_PF);
}

static uint64_t add_flags(unsigned a, unsigned b, unsigned carry)
{
    unsigned sum = a + b + carry;
    uint8_t r = (uint8_t)sum;

    return szp(r) | (sum > 0xff ? FL_CF : 0) |
           ((a & 15) + (b & 15) + carry > 15 ? FL_AF : 0) |
           (~(a ^ b) & (a ^ r) & 0x80 ? FL_OF : 0);
}

static uint64_t sub_flags(unsigned a, unsigned b, unsigned borrow)
{
    uint8_t r = (uint8_t)(a - b - borrow);

    return szp(r) | (a < b + borrow ? FL_CF : 0) |
           ((a & 15) < (b & 15) + borrow ? FL_AF : 0) |
           ((a ^ b) & (a ^ r) & 0x80 ? FL_OF : 0);
}

/* op on all pairs of bytes, with its flags out the way the handlers do it. */
#define OUT(op, d, s, fl)                                                      \
    asm(op " %2, %0\n\t" FLAGS_OUT : "+r"(d), "=a"(fl) : "r"(s) : "cc")
/* clang-format off */
#define IN_OUT(op, d, s, fl)                                                   \
    asm(FLAGS_IN op " %2, %0\n\t" FLAGS_OUT                                    \
        : "+r"(d), "+a"(fl)                                                    \
        : "r"(s)                                                               \
        : "cc")
/* clang-format on */

static void test_add_sub(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 65536; n++) {
        uint8_t a = (uint8_t)n, b = (uint8_t)(n >> 8), d = a;
        uint16_t fl;

        OUT("add", d, b, fl);
        assert_int_equal(flags_unpack(fl), add_flags(a, b, 0));
        d = a;
        OUT("sub", d, b, fl);
        assert_int_equal(flags_unpack(fl), sub_flags(a, b, 0));
    }
}

static void test_carry(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 131072; n++) {
        uint8_t a = (uint8_t)n, b = (uint8_t)(n >> 8), d = a;
        unsigned carry = n >> 16;
        uint16_t fl = flags_pack(carry ? FL_CF : 0);

        IN_OUT("adc", d, b, fl);
        assert_int_equal(d, (uint8_t)(a + b + carry));
        assert_int_equal(flags_unpack(fl), add_flags(a, b, carry));
        d = a;
        fl = flags_pack(carry ? FL_CF : 0);
        IN_OUT("sbb", d, b, fl);
        assert_int_equal(d, (uint8_t)(a - b - carry));
        assert_int_equal(flags_unpack(fl), sub_flags(a, b, carry));
    }
}

/* Every set of flags survives packing, and a trip through the CPU. */
static void test_round_trip(void **state)
{
    static const uint64_t bits[] = {FL_CF, FL_PF, FL_AF, FL_ZF, FL_SF, FL_OF};

    (void)state;
    for (unsigned set = 0; set < 64; set++) {
        uint64_t v = 0;
        uint16_t fl;

        for (unsigned k = 0; k < 6; k++)
            v |= set >> k & 1 ? bits[k] : 0;
        fl = flags_pack(v | FL_IF | FL_DF);
        assert_int_equal(flags_unpack(fl), v);
        asm volatile(FLAGS_IN FLAGS_OUT : "+a"(fl)::"cc");
        assert_int_equal(flags_unpack(fl), v);
    }
}

/* A shift by zero must hand back what it was given: OF too. */
static void test_zero_shift(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 256; n++) {
        uint64_t v = (n & 1 ? FL_OF : 0) | (n & 2 ? FL_CF : 0) |
                     (n & 4 ? FL_ZF : 0) | (n & 8 ? FL_SF : 0) |
                     (n & 16 ? FL_AF : 0) | (n & 32 ? FL_PF : 0);
        uint16_t fl = flags_pack(v);
        uint32_t d = n;

        asm(FLAGS_IN "shl %%cl, %0\n\t" FLAGS_OUT
            : "+r"(d), "+a"(fl)
            : "c"((uint8_t)0)
            : "cc");
        assert_int_equal(d, n);
        assert_int_equal(flags_unpack(fl), v);
    }
}

static void test_conditions(void **state)
{
    (void)state;
    for (unsigned set = 0; set < 32; set++) {
        bool cf = set & 1, zf = set & 2, sf = set & 4, of = set & 8,
             pf = set & 16;
        uint16_t fl =
            flags_pack((cf ? FL_CF : 0) | (zf ? FL_ZF : 0) | (sf ? FL_SF : 0) |
                       (of ? FL_OF : 0) | (pf ? FL_PF : 0));
        const bool want[8] = {of, cf, zf,       cf || zf,
                              sf, pf, sf != of, zf || sf != of};

        for (unsigned cc = 0; cc < 16; cc++)
            assert_int_equal(condition(fl, cc), want[cc >> 1] ^ (cc & 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_sub),    cmocka_unit_test(test_carry),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_zero_shift),
        cmocka_unit_test(test_conditions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
