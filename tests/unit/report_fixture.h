/* What the tests of the report share: result files made of a few rows. */
#ifndef TM_REPORT_FIXTURE_H
#define TM_REPORT_FIXTURE_H

#include "harness/report_tsv.h"
#include "harness/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test-report-XXXXXX";

/* Writes a result file around the rows; the caller frees the path. */
static inline char *write_warned(const char *name, const char *runs,
                                 const char *warnings)
{
    char *path = xformat("%s/%s", dir, name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fprintf(f,
            "{\"schema\":\"trapmark-results/1\",\"tool\":{},\"host\":{},"
            "\"config\":{\"backends\":[\"native\",\"kvm\",\"interp\"],"
            "\"benchmarks\":[\"sort\",\"in\",\"out\"]},"
            "\"runs\":[%s],\"warnings\":[%s]}",
            runs, warnings);
    assert_int_equal(fclose(f), 0);
    return path;
}

static inline char *write_file(const char *name, const char *runs)
{
    return write_warned(name, runs, "");
}

/* An ok row; its interval is always 0.9 to 1.1. */
#define OK(suite, bench, backend, median, more)                                \
    "{\"suite\":\"" suite "\",\"bench\":\"" bench "\",\"backend\":\"" backend  \
    "\",\"status\":\"ok\",\"unit\":\"ticks\",\"ticks_per_op\":{"               \
    "\"median\":" #median ",\"mad\":0,\"min\":0,\"ci95\":[0.9,1.1]}" more "}"
#define LOST(bench, backend, status, reason)                                   \
    "{\"suite\":\"micro\",\"bench\":\"" bench "\",\"backend\":\"" backend      \
    "\",\"status\":\"" status "\",\"reason\":\"" reason "\"}"

static inline void load(struct report *r, const char *runs)
{
    char why[REASON_MAX] = "";
    char *path = write_file("r.json", runs);

    if (report_load(r, &path, 1, why))
        fail_msg("%s", why);
    free(path);
}

/* A file as text; the caller frees it. */
static inline char *read_tsv(const char *prefix, const char *name)
{
    char why[REASON_MAX];
    char *path = xformat("%s.%s.tsv", prefix, name);
    size_t len;
    char *text = file_read(path, &len, why);

    if (!text)
        fail_msg("%s", why);
    free(path);
    return text;
}

static inline void collect_sentence(void *opaque, const char *sentence)
{
    text_add(opaque, "%s\n", sentence);
}

static inline int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static inline int remove_dir(void **state)
{
    char *command = xformat("rm -r %s", dir);
    int status = system(command);

    (void)state;
    free(command);
    return status;
}

#endif
