/* Boots a guest on one backend without the harness: a debugging tool.
 *
 *   boot BACKEND KERNEL INITRD|- CMDLINE [deterministic] [disk=FILE] [secs=N]
 *        [options=KEY=VALUE,...]
 */
#include "backends/machine/machine.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static struct machine *running;

static void on_signal(int sig)
{
    (void)sig;
    machine_stop(running);
}

static void print_line(void *opaque, const char *text, size_t len)
{
    (void)opaque;
    fwrite(text, 1, len, stdout);
    putchar('\n');
    fflush(stdout);
}

static uint64_t measure_tsc_khz(void)
{
    struct timespec a, b, ms20 = {.tv_nsec = 20000000};
    uint64_t t;

    clock_gettime(CLOCK_MONOTONIC, &a);
    t = __rdtsc();
    nanosleep(&ms20, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    t = __rdtsc() - t;
    return t * 1000000 /
           ((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec);
}

static void print_events(const struct machine_result *r)
{
    printf("%-16s %14s %14s %14s %16s\n", "event", "all", "kernel", "control",
           "ticks (all)");
    for (int i = 0; i < EV_COUNT; i++)
        if (r->all.count[i] || r->all.ticks[i])
            printf("%-16s %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %16" PRIu64
                   "\n",
                   event_names[i], r->all.count[i], r->kernel.count[i],
                   r->control.count[i], r->all.ticks[i]);
    printf("regions: %" PRIu64 " kernel, %" PRIu64 " control; ticks: %" PRIu64
           " total, %" PRIu64 " kernel, %" PRIu64 " of these in the VMM\n",
           r->kernel_regions, r->control_regions, r->total_ticks,
           r->kernel_ticks, r->kernel_vmm_ticks);
}

int main(int argc, char **argv)
{
    static const char *const ends[] = {
        "ok", "panic", "shutdown", "dead", "emulation", "stopped", "error"};
    struct machine_config c = {.line = print_line};
    struct machine_result r;
    char why[REASON_MAX];
    unsigned secs = 60;

    if (argc < 5) {
        fprintf(stderr, "usage: boot BACKEND KERNEL INITRD|- CMDLINE "
                        "[deterministic] [disk=FILE] [secs=N] [notsc] "
                        "[options=K=V,..]\n");
        return 2;
    }
    c.backend = backend_find(argv[1]);
    c.kernel = argv[2];
    c.initrd = strcmp(argv[3], "-") ? argv[3] : NULL;
    c.cmdline = argv[4];
    c.tsc_khz = measure_tsc_khz();
    for (int i = 5; i < argc; i++) {
        if (!strcmp(argv[i], "deterministic"))
            c.deterministic = true;
        else if (!strncmp(argv[i], "disk=", 5))
            c.disk = argv[i] + 5;
        else if (!strncmp(argv[i], "options=", 8))
            c.options = argv[i] + 8;
        else if (!strncmp(argv[i], "secs=", 5))
            secs = atoi(argv[i] + 5);
        else if (!strcmp(argv[i], "notsc"))
            c.tsc_khz = 0;
    }
    if (!c.backend || c.backend->class != BACKEND_VCPU) {
        fprintf(stderr, "boot: no backend %s with a vCPU\n", argv[1]);
        return 2;
    }
    if (c.backend->probe(why) < 0) {
        fprintf(stderr, "boot: %s: %s\n", argv[1], why);
        return 77;
    }
    running = machine_create(&c, why);
    if (!running) {
        fprintf(stderr, "boot: %s\n", why);
        return 2;
    }
    signal(SIGINT, on_signal);
    signal(SIGALRM, on_signal);
    alarm(secs);
    machine_run(running, &r);
    alarm(0);
    machine_destroy(running);

    print_events(&r);
    printf("end: %s%s%s\n", ends[r.end], r.why[0] ? ": " : "", r.why);
    if (r.warning[0])
        printf("warning: %s\n", r.warning);
    return r.end == END_OK ? 0 : 1;
}
