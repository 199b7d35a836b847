/* Workloads on structures and numbers against independent computations: btree,
 * chess, bytecode, nbody, fft, chase64m. */
#include "native_run.h"

#include <math.h>
#include <stdlib.h>

/* Whole, for their static functions. */
#include "../../workloads/compute/btree.c"
#include "../../workloads/compute/chess.c"
#include "../../workloads/compute/bytecode.c"
#include "../../workloads/compute/nbody.c"
#include "../../workloads/compute/fft.c"
#include "../../workloads/compute/chase64m.c"

/* ---- btree --------------------------------------------------------------- */

/* Keys of [low, high) below n, all leaves at the same depth; the depth. */
static unsigned check_node(const struct bt_node *n, uint64_t low, uint64_t high)
{
    unsigned depth = 0;

    assert_true(n->count <= BT_MAX);
    assert_true(n == bt_root || n->count >= BT_MIN);
    for (unsigned i = 0; i < n->count; i++) {
        assert_true(n->keys[i] >= low && n->keys[i] < high);
        assert_true(!i || n->keys[i - 1] < n->keys[i]);
    }
    for (unsigned i = 0; !n->leaf && i <= n->count; i++) {
        unsigned d = check_node(n->child[i], i ? n->keys[i - 1] : low,
                                i < n->count ? n->keys[i] : high);

        assert_true(!i || d == depth);
        depth = d;
    }
    return depth + 1;
}

static unsigned count_free(void)
{
    unsigned n = 0;

    for (const struct bt_node *b = bt_free; b; b = b->next)
        n++;
    return n;
}

static int compare_u64(const void *pa, const void *pb)
{
    uint64_t x = *(const uint64_t *)pa, y = *(const uint64_t *)pb;

    return (x > y) - (x < y);
}

#define DOMAIN 6000

static uint64_t sorted[DOMAIN];

/* The tree against the keys k with in[k]; key k has the value 3 * k. */
static void check_tree(const bool *in)
{
    unsigned count = 0;
    uint64_t sum = 1;

    for (unsigned k = DOMAIN; k-- > 0;)
        if (in[k])
            sorted[count++] = k;
    qsort(sorted, count, sizeof(sorted[0]), compare_u64);
    for (uint64_t k = 0; k < DOMAIN; k++) {
        bool there =
            bsearch(&k, sorted, count, sizeof(sorted[0]), compare_u64) != NULL;

        assert_int_equal(bt_find(k, UINT64_MAX), there ? 3 * k : UINT64_MAX);
    }
    for (unsigned i = count / 3; i < count && i < count / 3 + 1000; i++)
        sum = mix64(sum, 3 * sorted[i]);
    if (count)
        assert_true(bt_scan(sorted[count / 3], 1000, 1) == sum);
    check_node(bt_root, 0, UINT64_MAX);
}

static void test_btree_agrees_with_a_sorted_array(void **state)
{
    static bool in[DOMAIN];
    uint64_t r = 23;

    (void)state;
    bt_clear();
    for (unsigned i = 0; i < 60000; i++) {
        uint64_t k = (random_next(&r) >> 20) % DOMAIN;
        /* Mostly in for a while, then mostly out. */
        bool insert = random_next(&r) % 8 < (i / 15000 % 2 ? 2 : 6);

        if (insert && !in[k])
            bt_insert(k, 3 * k);
        if (!insert)
            assert_int_equal(bt_erase(k), in[k]);
        in[k] = insert;
        if (i % 3000 == 0)
            check_tree(in);
    }
    check_tree(in);
    for (unsigned k = 0; k < DOMAIN; k++)
        assert_int_equal(bt_erase(k), in[k]);
    assert_true(bt_root->leaf && !bt_root->count);
    assert_int_equal(count_free(), BT_NODES - 1);
    /* In order, both ways: always the same end is split and refilled. */
    for (unsigned k = 0; k < DOMAIN; k++)
        bt_insert(k, 3 * k);
    memset(in, true, sizeof(in));
    check_tree(in);
    for (unsigned k = DOMAIN; k-- > 0;)
        assert_true(bt_erase(k));
    assert_int_equal(count_free(), BT_NODES - 1);
}

static void test_btree_verifies(void **state)
{
    (void)state;
    assert_null(btree_init());
    check_native("btree", btree_checksum());
    btree_kernel(100);
    assert_null(btree_verify());
    assert_int_equal(check_node(bt_root, 0, UINT64_MAX), 4);
    assert_true(bt_erase(bt_key(bt_newest - 7)));
    assert_non_null(btree_verify());
    bt_insert(bt_key(bt_newest - 7), bt_newest - 7);
    assert_null(btree_verify());
    bt_insert(bt_key(bt_newest), bt_newest);
    assert_non_null(btree_verify());
}

/* ---- chess --------------------------------------------------------------- */

/* Counts that many programs agree on: castling, en passant, promotions, checks
 * and stalemates one at a time. */
