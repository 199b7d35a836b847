/* Workloads on text against independent programs: lzcomp, json, regex. */
#include "native_run.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>

/* Whole, for their static functions. */
#include "../../guest/lib/fmt.c"
#include "../../workloads/compute/lzcomp.c"
#include "../../workloads/compute/jn_parse.c"
#include "../../workloads/compute/jn_print.c"
#include "../../workloads/compute/json.c"
#include "../../workloads/compute/rx_compile.c"
#include "../../workloads/compute/rx_match.c"
#include "../../workloads/compute/regex.c"

/* ---- lzcomp -------------------------------------------------------------- */

/* Packs and unpacks len bytes; returns the packed length. */
static size_t check_round_trip(const uint8_t *in, uint32_t len)
{
    static uint8_t packed[LZ_BOUND(LZ_TEXT) + 1], out[LZ_TEXT + 1];
    size_t n;

    packed[LZ_BOUND(len)] = 0x5e;
    out[len] = 0x5e;
    n = lz_pack(packed, in, len);
    assert_true(n <= LZ_BOUND(len));
    assert_int_equal(packed[LZ_BOUND(len)], 0x5e);
    assert_int_equal(lz_unpack(out, len, packed, n), len);
    assert_memory_equal(out, in, len);
    assert_int_equal(out[len], 0x5e);
    /* One byte less of room is refused, and left alone. */
    if (len) {
        out[len - 1] = 0x5f;
        assert_int_equal(lz_unpack(out, len - 1, packed, n), -1);
        assert_int_equal(out[len - 1], 0x5f);
    }
    return n;
}

static void test_lzcomp_round_trips(void **state)
{
    static uint8_t in[LZ_TEXT];
    uint64_t r = 3;

    (void)state;
    for (unsigned letters = 1; letters <= 256; letters *= 4) {
        for (unsigned i = 0; i < LZ_TEXT; i++)
            in[i] = (uint8_t)(random_next(&r) % letters);
        for (uint32_t len = 0; len < 300; len++)
            check_round_trip(in, len);
        check_round_trip(in, LZ_TEXT);
    }
    for (unsigned period = 1; period < 600; period += 37) {
        for (unsigned i = period; i < LZ_TEXT; i++)
            in[i] = in[i - period];
        /* A match costs 3 bytes and an eighth, and is of 259 at most. */
        assert_true(check_round_trip(in, LZ_TEXT) <
                    LZ_BOUND(period) + 3.2 * LZ_TEXT / LZ_MATCH_MAX + 8);
    }
}

static void test_lzcomp_refuses_damage(void **state)
{
    static uint8_t packed[LZ_BOUND(LZ_TEXT)], out[LZ_TEXT + 1];
    static const uint8_t before_start[] = {1, 1, 0, 0};
    static const uint8_t no_distance[] = {2, 'a', 0, 0, 0};
    uint64_t r = 5;
    size_t n;

    (void)state;
    assert_int_equal(lz_unpack(out, LZ_TEXT, before_start, 4), -1);
    assert_int_equal(lz_unpack(out, LZ_TEXT, no_distance, 5), -1);
    assert_null(lzcomp_init());
    n = lz_pack(packed, lz_texts[0], LZ_TEXT);
    out[LZ_TEXT] = 0x5e;
    for (unsigned i = 0; i < 2000; i++) {
        size_t at = random_next(&r) % n;
        uint8_t was = packed[at];
        int64_t len;

        assert_true(lz_unpack(out, LZ_TEXT, packed, at) < LZ_TEXT);
        packed[at] ^= (uint8_t)(1u << random_next(&r) % 8);
        len = lz_unpack(out, LZ_TEXT, packed, n);
        assert_true(len >= -1 && len <= LZ_TEXT);
        assert_int_equal(out[LZ_TEXT], 0x5e);
        packed[at] = was;
    }
}

static void test_lzcomp_verifies(void **state)
{
    (void)state;
    assert_null(lzcomp_init());
    check_native("lzcomp", lzcomp_checksum());
    assert_null(lzcomp_verify());
    for (unsigned i = 0; i < LZ_TEXT; i++)
        lz_texts[1][i] = (uint8_t)mix64(8, i); /* nothing to gain */
    assert_non_null(lzcomp_verify());
}

