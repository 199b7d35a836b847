/* A workload as an ordinary Linux process: the 100 % mark for the backends.
 *
 * Takes the guest's command line (abi.h) as its only argument and writes the
 * same report lines to standard output. It is linked with the very objects of
 * the guest's program, so both run the same machine code. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 16384
#define DEFAULT_SAMPLES 10
#define DEFAULT_BATCH_US 1000
#define TSC_WINDOW_NS 20000000

/* From benchmarks.ld. */
extern const struct bench __benchmarks_start[], __benchmarks_end[];

void report_line(const char *text)
{
    static char line[LINE_MAX_BYTES];
    size_t len = strlen(text), done = 0;

    if (len > sizeof(line) - 1) {
        fprintf(stderr, "a report line of %zu bytes is too long\n", len);
        exit(1);
    }
    memcpy(line, text, len);
    line[len++] = '\n';
    while (done < len) {
        ssize_t n = write(STDOUT_FILENO, line + done, len - done);

        if (n < 0) {
            perror("report line");
            exit(1);
        }
        done += (size_t)n;
    }
}

/* There is no VMM to tell. */
void doorbell(uint32_t value)
{
    (void)value;
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t measure_tsc_khz(void)
{
    uint64_t ns = now_ns(), tsc = rdtsc_fenced(), passed;

    do {
        passed = now_ns() - ns;
    } while (passed < TSC_WINDOW_NS);
    return (rdtsc_fenced() - tsc) * 1000000 / passed;
}

static const struct bench *find_bench(const char *name)
{
    const struct bench *b;

    for (b = __benchmarks_start; b < __benchmarks_end; b++) {
        if (!strcmp(b->name, name))
            return b;
    }
    return NULL;
}

static void report_unknown(const char *name)
{
    char text[200], escaped[64];

    fmt_snprintf(text, sizeof(text),
                 "{\"tm\":\"result\",\"bench\":\"%s\",\"status\":\"failed\","
                 "\"reason\":\"no such benchmark\"}",
                 json_escape(escaped, sizeof(escaped), name));
    report_line(text);
}

int main(int argc, char **argv)
{
    struct measure_params params;
    const char *cmdline = argc > 1 ? argv[1] : "";
    const char *list;
    size_t list_len = 0;
    char text[100], name[sizeof(((struct tm_note_bench *)0)->name)];

    params.samples = (unsigned)cmdline_u64(cmdline, "samples", DEFAULT_SAMPLES);
    params.batch_us = cmdline_u64(cmdline, "batch_us", DEFAULT_BATCH_US);
    params.iters = cmdline_u64(cmdline, "iters", 0);
    params.tsc_khz = cmdline_u64(cmdline, "tsc_khz", 0);
    if (params.samples < 1)
        params.samples = 1;
    if (params.samples > MEASURE_MAX_SAMPLES)
        params.samples = MEASURE_MAX_SAMPLES;
    if (!params.tsc_khz)
        params.tsc_khz = measure_tsc_khz();

    fmt_snprintf(text, sizeof(text),
                 "{\"tm\":\"hello\",\"abi\":%d,\"boot\":\"native\","
                 "\"tsc_khz\":%llu}",
                 TM_ABI_VERSION, (unsigned long long)params.tsc_khz);
    report_line(text);
    list = cmdline_get(cmdline, "bench", &list_len);
    while (list && cmdline_item(&list, &list_len, name, sizeof(name))) {
        const struct bench *b = find_bench(name);

        if (b)
            measure_run(b, &params);
        else
            report_unknown(name);
    }
    report_line("{\"tm\":\"bye\"}");
    return 0;
}