static void test_chess_counts_are_known(void **state)
{
    static const struct {
        const char *fen;
        unsigned depth;
        uint64_t nodes;
    } known[] = {
        {"3k4/3p4/8/K1P4r/8/8/8/8 b - -", 6, 1134888},
        {"8/8/4k3/8/2p5/8/B2P2K1/8 w - -", 6, 1015133},
        {"8/8/1k6/2b5/2pP4/8/5K2/8 b - d3", 6, 1440467},
        {"5k2/8/8/8/8/8/8/4K2R w K -", 6, 661072},
        {"3k4/8/8/8/8/8/8/R3K3 w Q -", 6, 803711},
        {"r3k2r/1b4bq/8/8/8/8/7B/R3K2R w KQkq -", 4, 1274206},
        {"r3k2r/8/3Q4/8/8/5q2/8/R3K2R b KQkq -", 4, 1720476},
        {"2K2r2/4P3/8/8/8/8/8/3k4 w - -", 6, 3821001},
        {"8/8/1P2K3/8/2n5/1q6/8/5k2 b - -", 5, 1004658},
        {"4k3/1P6/8/8/8/8/K7/8 w - -", 6, 217342},
        {"8/P1k5/K7/8/8/8/8/8 w - -", 6, 92683},
        {"K1k5/8/P7/8/8/8/8/8 w - -", 6, 2217},
        {"8/k1P5/8/1K6/8/8/8/8 w - -", 7, 567584},
        {"8/8/2k5/5q2/5n2/8/5K2/8 b - -", 4, 23527},
    };
    struct chess_board b;

    (void)state;
    assert_null(chess_init());
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        chess_parse(&b, known[i].fen);
        assert_int_equal(chess_perft(&b, known[i].depth), known[i].nodes);
    }
    for (unsigned i = 0; i < CHESS_POSITIONS; i++)
        assert_int_equal(
            chess_perft(&chess_boards[i], chess_positions[i].check_depth),
            chess_positions[i].check_nodes);
}

static void test_chess_verifies(void **state)
{
    uint64_t sum = 0;

    (void)state;
    assert_null(chess_init());
    for (unsigned i = 0; i < CHESS_POSITIONS; i++)
        sum = mix64(sum, chess_positions[i].check_nodes);
    assert_true(chess_checksum() == sum);
    check_native("chess", sum);
    chess_kernel(1);
    assert_null(chess_verify());
    chess_boards[3].castling = 0;
    chess_kernel(1);
    assert_non_null(chess_verify());
}

/* ---- bytecode ------------------------------------------------------------ */

static void test_bytecode_agrees_with_c(void **state)
{
    (void)state;
    for (int64_t n = 0; n <= 20; n++)
        assert_int_equal(vm_integer(FIB, n), plain_fib(n));
    for (int64_t n = 0; n <= 300; n++)
        assert_int_equal(vm_integer(PRIMES, n), plain_primes(n));
    for (int64_t n = 1; n <= 300; n++)
        assert_int_equal(vm_integer(COLLATZ, n), plain_collatz(n));
    for (int64_t n = 1; n <= 40; n++)
        assert_int_equal(vm_integer(MANDEL, n), plain_mandel(n));
    /* As tables have it. */
    assert_int_equal(vm_integer(FIB, 20), 6765);
    assert_int_equal(vm_integer(PRIMES, 1000), 168);
    assert_int_equal(vm_integer(COLLATZ, 27), 111);
    assert_int_equal(vm_integer(COLLATZ, 1000), 178);
}

static void test_bytecode_stops_bad_programs(void **state)
{
    struct vm_value v;

    (void)state;
    assert_string_equal(vm_run(FIB, 40, &v), "too many calls");
    assert_string_equal(vm_run(PRIMES, VM_ARRAY_MAX + 1, &v),
                        "no length of an array");
    assert_string_equal(vm_run(PRIMES, -1, &v), "no length of an array");
    assert_int_equal(vm_integer(PRIMES, -1), -1);
}

static void test_bytecode_verifies(void **state)
{
    (void)state;
    check_native("bytecode", bytecode_checksum());
    bytecode_kernel(1);
    assert_null(bytecode_verify());
    vm_results[MANDEL]++;
    assert_non_null(bytecode_verify());
}

/* ---- nbody --------------------------------------------------------------- */

