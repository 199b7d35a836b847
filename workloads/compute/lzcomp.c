/* lzcomp: LZ77 compression of 16 KiB of text and back, the class of gzip: hash
 * chains, byte compares and copies whose branches depend on the data. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

#define LZ_TEXT 16384
/* Texts are taken in turn: a branch predictor learns a single one by heart. */
#define LZ_TEXTS 4

/* The format: groups of a flag byte and up to eight items, the lowest bit
 * first. A clear bit is a literal byte. A set bit is a match of three bytes:
 * distance back, low byte first, and length less LZ_MATCH_MIN. */
#define LZ_MATCH_MIN 4
#define LZ_MATCH_MAX (LZ_MATCH_MIN + 255)
#define LZ_DISTANCE_MAX 65535
/* What n bytes can at most become: all literals. */
#define LZ_BOUND(n) ((n) + ((n) + 7) / 8)

#define LZ_HASH_BITS 12
/* Candidates tried at a position: longer chains gain little. */
#define LZ_CHAIN_MAX 16
#define LZ_NONE UINT32_MAX

#define LZ_WORDS 512
#define LZ_WORD_MAX 10

static uint8_t lz_texts[LZ_TEXTS][LZ_TEXT];
static uint8_t lz_packed[LZ_BOUND(LZ_TEXT)], lz_unpacked[LZ_TEXT];

/* Positions with the same hash: the latest, and for each the one before. */
static uint32_t lz_head[1 << LZ_HASH_BITS], lz_before[LZ_TEXT];

struct lz_match {
    uint32_t at, len; /* len 0: there is none */
};

/* Where the next item goes, and the flag byte of its group. */
struct lz_writer {
    uint8_t *out, *flags;
    unsigned bit;
};

static inline uint32_t lz_load32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static inline uint32_t lz_hash(const uint8_t *p)
{
    return lz_load32(p) * 0x9e3779b1u >> (32 - LZ_HASH_BITS);
}

static void lz_remember(const uint8_t *in, uint32_t at)
{
    uint32_t h = lz_hash(in + at);

    lz_before[at] = lz_head[h];
    lz_head[h] = at;
}

/* The longest earlier occurrence of what is at `at`, the nearest of equals. */
static struct lz_match lz_find(const uint8_t *in, uint32_t at, uint32_t len)
{
    struct lz_match best = {0, LZ_MATCH_MIN - 1};
    uint32_t limit = len - at < LZ_MATCH_MAX ? len - at : LZ_MATCH_MAX;
    uint32_t candidate;

    if (limit < LZ_MATCH_MIN)
        return (struct lz_match){0, 0};
    candidate = lz_head[lz_hash(in + at)];
    for (unsigned tries = LZ_CHAIN_MAX; tries && candidate != LZ_NONE;
         tries--, candidate = lz_before[candidate]) {
        const uint8_t *a = in + candidate, *b = in + at;
        uint32_t n = 0;

        if (at - candidate > LZ_DISTANCE_MAX)
            break;
        if (a[best.len] != b[best.len])
            continue;
        while (n < limit && a[n] == b[n])
            n++;
        if (n <= best.len)
            continue;
        best = (struct lz_match){candidate, n};
        if (n == limit)
            break;
    }
    if (best.len < LZ_MATCH_MIN)
        best.len = 0;
    return best;
}

static void lz_put_flag(struct lz_writer *w, bool match)
{
    if (w->bit == 8) {
        w->flags = w->out++;
        *w->flags = 0;
        w->bit = 0;
    }
    *w->flags |= (uint8_t)(match << w->bit++);
}

static void lz_put_match(struct lz_writer *w, uint32_t distance, uint32_t len)
{
    lz_put_flag(w, true);
    *w->out++ = (uint8_t)distance;
    *w->out++ = (uint8_t)(distance >> 8);
    *w->out++ = (uint8_t)(len - LZ_MATCH_MIN);
}

/* len <= LZ_TEXT; out has LZ_BOUND(len) bytes. Returns how many were used. */
static size_t lz_pack(uint8_t *out, const uint8_t *in, uint32_t len)
{
    struct lz_writer w = {out, NULL, 8};
    struct lz_match match, next;
    uint32_t at = 0;

    for (unsigned i = 0; i < 1 << LZ_HASH_BITS; i++)
        lz_head[i] = LZ_NONE;
    next = lz_find(in, 0, len);
    while (at < len) {
        uint32_t end = at + 1;

        match = next;
        if (len - at >= LZ_MATCH_MIN)
            lz_remember(in, at);
        next = lz_find(in, at + 1, len);
        /* A literal first, where that makes the match longer. */
        if (!match.len || next.len > match.len) {
            lz_put_flag(&w, false);
            *w.out++ = in[at++];
            continue;
        }
        lz_put_match(&w, at - match.at, match.len);
        end = at + match.len;
        for (at++; at < end; at++)
            if (len - at >= LZ_MATCH_MIN)
                lz_remember(in, at);
        next = lz_find(in, at, len);
    }
    return (size_t)(w.out - out);
}

