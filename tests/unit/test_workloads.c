/* The compute workloads against independent computations of the same values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "native_run.h"

/* Whole, for their static functions. */
#include "../../workloads/compute/sort.c"
#include "../../workloads/compute/sha256.c"
#include "../../workloads/compute/matmul.c"

/* ---- sort ---------------------------------------------------------------- */

static int compare_keys(const void *pa, const void *pb)
{
    uint64_t x = *(const uint64_t *)pa, y = *(const uint64_t *)pb;

    return (x > y) - (x < y);
}

static uint64_t shape_random(unsigned i, unsigned n)
{
    (void)n;
    return mix64(77, i);
}

static uint64_t shape_rising(unsigned i, unsigned n)
{
    (void)n;
    return i;
}

static uint64_t shape_falling(unsigned i, unsigned n)
{
    return n - i;
}

static uint64_t shape_equal(unsigned i, unsigned n)
{
    (void)i;
    (void)n;
    return 42;
}

static uint64_t shape_few_values(unsigned i, unsigned n)
{
    (void)n;
    return mix64(5, i) % 3;
}

static uint64_t shape_organ_pipe(unsigned i, unsigned n)
{
    return i < n / 2 ? i : n - i;
}

static uint64_t shape_extremes(unsigned i, unsigned n)
{
    (void)n;
    return i & 1 ? UINT64_MAX : 0;
}

static uint64_t (*const shapes[])(unsigned, unsigned) = {
    shape_random,     shape_rising,     shape_falling,  shape_equal,
    shape_few_values, shape_organ_pipe, shape_extremes,
};

static void check_sort(uint64_t (*shape)(unsigned, unsigned), unsigned n,
                       unsigned depth)
{
    static uint64_t mine[KEYS + 2], theirs[KEYS];

    /* Sentinels: nothing outside the array may be written. */
    mine[0] = mine[n + 1] = 0x5e5e5e5e5e5e5e5e;
    for (unsigned i = 0; i < n; i++)
        mine[i + 1] = theirs[i] = shape(i, n);
    quick_sort(mine + 1, n, depth);
    qsort(theirs, n, sizeof(theirs[0]), compare_keys);
    assert_memory_equal(mine + 1, theirs, n * sizeof(theirs[0]));
    assert_true(mine[0] == 0x5e5e5e5e5e5e5e5e);
    assert_true(mine[n + 1] == 0x5e5e5e5e5e5e5e5e);
}

static void test_sort_agrees_with_qsort(void **state)
{
    (void)state;
    for (unsigned s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        for (unsigned n = 1; n <= 130; n++)
            check_sort(shapes[s], n, MAX_DEPTH);
        check_sort(shapes[s], KEYS, MAX_DEPTH);
    }
}

static void test_sort_falls_back_to_heapsort(void **state)
{
    (void)state;
    for (unsigned s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        check_sort(shapes[s], 1000, 0);
        check_sort(shapes[s], 1000, 2);
    }
}

static void test_sort_checksum(void **state)
{
    uint64_t sum = 0;

    (void)state;
    for (unsigned input = 0; input < 4; input++) {
        fill(input);
        qsort(keys, KEYS, sizeof(keys[0]), compare_keys);
        for (unsigned i = 0; i < KEYS; i++)
            sum = mix64(sum, keys[i]);
    }
    assert_true(sort_checksum() == sum);
}

static void test_sort_check_sees_damage(void **state)
{
    (void)state;
    assert_null(sort_verify());
    swap_keys(&keys[7], &keys[8]);
    assert_non_null(check_keys());
    swap_keys(&keys[7], &keys[8]);
    assert_null(check_keys());
    keys[8] = keys[7]; /* still in order, but one is lost */
    assert_non_null(check_keys());
}

/* ---- sha256 -------------------------------------------------------------- */

static void hex_digest(char *out, const void *data, size_t len)
{
    struct digest d;

    sha256(&d, data, len);
    for (unsigned i = 0; i < 8; i++)
        sprintf(out + 8 * i, "%08" PRIx32, d.h[i]);
}

static void test_sha256_known_answers(void **state)
{
    static char million[1000000];
    char hex[65];

    (void)state;
    hex_digest(hex, "", 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb924"
                             "27ae41e4649b934ca495991b7852b855");
    hex_digest(hex, "abc", 3);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
                             "b00361a396177a9cb410ff61f20015ad");
    memset(million, 'a', sizeof(million));
    hex_digest(hex, million, sizeof(million));
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67"
                             "f1809a48a497200e046d39ccc7112cd0");
}

