/* Runs native workloads and reads their report lines. */
#ifndef TM_NATIVE_RUN_H
#define TM_NATIVE_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <jansson.h>

/* Runs a native workload and returns its result line. */
static inline json_t *native_result(const char *name, const char *args)
{
    char command[512], line[8192];
    json_t *result = NULL;
    unsigned hellos = 0, byes = 0;
    FILE *p;

    snprintf(command, sizeof(command), "%s/%s 'bench=%s %s'", NATIVE_DIR, name,
             name, args);
    p = popen(command, "r");
    assert_non_null(p);
    while (fgets(line, sizeof(line), p)) {
        json_t *j = json_loads(line, 0, NULL);
        const char *tm = json_string_value(json_object_get(j, "tm"));

        assert_non_null(tm);
        hellos += !strcmp(tm, "hello");
        byes += !strcmp(tm, "bye");
        if (!strcmp(tm, "result")) {
            assert_null(result);
            result = json_incref(j);
        }
        json_decref(j);
    }
    assert_int_equal(pclose(p), 0);
    assert_int_equal(hellos, 1);
    assert_int_equal(byes, 1);
    assert_non_null(result);
    return result;
}

/* That the process runs and derives the checksum that this test does. */
static inline void check_native(const char *name, uint64_t checksum)
{
    json_t *r = native_result(name, "samples=3 iters=5");
    char hex[17];

    snprintf(hex, sizeof(hex), "%016" PRIx64, checksum);
    assert_string_equal(json_string_value(json_object_get(r, "status")), "ok");
    assert_string_equal(json_string_value(json_object_get(r, "checksum")), hex);
    assert_int_equal(json_integer_value(json_object_get(r, "iterations")), 5);
    assert_int_equal(json_array_size(json_object_get(r, "samples")), 3);
    assert_int_equal(json_array_size(json_object_get(r, "control")), 3);
    json_decref(r);
}

#endif
