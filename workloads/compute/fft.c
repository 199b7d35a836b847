/* fft: Fourier transform of 4096 complex doubles and back, the class of signal
 * processing: scalar floating point in strides of powers of two. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

#define FFT_BITS 12
#define FFT_N (1u << FFT_BITS)

struct complex {
    double re, im;
};

static struct complex fft_signal[FFT_N], fft_data[FFT_N];
/* exp(-2 pi i k / N), k below N / 2. */
static struct complex fft_twiddle[FFT_N / 2];
static uint16_t fft_reversed[FFT_N];

static inline struct complex complex_mul(struct complex a, struct complex b)
{
    return (struct complex){a.re * b.re - a.im * b.im,
                            a.re * b.im + a.im * b.re};
}

static double fft_sqrt(double x)
{
    double r;

    __asm__("sqrtsd %1, %0" : "=x"(r) : "x"(x));
    return r;
}

/* From -1, a half turn, by halving angles; then every power as the product of
 * those its number has bits for. Only operations that IEEE 754 rounds
 * correctly, so that every backend has the same factors; no chain of more than
 * 11 products, so that they are good to about 1e-15. */
static void fft_make_twiddles(void)
{
    /* root[b] = exp(-2 pi i 2^b / N) */
    struct complex root[FFT_BITS];

    root[FFT_BITS - 1] = (struct complex){-1, 0};
    root[FFT_BITS - 2] = (struct complex){0, -1};
    for (unsigned b = FFT_BITS - 2; b-- > 0;) {
        double c = fft_sqrt((1 + root[b + 1].re) / 2);

        root[b] = (struct complex){c, root[b + 1].im / (2 * c)};
    }
    for (unsigned k = 0; k < FFT_N / 2; k++) {
        struct complex w = {1, 0};

        for (unsigned b = 0; b < FFT_BITS - 1; b++)
            if (k >> b & 1)
                w = complex_mul(w, root[b]);
        fft_twiddle[k] = w;
    }
}

static const char *fft_init(void)
{
    fft_make_twiddles();
    for (unsigned i = 0; i < FFT_N; i++) {
        unsigned r = 0;

        for (unsigned b = 0; b < FFT_BITS; b++)
            r |= (i >> b & 1) << (FFT_BITS - 1 - b);
        fft_reversed[i] = (uint16_t)r;
        fft_signal[i].re =
            (double)(int64_t)(mix64(11, 2 * i) >> 11) * 0x1p-52 - 1.0;
        fft_signal[i].im =
            (double)(int64_t)(mix64(11, 2 * i + 1) >> 11) * 0x1p-52 - 1.0;
    }
    return NULL;
}

static void fft_permute(struct complex *a)
{
    for (unsigned i = 0; i < FFT_N; i++) {
        unsigned j = fft_reversed[i];

        if (i < j) {
            struct complex t = a[i];

            a[i] = a[j];
            a[j] = t;
        }
    }
}

/* Decimation in time, radix 2, in place. */
static void fft_forward(struct complex *a)
{
    fft_permute(a);
    for (unsigned half = 1; half < FFT_N; half *= 2) {
        unsigned stride = FFT_N / 2 / half;

        for (unsigned base = 0; base < FFT_N; base += 2 * half) {
            for (unsigned k = 0; k < half; k++) {
                struct complex *even = &a[base + k], *odd = even + half;
                struct complex t = complex_mul(*odd, fft_twiddle[k * stride]);

                *odd = (struct complex){even->re - t.re, even->im - t.im};
                *even = (struct complex){even->re + t.re, even->im + t.im};
            }
        }
    }
}

/* By the forward transform of the conjugate, conjugated and scaled. */
static void fft_inverse(struct complex *a)
{
    for (unsigned i = 0; i < FFT_N; i++)
        a[i].im = -a[i].im;
    fft_forward(a);
    for (unsigned i = 0; i < FFT_N; i++) {
        a[i].re *= 1.0 / FFT_N;
        a[i].im *= -1.0 / FFT_N;
    }
}

static void fft_load(void)
{
    for (unsigned i = 0; i < FFT_N; i++)
        fft_data[i] = fft_signal[i];
}

static void fft_kernel(uint64_t n)
{
    while (n--) {
        fft_load();
        fft_forward(fft_data);
        fft_inverse(fft_data);
        __asm__ volatile("" ::: "memory");
    }
}

static uint64_t fft_digest(uint64_t sum)
{
    for (unsigned i = 0; i < FFT_N; i++) {
        union {
            double d;
            uint64_t u;
        } re = {.d = fft_data[i].re}, im = {.d = fft_data[i].im};

        sum = mix64(mix64(sum, re.u), im.u);
    }
    return sum;
}

/* The spectrum, and what comes back. */
static uint64_t fft_checksum(void)
{
    uint64_t sum;

    fft_load();
    fft_forward(fft_data);
    sum = fft_digest(0);
    fft_inverse(fft_data);
    return fft_digest(sum);
}

static bool fft_near(double a, double b, double tolerance)
{
    return a - b < tolerance && b - a < tolerance;
}

static double fft_power(const struct complex *a)
{
    double sum = 0;

    for (unsigned i = 0; i < FFT_N; i++)
        sum += a[i].re * a[i].re + a[i].im * a[i].im;
    return sum;
}

/* The batches' last signal is the first one again; the spectrum has N times its
 * power. */
static const char *fft_verify(void)
{
    double power = fft_power(fft_signal) * FFT_N;

    for (unsigned i = 0; i < FFT_N; i++)
        if (!fft_near(fft_data[i].re, fft_signal[i].re, 1e-13) ||
            !fft_near(fft_data[i].im, fft_signal[i].im, 1e-13))
            return "the signal changed on the way";
    fft_load();
    fft_forward(fft_data);
    if (!fft_near(fft_power(fft_data), power, power * 1e-12))
        return "the spectrum has another power";
    return NULL;
}

DEFINE_BENCHMARK(fft, "fft", "compute", "4096 complex points, and back",
                 "Radix-2 Fourier transform in doubles: power-of-two strides",
                 TM_BENCH_NATIVE, .init = fft_init, .kernel = fft_kernel,
                 .checksum = fft_checksum, .verify = fft_verify);