/* ---- json ---------------------------------------------------------------- */

static void check_print(const char *text, const char *printed)
{
    static struct jn_document d;
    char out[300];
    const struct jn_value *v = jn_parse(&d, text, strlen(text));
    int64_t n;

    assert_non_null(v);
    n = jn_print(v, out, sizeof(out));
    assert_int_equal(n, strlen(printed));
    assert_memory_equal(out, printed, strlen(printed));
    assert_int_equal(jn_print(v, out, (size_t)n), n);
    assert_int_equal(jn_print(v, out, (size_t)n - 1), -1);
}

static void test_json_prints_what_it_reads(void **state)
{
    (void)state;
    check_print(" null ", "null");
    check_print("[ ]", "[]");
    check_print("{ \"a\" : { } , \"a\":[1,\n2]}", "{\"a\":{},\"a\":[1,2]}");
    check_print("-0.050", "-0.050");
    check_print("123456789012345678", "123456789012345678");
    check_print("12.5e-1", "1.25");
    check_print("12.5E+3", "125e2");
    check_print("7e-30", "7e-30");
    check_print("0.000000000000000001", "0.000000000000000001");
    check_print("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "\"Aé€😀\"");
    check_print("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u001f\"",
                "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u001f\"");
}

static void test_json_refuses(void **state)
{
    static const char *const texts[] = {"",
                                        "[",
                                        "]",
                                        "[1,]",
                                        "[1 2]",
                                        "{1:2}",
                                        "{\"a\"}",
                                        "tru",
                                        "nulll",
                                        "01",
                                        "-",
                                        "1.",
                                        ".5",
                                        "1e",
                                        "+1",
                                        "\"a",
                                        "\"\\x\"",
                                        "\"\n\"",
                                        "\"\\u12\"",
                                        "\"\\ud800\"",
                                        "\"\\udc00\"",
                                        "{\"a\":1,}",
                                        "[1]]",
                                        "1e1000",
                                        "1234567890123456789"};
    static struct jn_document d;
    char deep[2 * JN_DEPTH_MAX + 3];

    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_null(jn_parse(&d, texts[i], strlen(texts[i])));
        assert_non_null(d.error);
    }
    for (unsigned n = JN_DEPTH_MAX; n <= JN_DEPTH_MAX + 1; n++) {
        memset(deep, '[', n);
        memset(deep + n, ']', n);
        assert_int_equal(jn_parse(&d, deep, 2 * n) != NULL, n == JN_DEPTH_MAX);
    }
}

/* That both trees say the same. */
static void check_same(const struct jn_value *v, const json_t *j)
{
    const struct jn_value *c = v->first;
    const char *key;
    json_t *element;
    size_t i;

    switch (v->kind) {
    case JN_NULL:
        assert_true(json_is_null(j));
        break;
    case JN_FALSE:
    case JN_TRUE:
        assert_true(json_is_boolean(j));
        assert_int_equal(json_is_true(j), v->kind == JN_TRUE);
        break;
    case JN_NUMBER: {
        long double x = v->coefficient * powl(10, v->exponent);

        assert_true(json_is_number(j));
        assert_true(fabsl(x - json_number_value(j)) <= fabsl(x) * 1e-15L);
        break;
    }
    case JN_STRING:
        assert_int_equal(json_string_length(j), v->text_len);
        assert_memory_equal(json_string_value(j), v->text, v->text_len);
        break;
    case JN_ARRAY:
        assert_true(json_is_array(j));
        json_array_foreach(j, i, element)
        {
            assert_non_null(c);
            check_same(c, element);
            c = c->next;
        }
        assert_null(c);
        break;
    case JN_OBJECT:
        i = 0;
        assert_true(json_is_object(j));
        json_object_foreach((json_t *)j, key, element)
        {
            assert_non_null(jn_member(v, key));
            check_same(jn_member(v, key), element);
            i++;
        }
        for (; c; c = c->next)
            i--;
        assert_int_equal(i, 0);
        break;
    }
}

