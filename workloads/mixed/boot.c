/* boot: from the first instruction to power-off. The whole life of the guest is
 * the operation, and the host measures it; this program is what a system starts
 * before it is up: it looks for devices, says so, and runs eight services. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"
#include "unit.h"

#define SERVICES UNITS

static const char *problem;

static void say(const char *what, int64_t value)
{
    char text[64];
    int n = fmt_snprintf(text, sizeof(text), "boot: %s %d\n", what, (int)value);

    sys_write(text, (size_t)n);
}

static const char *boot_refuse(void)
{
    return sys_blk_size() < (int64_t)TM_DISK_MIN ? "no disk" : NULL;
}

/* The service's channel, or -1. */
static int start_service(unsigned service)
{
    int out = sys_pipe(), pid = out < 0 ? -1 : sys_fork();
    char args[48];

    if (pid)
        return pid < 0 ? -1 : out;
    fmt_snprintf(args, sizeof(args), "stage=cc unit=%u out=%d", service, out);
    sys_exec("cc", args);
    sys_exit(1);
}

/* All at once, as an init does; what they give, in order. */
static uint64_t run_services(void)
{
    int out[SERVICES], status;
    uint64_t sum = 0, one;

    for (unsigned i = 0; i < SERVICES; i++)
        out[i] = start_service(i);
    for (unsigned i = 0; i < SERVICES; i++) {
        if (out[i] < 0 ||
            sys_pipe_read(out[i], &one, sizeof(one)) != sizeof(one))
            problem = "a service did not start";
        sum = mix64(sum, one);
        sys_pipe_close(out[i]);
    }
    for (unsigned i = 0; i < SERVICES; i++)
        if (sys_wait(&status) < 0 || status)
            problem = "a service failed";
    return sum;
}

static uint64_t boot_checksum(void)
{
    uint8_t mac[6];
    uint64_t sum;

    say("disk MiB", sys_blk_size() >> 20);
    say("network", !sys_net_info(mac));
    sum = run_services();
    say("services", SERVICES);
    return sum;
}

static const char *boot_verify(void)
{
    return problem;
}

/* There is nothing left to measure here. */
static void boot_kernel(uint64_t n)
{
    (void)n;
}

DEFINE_BENCHMARK(
    boot, "boot", "mixed", "boot",
    "First instruction to power-off: kernel, drivers, 16 processes",
    TM_BENCH_NEEDS_DISK | TM_BENCH_WHOLE_LIFE, .refuse = boot_refuse,
    .kernel = boot_kernel, .checksum = boot_checksum, .verify = boot_verify);
