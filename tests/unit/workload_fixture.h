/* A workload in a deterministic guest, and what its result line says. */
#ifndef TM_TEST_WORKLOAD_FIXTURE_H
#define TM_TEST_WORKLOAD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/machine/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct transcript {
    const char *bench;
    char result[1024]; /* the last result line */
    struct machine_result end;
};

static inline void transcript_line(void *opaque, const char *text, size_t len)
{
    struct transcript *t = opaque;

    (void)len;
    if (strstr(text, "\"tm\":\"result\""))
        snprintf(t->result, sizeof(t->result), "%s", text);
}

/* On the interpreter, in batches of `iters`. disk: a file, or NULL for the
 * generated one. */
static inline void transcript_run(struct transcript *t, const char *bench,
                                  unsigned iters, const char *disk)
{
    char cmdline[128], why[REASON_MAX] = "";
    struct machine_config c = {
        .backend = backend_find("interp"),
        .kernel = GUEST_DIR "/kernel.elf",
        .initrd = GUEST_DIR "/initrd.cpio",
        .cmdline = cmdline,
        .disk = disk,
        .deterministic = true,
        .tsc_khz = 1000000,
        .line = transcript_line,
        .opaque = t,
    };
    struct machine *m;

    snprintf(cmdline, sizeof(cmdline), "bench=%s samples=2 iters=%u", bench,
             iters);
    memset(t, 0, sizeof(*t));
    t->bench = bench;
    m = machine_create(&c, why);
    if (!m)
        fail_msg("%s", why);
    machine_run(m, &t->end);
    machine_destroy(m);
    if (t->end.end != END_OK || !strstr(t->result, "\"status\":\"ok\""))
        fail_msg("%s: %s %s", bench, t->end.why, t->result);
}

static inline void assert_checksum(const struct transcript *t, uint64_t sum)
{
    char wanted[64];

    snprintf(wanted, sizeof(wanted), "\"checksum\":\"%016" PRIx64 "\"", sum);
    if (!strstr(t->result, wanted))
        fail_msg("%s: not %s: %s", t->bench, wanted, t->result);
}

/* One step of the workloads' digest. */
static inline uint64_t fold(uint64_t h, uint64_t v)
{
    const uint64_t k = 0xd6e8feb86659fd93;

    h ^= v + 0x9e3779b97f4a7c15;
    h = (h ^ h >> 32) * k;
    h = (h ^ h >> 29) * k;
    return h ^ h >> 32;
}

#endif
