/* sort: quicksort of 4096 64-bit keys, insertion sort for short runs, heapsort
 * when the pivots are bad: unpredictable branches over a small working set. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

#define KEYS 4096
/* Below this, insertion sort is faster. */
#define SHORT_RUN 16
/* Twice the depth of a perfect split of KEYS. */
#define MAX_DEPTH 24
/* Inputs are taken in turn: a branch predictor learns a single one by heart. */
#define INPUTS 64

static uint64_t keys[KEYS];
static uint64_t input_sum; /* of the keys before sorting, modulo 2^64 */

static void fill(uint64_t input)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < KEYS; i++) {
        keys[i] = mix64(input, i);
        sum += keys[i];
    }
    input_sum = sum;
}

static inline void swap_keys(uint64_t *a, uint64_t *b)
{
    uint64_t t = *a;

    *a = *b;
    *b = t;
}

static void insertion_sort(uint64_t *a, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t key = a[i];
        size_t j = i;

        for (; j > 0 && a[j - 1] > key; j--)
            a[j] = a[j - 1];
        a[j] = key;
    }
}

static void sift_down(uint64_t *a, size_t root, size_t n)
{
    uint64_t key = a[root];

    for (;;) {
        size_t child = 2 * root + 1;

        if (child >= n)
            break;
        if (child + 1 < n && a[child + 1] > a[child])
            child++;
        if (a[child] <= key)
            break;
        a[root] = a[child];
        root = child;
    }
    a[root] = key;
}

static void heap_sort(uint64_t *a, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_down(a, i, n);
    for (size_t end = n - 1; end > 0; end--) {
        swap_keys(&a[0], &a[end]);
        sift_down(a, 0, end);
    }
}

/* Orders the first, middle and last key, so that the middle one is a pivot for
 * which both scans of partition() stop inside the array. */
static uint64_t median_of_three(uint64_t *a, size_t n)
{
    uint64_t *mid = a + n / 2, *last = a + n - 1;

    if (*mid < *a)
        swap_keys(mid, a);
    if (*last < *mid)
        swap_keys(last, mid);
    if (*mid < *a)
        swap_keys(mid, a);
    return *mid;
}

/* Hoare's scheme: returns m with a[0..m) <= pivot <= a[m..n), 0 < m < n. */
static size_t partition(uint64_t *a, size_t n)
{
    uint64_t pivot = median_of_three(a, n);
    size_t i = 0, j = n - 1;

    for (;;) {
        while (a[i] < pivot)
            i++;
        while (a[j] > pivot)
            j--;
        if (i >= j)
            return i > 0 ? i : 1;
        swap_keys(&a[i++], &a[j--]);
    }
}

static void quick_sort(uint64_t *a, size_t n, unsigned depth)
{
    while (n > SHORT_RUN) {
        size_t m;

        if (depth-- == 0) {
            heap_sort(a, n);
            return;
        }
        m = partition(a, n);
        /* Recurse into the shorter part: the stack stays shallow. */
        if (m <= n - m) {
            quick_sort(a, m, depth);
            a += m;
            n -= m;
        } else {
            quick_sort(a + m, n - m, depth);
            n = m;
        }
    }
    insertion_sort(a, n);
}

static void sort_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n; op++) {
        fill(op % INPUTS);
        quick_sort(keys, KEYS, MAX_DEPTH);
    }
}

/* Making up the keys is no part of sorting them. */
static void sort_control(uint64_t n)
{
    for (uint64_t op = 0; op < n; op++) {
        fill(op % INPUTS);
        __asm__ volatile("" ::: "memory");
    }
}

static uint64_t sort_checksum(void)
{
    uint64_t sum = 0;

    for (uint64_t input = 0; input < 4; input++) {
        fill(input);
        quick_sort(keys, KEYS, MAX_DEPTH);
        for (unsigned i = 0; i < KEYS; i++)
            sum = mix64(sum, keys[i]);
    }
    return sum;
}

/* What is wrong with the sorted keys, or NULL. */
static const char *check_keys(void)
{
    uint64_t sum = keys[0];

    for (unsigned i = 1; i < KEYS; i++) {
        if (keys[i - 1] > keys[i])
            return "keys are out of order";
        sum += keys[i];
    }
    return sum == input_sum ? NULL : "keys were lost";
}

static const char *sort_verify(void)
{
    sort_kernel(1);
    return check_keys();
}

DEFINE_BENCHMARK(sort, "sort", "compute", "sort of 4096 keys",
                 "Introsort of 64-bit keys: branches that nothing predicts",
                 TM_BENCH_NATIVE, .kernel = sort_kernel,
                 .control = sort_control, .checksum = sort_checksum,
                 .verify = sort_verify);
