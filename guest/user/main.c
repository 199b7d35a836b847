/* main() of every user program: finds its benchmark and measures it. */
#include "user.h"

extern const struct bench __benchmarks_start[], __benchmarks_end[];

const char *user_cmdline;

void user_start(const char *args) __attribute__((noreturn));

void report_line(const char *text)
{
    syscall3(SYS_report, (uint64_t)text, strlen(text), 0);
}

void doorbell(uint32_t value)
{
    syscall3(SYS_doorbell, value, 0, 0);
}

static const struct bench *find_bench(const char *args)
{
    size_t len;
    const char *name = cmdline_get(args, "run", &len);

    if (!name)
        return NULL;
    for (const struct bench *b = __benchmarks_start; b < __benchmarks_end; b++)
        if (strlen(b->name) == len && !memcmp(b->name, name, len))
            return b;
    return NULL;
}

void user_start(const char *args)
{
    const struct bench *b = find_bench(args);
    struct measure_params p = {
        .samples = (unsigned)cmdline_u64(args, "samples", 10),
        .batch_us = cmdline_u64(args, "batch_us", 1000),
        .iters = cmdline_u64(args, "iters", 0),
        .tsc_khz = cmdline_u64(args, "tsc_khz", 0),
    };

    user_cmdline = args;
    if (!b)
        sys_exit(127);
    measure_run(b, &p);
    sys_exit(0);
}
