/* What a guest said: its report lines, checked and collected. */
#include "guestlog.h"
#include "../guest/abi/abi.h"
#include "resultfile.h"
#include "util.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "{\"tm\":"

void guestlog_init(struct guest_log *log, const char *bench)
{
    memset(log, 0, sizeof(*log));
    log->bench = bench;
    snprintf(log->doing, sizeof(log->doing), "starting");
}

void guestlog_free(struct guest_log *log)
{
    free(log->samples);
    free(log->control);
    log->samples = log->control = NULL;
    log->count = 0;
}

static void malformed(struct guest_log *log, const char *what)
{
    log->have_result = true;
    log->ok = log->skipped = false;
    set_why(log->reason, "malformed report line: %s", what);
}

/* A guest's text, made fit for a terminal. */
static void copy_reason(char to[REASON_MAX], const json_t *line)
{
    const char *reason = result_text(line, RF_REASON);

    set_why(to, "%s", reason && *reason ? reason : "no reason given");
    for (char *p = to; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = ' ';
}

static uint64_t *copy_ticks(const json_t *array, unsigned *count)
{
    size_t n = json_array_size(array), i;
    uint64_t *ticks;
    json_t *value;

    if (!n || n > 4096)
        return NULL;
    ticks = xcalloc(n, sizeof(*ticks));
    json_array_foreach(array, i, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 0) {
            free(ticks);
            return NULL;
        }
        ticks[i] = json_integer_value(value);
    }
    *count = n;
    return ticks;
}

static void take_samples(struct guest_log *log, const json_t *line)
{
    json_int_t n = json_integer_value(json_object_get(line, RF_ITERATIONS));
    const char *checksum = result_text(line, RF_CHECKSUM);
    unsigned controls = 0;

    log->samples = copy_ticks(json_object_get(line, RF_SAMPLES), &log->count);
    log->control = copy_ticks(json_object_get(line, RF_CONTROL), &controls);
    if (n < 1)
        return malformed(log, "no iterations");
    if (!log->samples || !log->control || controls != log->count)
        return malformed(log, "samples and control aren't two arrays of ticks "
                              "of one length");
    log->iterations = n;
    if (!checksum)
        return;
    if (strlen(checksum) != 16 || strspn(checksum, "0123456789abcdef") != 16)
        return malformed(log, "the checksum isn't 16 hex digits");
    memcpy(log->checksum, checksum, 17);
}

static void take_result(struct guest_log *log, const json_t *line)
{
    const char *bench = result_text(line, RF_BENCH);
    const char *status = result_text(line, RF_STATUS);

    if (log->have_result)
        return malformed(log, "a second result");
    if (!bench || strcmp(bench, log->bench))
        return malformed(log, "a result of a benchmark that wasn't asked for");
    if (!status)
        return malformed(log, "a result without status");
    log->have_result = true;
    snprintf(log->doing, sizeof(log->doing), "powering off");
    log->ok = !strcmp(status, RF_STATUS_OK);
    log->skipped = !strcmp(status, RF_STATUS_SKIPPED);
    if (log->ok)
        take_samples(log, line);
    else
        copy_reason(log->reason, line);
}

void guestlog_line(struct guest_log *log, const char *text, size_t len)
{
    const char *kind;
    json_t *line;

    if (len < strlen(PREFIX) || memcmp(text, PREFIX, strlen(PREFIX)))
        return;
    line = json_loadb(text, len, 0, NULL);
    kind = result_text(line, "tm");
    if (!kind) {
        malformed(log, "not JSON");
    } else if (!strcmp(kind, "hello")) {
        json_t *abi = json_object_get(line, "abi");

        log->hello = true;
        snprintf(log->doing, sizeof(log->doing), "booting");
        if (json_integer_value(abi) != TM_ABI_VERSION)
            malformed(log, "hello with another ABI version");
    } else if (!strcmp(kind, "start")) {
        log->started = true;
        snprintf(log->doing, sizeof(log->doing), "running %s", log->bench);
    } else if (!strcmp(kind, "result")) {
        take_result(log, line);
    } else if (!strcmp(kind, "crash")) {
        if (!*log->crash)
            copy_reason(log->crash, line);
    } else if (!strcmp(kind, "panic")) {
        log->panic = true;
        log->ok = log->skipped = false;
        copy_reason(log->reason, line);
    } else if (!strcmp(kind, "bye")) {
        log->bye = true;
    }
    json_decref(line);
}
