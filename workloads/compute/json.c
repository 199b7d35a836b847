/* json: parses a document of about 16 KiB into a tree, adds up one field and
 * prints the tree, the class of parser and of web services: branches on
 * characters, small objects, recursion. */
#include "../../guest/lib/bench.h"
#include "jn.h"

#define JSON_RECORDS 64
#define JSON_RECORD_MAX 320
/* Documents are taken in turn: a branch predictor learns one by heart. */
#define JSON_DOCUMENTS 4
#define JSON_TEXT_MAX (JSON_RECORDS * JSON_RECORD_MAX)

static char json_texts[JSON_DOCUMENTS][JSON_TEXT_MAX];
static uint32_t json_lengths[JSON_DOCUMENTS];
static int64_t json_stock[JSON_DOCUMENTS]; /* the quantities' sum, as made */

static struct jn_document json_tree;
static char json_printed[JSON_TEXT_MAX];
static int64_t json_printed_len, json_found; /* of the last operation */

/* One record of a made-up shop, with blanks as people write them. */
static int json_make_record(char *out, size_t size, unsigned id, uint64_t *r,
                            int64_t *stock)
{
    static const char *const things[] = {"lamp", "caf\\u00e9 chair",
                                         "\\\"small\\\" table", "шкаф",
                                         "\\ud83d\\ude00"};
    static const char *const tags[] = {"\"new\"", "\"sale\", \"blue\"", "",
                                       "\"a/b\", \"c\\\\d\", \"e\\tf\""};
    unsigned thing = random_next(r) % 5, tag = random_next(r) % 4;
    unsigned quantity = random_next(r) % 1000, cents = random_next(r) % 100;
    unsigned euros = random_next(r) % 5000, weight = random_next(r) % 10000;
    unsigned flags = (unsigned)(random_next(r) >> 60);

    *stock += quantity;
    return fmt_snprintf(
        out, size,
        "\n  {\n    \"id\": %u,\n    \"name\": \"%s\",\n"
        "    \"price\": %s%u.%02u,\n    \"weight\": %ue-3,\n"
        "    \"tags\": [%s],\n    \"stock\": {\"quantity\": %u, "
        "\"reserved\": %u, \"warehouse\": %s},\n    \"active\": %s,\n"
        "    \"note\": \"line %u\\nof a longer text without a point\"\n  }",
        id, things[thing], flags & 1 ? "-" : "", euros, cents, weight,
        tags[tag], quantity, quantity / 3, flags & 2 ? "null" : "[1, {}, []]",
        flags & 4 ? "true" : "false", id * 7);
}

static const char *json_make_document(unsigned number)
{
    char *text = json_texts[number];
    uint64_t r = mix64(31, number);
    uint32_t len = 0;

    text[len++] = '[';
    json_stock[number] = 0;
    for (unsigned i = 0; i < JSON_RECORDS; i++) {
        int n;

        if (i)
            text[len++] = ',';
        n = json_make_record(text + len, JSON_TEXT_MAX - len, i, &r,
                             &json_stock[number]);
        len += (uint32_t)n;
        if (len > JSON_TEXT_MAX - 4)
            return "a document is too long";
    }
    text[len++] = '\n';
    text[len++] = ']';
    json_lengths[number] = len;
    return NULL;
}

static const char *json_init(void)
{
    const char *error = NULL;

    for (unsigned i = 0; i < JSON_DOCUMENTS && !error; i++)
        error = json_make_document(i);
    return error;
}

/* The quantities' sum; -1 where a record has none. */
static int64_t json_add_up(const struct jn_value *records)
{
    int64_t sum = 0;

    for (const struct jn_value *v = records->first; v; v = v->next) {
        const struct jn_value *stock = jn_member(v, "stock");
        const struct jn_value *n = stock ? jn_member(stock, "quantity") : NULL;

        if (!n || n->kind != JN_NUMBER)
            return -1;
        sum += n->coefficient;
    }
    return sum;
}

static void json_operation(unsigned number)
{
    const struct jn_value *v =
        jn_parse(&json_tree, json_texts[number], json_lengths[number]);

    json_found = v ? json_add_up(v) : -1;
    json_printed_len = v ? jn_print(v, json_printed, JSON_TEXT_MAX) : -1;
}

static void json_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n; op++)
        json_operation(op % JSON_DOCUMENTS);
}

/* All documents as printed. */
static uint64_t json_checksum(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < JSON_DOCUMENTS; i++) {
        json_operation(i);
        sum = mix64(sum, (uint64_t)json_found);
        for (int64_t k = 0; k < json_printed_len; k++)
            sum = mix64(sum, (uint8_t)json_printed[k]);
    }
    return sum;
}

/* What was printed means the same: read again, it is printed the same. */
static const char *json_verify(void)
{
    static char again[JSON_TEXT_MAX];

    for (unsigned i = 0; i < JSON_DOCUMENTS; i++) {
        const struct jn_value *v;
        int64_t len;

        json_operation(i);
        if (json_found != json_stock[i])
            return "the quantities have another sum than was made";
        v = jn_parse(&json_tree, json_printed, (size_t)json_printed_len);
        if (!v)
            return json_tree.error;
        len = jn_print(v, again, JSON_TEXT_MAX);
        if (len != json_printed_len || memcmp(again, json_printed, (size_t)len))
            return "a printed document is printed differently";
    }
    return NULL;
}

DEFINE_BENCHMARK(json, "json", "compute", "16 KiB read and printed",
                 "JSON into a tree and back: characters and small objects",
                 TM_BENCH_NATIVE, .init = json_init, .kernel = json_kernel,
                 .checksum = json_checksum, .verify = json_verify);