static void test_json_agrees_with_jansson(void **state)
{
    (void)state;
    assert_null(json_init());
    for (unsigned i = 0; i < JSON_DOCUMENTS; i++) {
        json_t *j = json_loadb(json_texts[i], json_lengths[i], 0, NULL), *again;

        assert_non_null(j);
        assert_int_equal(json_array_size(j), JSON_RECORDS);
        json_operation(i);
        again = json_loadb(json_printed, (size_t)json_printed_len, 0, NULL);
        assert_true(json_equal(j, again));
        check_same(&json_tree.values[0], j);
        json_decref(j);
        json_decref(again);
    }
}

/* A document with one wrong character: both see it, or neither. */
static void test_json_refuses_as_jansson(void **state)
{
    static const char characters[] = "{}[],:\"\\0159-+.eEtfnu /x\n\t";
    char *text = json_texts[0];
    unsigned refused = 0, taken = 0;
    uint64_t r = 11;

    (void)state;
    assert_null(json_init());
    for (unsigned i = 0; i < 3000; i++) {
        size_t at = random_next(&r) % 2000, len = json_lengths[0];
        char was = text[at];
        struct jn_value *v;
        json_t *j;

        if (was & 0x80)
            continue;
        text[at] = characters[random_next(&r) % (sizeof(characters) - 1)];
        j = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
        v = jn_parse(&json_tree, text, len);
        assert_int_equal(v != NULL, j != NULL);
        if (v)
            taken++;
        else
            refused++;
        json_decref(j);
        text[at] = was;
    }
    assert_true(taken > 500 && refused > 500);
}

static void test_json_verifies(void **state)
{
    (void)state;
    assert_null(json_init());
    check_native("json", json_checksum());
    assert_null(json_verify());
    json_stock[2]++;
    assert_non_null(json_verify());
}

/* ---- regex --------------------------------------------------------------- */

static struct rx_program compiled;

static void check_match(const char *pattern, const char *text, uint32_t begin,
                        uint32_t end, uint32_t group_begin, uint32_t group_end)
{
    struct rx_found f;

    assert_null(rx_compile(&compiled, pattern));
    assert_int_equal(rx_search(&compiled, text, (uint32_t)strlen(text), &f), 1);
    assert_int_equal(f.bound[0], begin);
    assert_int_equal(f.bound[1], end);
    assert_int_equal(f.bound[2], group_begin);
    assert_int_equal(f.bound[3], group_end);
}

/* What Perl says. */
static void test_regex_known_matches(void **state)
{
    struct rx_found f;

    (void)state;
    check_match("a|ab", "xab", 1, 2, RX_NOWHERE, RX_NOWHERE);
    check_match("(a|ab)(c|bcd)(d*)", "abcd", 0, 4, 0, 1);
    check_match("(a+?)a*", "aaa", 0, 3, 0, 1);
    check_match("(a*?)b", "aab", 0, 3, 0, 2);
    check_match("(a?"
                "?)a",
                "aa", 0, 1, 0, 0);
    check_match("x(ab){2,3}", "xabababab", 0, 7, 5, 7);
    check_match("x(ab){2,3}?", "xabababab", 0, 5, 3, 5);
    check_match("x(ab){2,}", "xabababab", 0, 9, 7, 9);
    check_match("(a)|b", "b", 0, 1, RX_NOWHERE, RX_NOWHERE);
    check_match("(\\d+)\\.\\w+$", "v12.a_9", 1, 7, 1, 3);
    check_match("[]a^-]+(.)", "a]-^.", 0, 5, 4, 5);
    check_match("^([^a-c]*)$", "xyz", 0, 3, 0, 3);
    check_match("", "abc", 0, 0, RX_NOWHERE, RX_NOWHERE);
    assert_null(rx_compile(&compiled, "(a|b)*c"));
    assert_int_equal(rx_search(&compiled, "abab", 4, &f), 0);
}

