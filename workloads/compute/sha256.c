/* sha256: the digest of a 16 KiB message (FIPS 180-4): rotates, additions and
 * table loads with almost no branches. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

#define MESSAGE_BYTES 16384
#define BLOCK_BYTES 64

struct digest {
    uint32_t h[8];
};

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint64_t message[MESSAGE_BYTES / 8];
static struct digest last;

static inline uint32_t rotr(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static inline uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void compress(struct digest *d, const uint8_t *block)
{
    uint32_t w[64];
    uint32_t a = d->h[0], b = d->h[1], c = d->h[2], e = d->h[4];
    uint32_t f = d->h[5], g = d->h[6], h = d->h[7], dd = d->h[3];

    for (unsigned t = 0; t < 16; t++)
        w[t] = load_be32(block + 4 * t);
    for (unsigned t = 16; t < 64; t++) {
        uint32_t x = w[t - 15], y = w[t - 2];
        uint32_t s0 = rotr(x, 7) ^ rotr(x, 18) ^ x >> 3;
        uint32_t s1 = rotr(y, 17) ^ rotr(y, 19) ^ y >> 10;

        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    for (unsigned t = 0; t < 64; t++) {
        uint32_t s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
        uint32_t s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
        uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + round_constants[t] + w[t];
        uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));

        h = g;
        g = f;
        f = e;
        e = dd + t1;
        dd = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    d->h[0] += a;
    d->h[1] += b;
    d->h[2] += c;
    d->h[3] += dd;
    d->h[4] += e;
    d->h[5] += f;
    d->h[6] += g;
    d->h[7] += h;
}

/* Hashes the last, partial block with its padding: a one bit, zeroes, and the
 * message's length in bits. */
static void finish(struct digest *d, const uint8_t *tail, size_t tail_len,
                   uint64_t total_len)
{
    uint8_t block[2 * BLOCK_BYTES] = {0};
    size_t end = tail_len + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;

    for (size_t i = 0; i < tail_len; i++)
        block[i] = tail[i];
    block[tail_len] = 0x80;
    for (unsigned i = 0; i < 8; i++)
        block[end - 1 - i] = (uint8_t)(total_len * 8 >> 8 * i);
    for (size_t at = 0; at < end; at += BLOCK_BYTES)
        compress(d, block + at);
}

static void sha256(struct digest *d, const uint8_t *p, size_t len)
{
    size_t at = 0;

    *d = (struct digest){{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
    for (; len - at >= BLOCK_BYTES; at += BLOCK_BYTES)
        compress(d, p + at);
    finish(d, p + at, len - at, len);
}

static uint64_t digest_word(const struct digest *d)
{
    return (uint64_t)d->h[0] << 32 | d->h[1];
}

static const char *sha256_init(void)
{
    for (unsigned i = 0; i < MESSAGE_BYTES / 8; i++)
        message[i] = mix64(0, i);
    return NULL;
}

static void sha256_kernel(uint64_t n)
{
    while (n--) {
        sha256(&last, (const uint8_t *)message, MESSAGE_BYTES);
        __asm__ volatile("" ::: "memory");
    }
}

/* The digest's first 8 bytes. */
static uint64_t sha256_checksum(void)
{
    sha256_kernel(1);
    return digest_word(&last);
}

static const char *sha256_verify(void)
{
    struct digest d;

    sha256(&d, (const uint8_t *)message, MESSAGE_BYTES);
    for (unsigned i = 0; i < 8; i++) {
        if (d.h[i] != last.h[i])
            return "the digest changed between two computations";
    }
    return NULL;
}

DEFINE_BENCHMARK(sha256, "sha256", "compute", "SHA-256 of 16 KiB",
                 "SHA-256 of a 16 KiB message: straight-line integer code",
                 TM_BENCH_NATIVE, .init = sha256_init, .kernel = sha256_kernel,
                 .checksum = sha256_checksum, .verify = sha256_verify);