/* The same scheme, in long double and written as accelerations. */
static void test_nbody_agrees_with_long_double(void **state)
{
    long double x[NB_BODIES][3], v[NB_BODIES][3], h = NB_DT;

    (void)state;
    assert_null(nbody_init());
    for (unsigned i = 0; i < NB_BODIES; i++) {
        for (unsigned k = 0; k < 3; k++) {
            x[i][k] = nb_start[i].x[k];
            v[i][k] = nb_start[i].v[k];
        }
    }
    for (unsigned step = 0; step < NB_STEPS; step++) {
        for (unsigned i = 0; i < NB_BODIES; i++)
            for (unsigned k = 0; k < 3; k++)
                x[i][k] += h / 2 * v[i][k];
        for (unsigned i = 0; i < NB_BODIES; i++) {
            for (unsigned j = 0; j < NB_BODIES; j++) {
                long double d =
                    hypotl(hypotl(x[j][0] - x[i][0], x[j][1] - x[i][1]),
                           x[j][2] - x[i][2]);

                for (unsigned k = 0; i != j && k < 3; k++)
                    v[i][k] += h * nb_start[j].mass * (x[j][k] - x[i][k]) /
                               (d * d * d);
            }
        }
        for (unsigned i = 0; i < NB_BODIES; i++)
            for (unsigned k = 0; k < 3; k++)
                x[i][k] += h / 2 * v[i][k];
    }
    nbody_kernel(1);
    for (unsigned i = 0; i < NB_BODIES; i++) {
        for (unsigned k = 0; k < 3; k++) {
            assert_true(fabsl(x[i][k] - nb_now[i].x[k]) < 1e-12L);
            assert_true(fabsl(v[i][k] - nb_now[i].v[k]) < 1e-12L);
        }
    }
    /* Something happened: the innermost planet is well on its way. */
    assert_true(fabs(nb_now[1].x[0] - nb_start[1].x[0]) > 0.01);
}

static void test_nbody_verifies(void **state)
{
    (void)state;
    assert_null(nbody_init());
    check_native("nbody", nbody_checksum());
    nbody_kernel(2);
    assert_null(nbody_verify());
    nbody_kernel(1);
    nb_now[3].x[1] += 1e-9;
    assert_non_null(nbody_verify());
    nbody_kernel(1);
    nb_now[0].v[1] += 0.01;
    assert_string_equal(nbody_verify(), "the energy drifts");
}

/* ---- fft ----------------------------------------------------------------- */

static void test_fft_agrees_with_the_sum(void **state)
{
    static long double wave[FFT_N][2];

    (void)state;
    assert_null(fft_init());
    for (unsigned k = 0; k < FFT_N; k++) {
        wave[k][0] = cosl(2 * M_PIl * k / FFT_N);
        wave[k][1] = -sinl(2 * M_PIl * k / FFT_N);
    }
    for (unsigned k = 0; k < FFT_N / 2; k++) {
        assert_true(fabsl(fft_twiddle[k].re - wave[k][0]) < 4e-15L);
        assert_true(fabsl(fft_twiddle[k].im - wave[k][1]) < 4e-15L);
    }
    fft_load();
    fft_forward(fft_data);
    for (unsigned k = 0; k < FFT_N; k += 5) {
        long double re = 0, im = 0;

        for (unsigned i = 0; i < FFT_N; i++) {
            const struct complex *s = &fft_signal[i];
            const long double *w = wave[i * k % FFT_N];

            re += s->re * w[0] - s->im * w[1];
            im += s->re * w[1] + s->im * w[0];
        }
        assert_true(fabsl(re - fft_data[k].re) < 1e-12L);
        assert_true(fabsl(im - fft_data[k].im) < 1e-12L);
    }
}

static void test_fft_verifies(void **state)
{
    (void)state;
    assert_null(fft_init());
    check_native("fft", fft_checksum());
    fft_kernel(1);
    assert_null(fft_verify());
    fft_kernel(1);
    fft_data[77].im += 1e-12;
    assert_non_null(fft_verify());
}

/* ---- chase64m ------------------------------------------------------------ */

static void test_chase_verifies(void **state)
{
    void *begin;

    (void)state;
    assert_null(chase64m_init());
    begin = chase_at;
    check_native("chase64m", chase64m_checksum());
    chase64m_kernel(1);
    assert_ptr_not_equal(chase_at, begin);
    assert_null(chase64m_verify());
    chase64m_kernel(CHASE_SLOTS / CHASE_HOPS - 1);
    assert_ptr_equal(chase_at, begin);
    *(void **)chase_at = chase_at;
    assert_non_null(chase64m_verify());
    *(void **)chase_at = &begin;
    assert_non_null(chase64m_verify());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_btree_agrees_with_a_sorted_array),
        cmocka_unit_test(test_btree_verifies),
        cmocka_unit_test(test_chess_counts_are_known),
        cmocka_unit_test(test_chess_verifies),
        cmocka_unit_test(test_bytecode_agrees_with_c),
        cmocka_unit_test(test_bytecode_stops_bad_programs),
        cmocka_unit_test(test_bytecode_verifies),
        cmocka_unit_test(test_nbody_agrees_with_long_double),
        cmocka_unit_test(test_nbody_verifies),
        cmocka_unit_test(test_fft_agrees_with_the_sum),
        cmocka_unit_test(test_fft_verifies),
        cmocka_unit_test(test_chase_verifies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