/* What coreutils says about the same bytes. */
static void sha256sum(char *hex, const void *data, size_t len)
{
    char path[] = "/tmp/trapmark-sha256-XXXXXX", command[80];
    int fd = mkstemp(path);
    FILE *p;

    assert_true(fd >= 0);
    assert_true(write(fd, data, len) == (ssize_t)len);
    close(fd);
    snprintf(command, sizeof(command), "sha256sum %s", path);
    p = popen(command, "r");
    assert_non_null(p);
    assert_int_equal(fread(hex, 1, 64, p), 64);
    hex[64] = '\0';
    pclose(p);
    unlink(path);
}

static void test_sha256_agrees_with_sha256sum(void **state)
{
    /* Both sides of every padding decision, and the benchmark's message. */
    static const size_t lengths[] = {1,  55,  56,  57,  63,  64,
                                     65, 119, 120, 127, 128, MESSAGE_BYTES};
    char mine[65], theirs[65];

    (void)state;
    assert_null(sha256_init());
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        hex_digest(mine, message, lengths[i]);
        sha256sum(theirs, message, lengths[i]);
        assert_string_equal(mine, theirs);
    }
    /* The checksum is the digest's first 8 bytes. */
    assert_true(sha256_checksum() == strtoull(strndupa(mine, 16), NULL, 16));
    assert_null(sha256_verify());
}

/* ---- matmul -------------------------------------------------------------- */

static void test_matmul_agrees_with_dot_products(void **state)
{
    (void)state;
    assert_null(matmul_init());
    matmul_kernel(1);
    for (unsigned i = 0; i < DIM; i++) {
        for (unsigned j = 0; j < DIM; j++) {
            long double wide = 0;
            double sum = 0;

            for (unsigned k = 0; k < DIM; k++) {
                wide += (long double)left[i][k] * right[k][j];
                sum += left[i][k] * right[k][j];
            }
            /* Same operations in the same order: equal to the last bit. */
            assert_memory_equal(&sum, &product[i][j], sizeof(sum));
            assert_true(wide - sum < 1e-12L && sum - wide < 1e-12L);
        }
    }
    assert_null(matmul_verify());
    product[3][5] += 1e-15;
    assert_non_null(matmul_verify());
}

static void test_matmul_elements_are_in_range(void **state)
{
    (void)state;
    assert_null(matmul_init());
    for (unsigned i = 0; i < DIM; i++) {
        for (unsigned j = 0; j < DIM; j++) {
            assert_true(left[i][j] >= -1 && left[i][j] < 1);
            assert_true(right[i][j] >= -1 && right[i][j] < 1);
        }
    }
}

/* ---- the native processes ------------------------------------------------ */

static void test_native_processes(void **state)
{
    (void)state;
    check_native("sort", sort_checksum());
    assert_null(sha256_init());
    check_native("sha256", sha256_checksum());
    assert_null(matmul_init());
    check_native("matmul", matmul_checksum());
}

static void test_native_calibrates(void **state)
{
    json_t *r = native_result("matmul", "samples=2 batch_us=3000 tsc_khz=1000");
    json_t *sample = json_array_get(json_object_get(r, "samples"), 0);

    (void)state;
    /* 3000 us of a 1 MHz clock are 3000 ticks, which one product exceeds. */
    assert_int_equal(json_integer_value(json_object_get(r, "iterations")), 1);
    assert_true(json_integer_value(sample) >= 3000);
    json_decref(r);
}

static void test_native_refuses_what_it_is_not(void **state)
{
    char line[1024];
    bool failed = false;
    FILE *p = popen(NATIVE_DIR "/sort bench=nonsense", "r");

    (void)state;
    assert_non_null(p);
    while (fgets(line, sizeof(line), p))
        failed |= strstr(line, "no such benchmark") != NULL;
    pclose(p);
    assert_true(failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort_agrees_with_qsort),
        cmocka_unit_test(test_sort_falls_back_to_heapsort),
        cmocka_unit_test(test_sort_checksum),
        cmocka_unit_test(test_sort_check_sees_damage),
        cmocka_unit_test(test_sha256_known_answers),
        cmocka_unit_test(test_sha256_agrees_with_sha256sum),
        cmocka_unit_test(test_matmul_agrees_with_dot_products),
        cmocka_unit_test(test_matmul_elements_are_in_range),
        cmocka_unit_test(test_native_processes),
        cmocka_unit_test(test_native_calibrates),
        cmocka_unit_test(test_native_refuses_what_it_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
