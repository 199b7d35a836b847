/* The web servers' HTTP: requests that must be understood or refused, heads of
 * answers read by a parser of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "workloads/mixed/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "Host: guest\r\n"

static const struct {
    const char *text;
    unsigned status;
    bool keep_alive, head_only;
    const char *path;
} requests[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", 0, true, false, "/"},
    {"HEAD /f01 HTTP/1.1\r\n" HOST "\r\n", 0, true, true, "/f01"},
    {"\r\nGET /a HTTP/1.1\r\n" HOST "\r\n", 0, true, false, "/a"},
    {"GET /a HTTP/1.1\r\nhOST:guest\r\n\r\n", 0, true, false, "/a"},
    {"GET /a HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 0, false, false,
     "/a"},
    {"GET /a HTTP/1.1\r\n" HOST "connection: x ,\tCLOSE \r\n\r\n", 0, false,
     false, "/a"},
    {"GET /a HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", 0, true, false,
     "/a"},
    {"GET /a HTTP/1.0\r\n\r\n", 0, false, false, "/a"},
    {"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 0, true, false, "/a"},
    {"GET /a HTTP/1.9\r\n" HOST "\r\n", 0, true, false, "/a"},
    {"GET /a HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 0, true, false,
     "/a"},
    /* Known, but nothing that this server does. */
    {"POST /a HTTP/1.1\r\n" HOST "\r\n", 501, true, false, "/a"},
    {"POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 501, false, false,
     "/a"},
    {"get /a HTTP/1.1\r\n" HOST "\r\n", 501, true, false, "/a"},
    {"GET /a HTTP/2.0\r\n" HOST "\r\n", 505, false, false, "/a"},
    {"GET /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 413, false, false,
     "/a"},
    {"GET /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 413,
     false, false, "/a"},
    /* No requests at all. */
    {"GET /a HTTP/1.1\r\n\r\n", 400, false, false, NULL},
    {"GET /a HTTP/1.1\r\n" HOST HOST "\r\n", 400, false, false, NULL},
    {"GET /a\r\n" HOST "\r\n", 400, false, false, NULL},
    {"GET  /a HTTP/1.1\r\n" HOST "\r\n", 400, false, false, NULL},
    {"GET /a HTTP/1.1 \r\n" HOST "\r\n", 400, false, false, NULL},
    {"GET /a b HTTP/1.1\r\n" HOST "\r\n", 400, false, false, NULL},
    {"GET a HTTP/1.1\r\n" HOST "\r\n", 400, false, false, NULL},
    {"GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400, false, false, NULL},
    {"G(T /a HTTP/1.1\r\n" HOST "\r\n", 400, false, false, NULL},
    {" /a HTTP/1.1\r\n" HOST "\r\n", 400, false, false, NULL},
    {"GET /a HTTP/11\r\n" HOST "\r\n", 400, false, false, NULL},
    {"GET /a http/1.1\r\n" HOST "\r\n", 400, false, false, NULL},
    {"GET /a HTTP/1.1\r\nHost : guest\r\n\r\n", 400, false, false, NULL},
    {"GET /a HTTP/1.1\r\n" HOST "nothing\r\n\r\n", 400, false, false, NULL},
    {"GET /a HTTP/1.1\r\n" HOST " folded: x\r\n\r\n", 400, false, false, NULL},
    {"GET /a HTTP/1.1\r\n" HOST "a: b\nc: d\r\n\r\n", 400, false, false, NULL},
};

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const char *text = requests[i].text, *path = requests[i].path;
        size_t len = strlen(text);
        struct http_request r;

        if (http_parse(text, len, &r) != len)
            fail_msg("request %zu is not seen as a whole", i);
        if (r.status != requests[i].status ||
            r.keep_alive != requests[i].keep_alive)
            fail_msg("request %zu: status %u, keep_alive %d", i, r.status,
                     r.keep_alive);
        if (!path)
            continue;
        assert_int_equal(r.head_only, requests[i].head_only);
        assert_int_equal(r.path_len, strlen(path));
        assert_memory_equal(r.path, path, r.path_len);
    }
}

/* However a request is cut: nothing, until its last byte is there. What comes
 * behind it is left alone. */
static void test_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        size_t len = strlen(requests[i].text);
        char *exact, both[512];
        struct http_request r;

        for (size_t cut = 0; cut < len; cut++) {
            exact = malloc(cut + 1); /* reads beyond are the sanitizer's */
            memcpy(exact, requests[i].text, cut);
            assert_int_equal(http_parse(exact, cut, &r), 0);
            free(exact);
        }
        snprintf(both, sizeof(both), "%s%s", requests[i].text,
                 requests[0].text);
        assert_int_equal(http_parse(both, strlen(both), &r), len);
        assert_int_equal(http_parse(both + len, strlen(both) - len, &r),
                         strlen(requests[0].text));
        assert_int_equal(r.status, 0);
    }
}

static void test_a_head_without_end(void **state)
{
    static char text[HTTP_HEAD_MAX];
    struct http_request r;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(http_parse(text, sizeof(text) - 1, &r), 0);
    assert_int_equal(http_parse(text, sizeof(text), &r), sizeof(text));
    assert_int_equal(r.status, 431);
    assert_false(r.keep_alive);
}

/* Any bytes: an answer, and nothing read beyond them. */
static void test_noise(void **state)
{
    static const char alphabet[] =
        "GET /a HTTP/1.1\r\n\r\nHost: \r\n\t:,\x7f\xff";
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = (seed >> 8) % 64;
        char *text = malloc(len + 1);
        struct http_request r;

        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = alphabet[(seed >> 10) % (sizeof(alphabet) - 1)];
        }
        seed = seed * 1664525 + 1013904223;
        assert_true(http_parse(text, len, &r) <= len);
        free(text);
    }
}

/* Status line, fields and empty line, one after the other. */
static void test_heads(void **state)
{
    static const unsigned statuses[] = {200, 400, 404, 413, 431, 501, 505};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(statuses) / sizeof(statuses[0]); i++) {
        char text[HTTP_ANSWER_MAX], *line, *next, *end;
        bool keep = i & 1, have_length = false, have_connection = false;
        size_t len = http_head(text, statuses[i / 2], 4096 + i, keep);
        unsigned status, fields = 0;

        assert_true(len < sizeof(text));
        assert_int_equal(strlen(text), len);
        end = strstr(text, "\r\n\r\n");
        assert_ptr_equal(end + 4, text + len);
        end[2] = '\0';
        assert_int_equal(strncmp(text, "HTTP/1.1 ", 9), 0);
        status = strtoul(text + 9, &next, 10);
        assert_int_equal(status, statuses[i / 2]);
        assert_true(*next == ' ' && next[1] >= 'A' && next[1] <= 'Z');
        for (line = strstr(text, "\r\n") + 2; *line;
             line = next + 2, fields++) {
            char *colon = strchr(line, ':');

            next = strstr(line, "\r\n");
            assert_true(colon && next && colon < next && colon[1] == ' ');
            *colon = *next = '\0';
            if (!strcmp(line, "Content-Length")) {
                assert_int_equal(strtoul(colon + 2, NULL, 10), 4096 + i);
                have_length = true;
            }
            if (!strcmp(line, "Connection")) {
                assert_string_equal(colon + 2, keep ? "keep-alive" : "close");
                have_connection = true;
            }
        }
        assert_true(have_length && have_connection && fields >= 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_a_head_without_end),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_heads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
