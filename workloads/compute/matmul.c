/* matmul: product of two 64x64 matrices of doubles with packed SSE2
 * arithmetic, in register blocks of 4 rows by 4 columns. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

#define DIM 64

/* The vector extension, not intrinsics: the compiler makes it mulpd and addpd,
 * and the order of the additions is the one written here. */
typedef double v2df __attribute__((vector_size(16)));

static double left[DIM][DIM] __attribute__((aligned(64)));
static double right[DIM][DIM] __attribute__((aligned(64)));
static double product[DIM][DIM] __attribute__((aligned(64)));

/* In [-1, 1), with 53 random bits: sums round, so a backend that computes in
 * another precision or order gives another checksum. */
static double element(uint64_t seed)
{
    return (double)(int64_t)(mix64(0, seed) >> 11) * 0x1p-52 - 1.0;
}

static const char *matmul_init(void)
{
    for (unsigned i = 0; i < DIM; i++) {
        for (unsigned j = 0; j < DIM; j++) {
            left[i][j] = element(i * DIM + j);
            right[i][j] = element(DIM * DIM + i * DIM + j);
        }
    }
    return NULL;
}

/* Rows i..i+3, columns j..j+3 of the product. Unrolled, so that the eight sums
 * stay in registers. */
static inline void multiply_block(unsigned i, unsigned j)
{
    v2df sum[4][2] = {{{0}}};

    for (unsigned k = 0; k < DIM; k++) {
        v2df b0 = *(const v2df *)&right[k][j];
        v2df b1 = *(const v2df *)&right[k][j + 2];

#pragma GCC unroll 4
        for (unsigned r = 0; r < 4; r++) {
            double x = left[i + r][k];
            v2df xx = {x, x};

            sum[r][0] += xx * b0;
            sum[r][1] += xx * b1;
        }
    }
#pragma GCC unroll 4
    for (unsigned r = 0; r < 4; r++) {
        *(v2df *)&product[i + r][j] = sum[r][0];
        *(v2df *)&product[i + r][j + 2] = sum[r][1];
    }
}

static void multiply(void)
{
    for (unsigned i = 0; i < DIM; i += 4) {
        for (unsigned j = 0; j < DIM; j += 4)
            multiply_block(i, j);
    }
}

static uint64_t digest(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < DIM; i++) {
        for (unsigned j = 0; j < DIM; j++) {
            union {
                double d;
                uint64_t u;
            } bits = {.d = product[i][j]};

            sum = mix64(sum, bits.u);
        }
    }
    return sum;
}

static void matmul_kernel(uint64_t n)
{
    while (n--) {
        multiply();
        __asm__ volatile("" ::: "memory");
    }
}

static uint64_t matmul_checksum(void)
{
    multiply();
    return digest();
}

/* The batches' last product against one dot product at a time. */
static const char *matmul_verify(void)
{
    for (unsigned i = 0; i < DIM; i++) {
        for (unsigned j = 0; j < DIM; j++) {
            double sum = 0;

            for (unsigned k = 0; k < DIM; k++)
                sum += left[i][k] * right[k][j];
            if (sum != product[i][j])
                return "an element differs from its dot product";
        }
    }
    return NULL;
}

DEFINE_BENCHMARK(matmul, "matmul", "compute", "64x64 matrix product",
                 "Matrix product in packed SSE2 doubles", TM_BENCH_NATIVE,
                 .init = matmul_init, .kernel = matmul_kernel,
                 .checksum = matmul_checksum, .verify = matmul_verify);
