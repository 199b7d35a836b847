/* Process 0: runs the benchmarks of the command line, one after the other. */
#include "kernel.h"

#define NAME_MAX 64

extern const struct bench __benchmarks_start[], __benchmarks_end[];

const char *const boot_cmdline = boot_info.cmdline;

static const char *running; /* benchmark program */
static bool saw_result;

static const struct bench *find_bench(const char *name)
{
    for (const struct bench *b = __benchmarks_start; b < __benchmarks_end; b++)
        if (!strcmp(b->name, name))
            return b;
    return NULL;
}

static void report_failure(const char *name, const char *reason)
{
    char n[2 * NAME_MAX], r[256];

    serial_line("{\"tm\":\"result\",\"bench\":\"%s\",\"status\":\"failed\","
                "\"reason\":\"%s\"}",
                json_escape(n, sizeof(n), name),
                json_escape(r, sizeof(r), reason));
    saw_result = true;
}

void init_saw_report(const char *text)
{
    static const char result[] = "{\"tm\":\"result\"";

    if (!memcmp(text, result, sizeof(result) - 1))
        saw_result = true;
}

void init_bench_died(const char *reason)
{
    if (!saw_result)
        report_failure(running, reason);
}

static void run_kernel_bench(const struct bench *b)
{
    struct measure_params p = {
        .samples = (unsigned)cmdline_u64(boot_cmdline, "samples", 10),
        .batch_us = cmdline_u64(boot_cmdline, "batch_us", 1000),
        .iters = cmdline_u64(boot_cmdline, "iters", 0),
        .tsc_khz = cpu->tsc_khz,
    };

    sti();
    measure_run(b, &p);
    cli();
}

static void run_program(const char *name)
{
    static char args[ARGS_MAX];
    char reason[64];
    int status;

    if (strlen(name) >= PROC_NAME_MAX) {
        report_failure(name, "no such benchmark");
        return;
    }
    fmt_snprintf(args, sizeof(args), "run=%s tsc_khz=%lu %s", name,
                 cpu->tsc_khz, boot_cmdline);
    running = name;
    saw_result = false;
    status = proc_run(name, args);
    if (saw_result)
        return;
    if (status == -TM_ENOENT)
        fmt_snprintf(reason, sizeof(reason), "no such benchmark");
    else if (status == -TM_EIO)
        fmt_snprintf(reason, sizeof(reason), "the initrd is damaged");
    else if (status == -TM_ENOEXEC)
        fmt_snprintf(reason, sizeof(reason), "not a static ELF64 program");
    else if (status < 0)
        fmt_snprintf(reason, sizeof(reason), "cannot start: error %d", -status);
    else
        fmt_snprintf(reason, sizeof(reason), "ended with code %d, no result",
                     WAIT_CODE(status));
    report_failure(name, reason);
}

void init_run(void)
{
    char name[NAME_MAX];
    size_t len = 0;
    const char *list = cmdline_get(boot_cmdline, "bench", &len);

    serial_line("{\"tm\":\"hello\",\"abi\":%d,\"boot\":\"%s\",\"tsc_khz\":%lu}",
                TM_ABI_VERSION, boot_info.kind == BOOT_PVH ? "pvh" : "direct",
                cpu->tsc_khz);
    while (cmdline_item(&list, &len, name, sizeof(name))) {
        const struct bench *b = find_bench(name);

        panic_bench = name;
        if (b)
            run_kernel_bench(b);
        else
            run_program(name);
        panic_bench = NULL;
    }
    serial_line("{\"tm\":\"bye\"}");
    power_off(TM_EXIT_OK);
}