/* Returns the length of the text, or -1 where `in` is no packed text or is of
 * more than `size` bytes. */
static int64_t lz_unpack(uint8_t *out, size_t size, const uint8_t *in,
                         size_t len)
{
    const uint8_t *end = in + len;
    size_t n = 0;
    unsigned flags = 1;

    while (in < end) {
        size_t distance, count;

        if (flags == 1) { /* only the guard is left of the group's flags */
            flags = *in++ | 0x100u;
            if (in == end)
                return -1;
        }
        if (!(flags & 1)) {
            if (n == size)
                return -1;
            out[n++] = *in++;
        } else {
            if (end - in < 3)
                return -1;
            distance = in[0] | (size_t)in[1] << 8;
            count = in[2] + (size_t)LZ_MATCH_MIN;
            in += 3;
            if (!distance || distance > n || count > size - n)
                return -1;
            /* Byte by byte: a match may overlap what it makes. */
            for (; count; count--, n++)
                out[n] = out[n - distance];
        }
        flags >>= 1;
    }
    return (int64_t)n;
}

/* Text of made-up words, the common ones far more often than the rare. */
static void lz_make_text(uint8_t *out, uint64_t seed)
{
    static const char letters[] = "etaoinsrhldcumfpgwybvkxjqz";
    static char words[LZ_WORDS][LZ_WORD_MAX];
    static uint8_t lengths[LZ_WORDS];
    uint64_t r = mix64(17, seed);
    unsigned n = 0;

    for (unsigned w = 0; w < LZ_WORDS; w++) {
        lengths[w] = (uint8_t)(2 + random_next(&r) % (LZ_WORD_MAX - 2));
        for (unsigned i = 0; i < lengths[w]; i++) {
            unsigned a = random_next(&r) % 26, b = random_next(&r) % 26;

            words[w][i] = letters[a < b ? a : b];
        }
    }
    while (n < LZ_TEXT) {
        /* The product of two uniform numbers leans towards 0. */
        unsigned a = random_next(&r) % LZ_WORDS;
        unsigned w = a * (unsigned)(random_next(&r) % LZ_WORDS) / LZ_WORDS;
        unsigned mark = random_next(&r) % 16;

        for (unsigned i = 0; i < lengths[w] && n < LZ_TEXT; i++)
            out[n++] = (uint8_t)words[w][i];
        if (mark < 2 && n < LZ_TEXT)
            out[n++] = mark ? ',' : '.';
        if (n < LZ_TEXT)
            out[n++] = mark ? ' ' : '\n';
    }
}

static const char *lzcomp_init(void)
{
    for (unsigned i = 0; i < LZ_TEXTS; i++)
        lz_make_text(lz_texts[i], i);
    return NULL;
}

static void lzcomp_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n; op++) {
        size_t len = lz_pack(lz_packed, lz_texts[op % LZ_TEXTS], LZ_TEXT);

        lz_unpack(lz_unpacked, LZ_TEXT, lz_packed, len);
        __asm__ volatile("" ::: "memory");
    }
}

/* All packed texts and what they unpack to. */
static uint64_t lzcomp_checksum(void)
{
    uint64_t sum = 0;

    for (unsigned t = 0; t < LZ_TEXTS; t++) {
        size_t len = lz_pack(lz_packed, lz_texts[t], LZ_TEXT);

        sum = mix64(sum, len);
        for (size_t i = 0; i < len; i++)
            sum = mix64(sum, lz_packed[i]);
        sum = mix64(sum,
                    (uint64_t)lz_unpack(lz_unpacked, LZ_TEXT, lz_packed, len));
        for (unsigned i = 0; i < LZ_TEXT; i++)
            sum = mix64(sum, lz_unpacked[i]);
    }
    return sum;
}

static const char *lzcomp_verify(void)
{
    for (unsigned t = 0; t < LZ_TEXTS; t++) {
        size_t len = lz_pack(lz_packed, lz_texts[t], LZ_TEXT);

        if (len >= LZ_TEXT)
            return "a text didn't shrink";
        if (lz_unpack(lz_unpacked, LZ_TEXT, lz_packed, len) != LZ_TEXT)
            return "a packed text has another length";
        if (memcmp(lz_unpacked, lz_texts[t], LZ_TEXT))
            return "a text changed on the way";
    }
    return NULL;
}

DEFINE_BENCHMARK(lzcomp, "lzcomp", "compute", "16 KiB packed and unpacked",
                 "LZ77 with hash chains, as gzip's: data-dependent branches",
                 TM_BENCH_NATIVE, .init = lzcomp_init, .kernel = lzcomp_kernel,
                 .checksum = lzcomp_checksum, .verify = lzcomp_verify);