static void test_regex_refuses(void **state)
{
    static const char *const patterns[] = {"(",
                                           "a)",
                                           "(a",
                                           "[a",
                                           "*a",
                                           "a**",
                                           "a|+",
                                           "\\",
                                           "a{",
                                           "a{2",
                                           "a{3,2}",
                                           "a{0}",
                                           "a{65}",
                                           "(a*)*",
                                           "()+",
                                           "(|a)*",
                                           "(a?){2,}",
                                           "((((((((a))))))))",
                                           "[a][a][a][a][a][a][a]"
                                           "[a][a][a][a][a][a][a][a][a][a]",
                                           "((a{60}){60}){60}"};

    (void)state;
    for (unsigned i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        assert_non_null(rx_compile(&compiled, patterns[i]));
}

static void test_regex_gives_up(void **state)
{
    static char text[4 * RX_STACK_MAX];
    struct rx_found f;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_null(rx_compile(&compiled, "a*b"));
    assert_int_equal(rx_search(&compiled, text, RX_STACK_MAX - 1, &f), 0);
    assert_int_equal(rx_search(&compiled, text, sizeof(text), &f), -1);
}

/* Appends a random pattern of what POSIX and this engine have in common. */
static void make_pattern(char *out, uint64_t *r, unsigned depth)
{
    static const char *const atoms[] = {"a", "b", "c", ".", "[ab]", "[^b]"};
    static const char *const repeats[] = {"",  "",  "",    "*",
                                          "+", "?", "{2}", "{1,3}"};
    unsigned pieces = 1 + random_next(r) % 3;

    for (unsigned i = 0; i < pieces; i++) {
        if (depth && random_next(r) % 3 == 0) {
            strcat(out, "(");
            make_pattern(out, r, depth - 1);
            strcat(out, ")");
        } else {
            strcat(out, atoms[random_next(r) % 6]);
        }
        strcat(out, repeats[random_next(r) % 8]);
    }
    if (depth && random_next(r) % 4 == 0) {
        strcat(out, "|");
        make_pattern(out, r, depth - 1);
    }
}

/* Which match is longest differs; whether there is one and where the first
 * begins does not. */
static void test_regex_agrees_with_regexec(void **state)
{
    unsigned compared = 0, matched = 0;
    uint64_t r = 17;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        char pattern[400] = "", text[12];
        regex_t posix;

        make_pattern(pattern, &r, 2);
        if (rx_compile(&compiled, pattern))
            continue;
        assert_int_equal(regcomp(&posix, pattern, REG_EXTENDED), 0);
        for (unsigned k = 0; k < 10; k++) {
            unsigned len = random_next(&r) % (sizeof(text) - 1);
            struct rx_found f;
            regmatch_t m[1];
            int found;

            for (unsigned c = 0; c < len; c++)
                text[c] = (char)('a' + random_next(&r) % 4);
            text[len] = '\0';
            found = rx_search(&compiled, text, len, &f);
            assert_int_equal(found, !regexec(&posix, text, 1, m, 0));
            compared++;
            if (!found)
                continue;
            assert_int_equal(f.bound[0], m[0].rm_so);
            assert_true((int)f.bound[1] <= m[0].rm_eo);
            matched++;
        }
        regfree(&posix);
    }
    assert_true(compared > 5000 && matched > 2000 && matched < compared - 1000);
}

static void test_regex_verifies(void **state)
{
    (void)state;
    assert_null(regex_init());
    check_native("regex", regex_checksum());
    assert_null(regex_verify());
    for (unsigned i = 0; i < RX_PATTERNS; i++)
        assert_true(rx_planted[i] >= 2);
    rx_lines[0][0] = 'x';
    regex_kernel(1);
    assert_non_null(regex_verify());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lzcomp_round_trips),
        cmocka_unit_test(test_lzcomp_refuses_damage),
        cmocka_unit_test(test_lzcomp_verifies),
        cmocka_unit_test(test_json_prints_what_it_reads),
        cmocka_unit_test(test_json_refuses),
        cmocka_unit_test(test_json_agrees_with_jansson),
        cmocka_unit_test(test_json_refuses_as_jansson),
        cmocka_unit_test(test_json_verifies),
        cmocka_unit_test(test_regex_known_matches),
        cmocka_unit_test(test_regex_refuses),
        cmocka_unit_test(test_regex_gives_up),
        cmocka_unit_test(test_regex_agrees_with_regexec),
        cmocka_unit_test(test_regex_verifies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
