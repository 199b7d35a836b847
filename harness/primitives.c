/* What the host's own primitives cost: medians of many small measurements. */
#include "hostfacts.h"
#include "stats.h"
#include "tsc.h"

#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAMPLES 41
#define REPEATS 64

/* Each runs its operation n times; false: it can't be had here. */

static bool do_syscall(unsigned n)
{
    while (n--)
        syscall(SYS_getppid);
    return true;
}

static void ignore_signal(int sig)
{
    (void)sig;
}

static bool do_signal(unsigned n)
{
    while (n--)
        raise(SIGUSR2);
    return true;
}

static bool do_mmap(unsigned n)
{
    while (n--) {
        volatile char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            return false;
        *p = 1;
        munmap((void *)p, 4096);
    }
    return true;
}

static char page[4096] __attribute__((aligned(4096)));

static bool do_mprotect(unsigned n)
{
    while (n--) {
        if (mprotect(page, sizeof(page), PROT_READ) ||
            mprotect(page, sizeof(page), PROT_READ | PROT_WRITE))
            return false;
        *(volatile char *)page = 1;
    }
    return true;
}

static int to_child[2], from_child[2];

static bool do_pipe(unsigned n)
{
    char byte = 0;

    while (n--)
        if (write(to_child[1], &byte, 1) != 1 ||
            read(from_child[0], &byte, 1) != 1)
            return false;
    return true;
}

static double measure(bool (*op)(unsigned n))
{
    double ticks[SAMPLES];

    if (!op(REPEATS))
        return NAN;
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t begin = tsc_read();

        if (!op(REPEATS))
            return NAN;
        ticks[i] = (double)(tsc_read() - begin) / REPEATS;
    }
    return stats_median(ticks, SAMPLES);
}

static double measure_signal(void)
{
    struct sigaction action = {.sa_handler = ignore_signal}, before;
    double ticks;

    sigaction(SIGUSR2, &action, &before);
    ticks = measure(do_signal);
    sigaction(SIGUSR2, &before, NULL);
    return ticks;
}

/* A byte to another process and one back: two context switches. */
static double measure_pipe(void)
{
    double ticks = NAN;
    char byte;
    pid_t pid;

    if (pipe(to_child))
        return NAN;
    if (pipe(from_child)) {
        close(to_child[0]);
        close(to_child[1]);
        return NAN;
    }
    pid = fork();
    if (!pid) {
        close(to_child[1]);
        close(from_child[0]);
        while (read(to_child[0], &byte, 1) == 1)
            if (write(from_child[1], &byte, 1) != 1)
                break;
        _exit(0);
    }
    close(to_child[0]);
    close(from_child[1]);
    if (pid > 0)
        ticks = measure(do_pipe);
    close(to_child[1]);
    close(from_child[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return ticks;
}

void primitives_measure(const struct host_facts *facts,
                        struct primitive list[PRIMITIVES])
{
    const struct primitive all[PRIMITIVES] = {
        {"syscall", "one system call that does nothing", measure(do_syscall)},
        {"signal_round_trip", "raise a signal, handle it, return",
         measure_signal()},
        {"mmap_page", "map a page, touch it, unmap it", measure(do_mmap)},
        {"mprotect", "make a page read-only and writable again, write to it",
         measure(do_mprotect)},
        {"pipe_round_trip", "a byte to another process and one back",
         measure_pipe()},
        {"kvm_exit", "KVM guest to its VMM and back by a port write",
         facts->kvm.exit_ticks > 0 ? facts->kvm.exit_ticks : NAN},
    };

    for (int i = 0; i < PRIMITIVES; i++)
        list[i] = all[i];
}
