/* Guest time: the host's TSC, or retired instructions plus what was skipped. */
#include "internal.h"

#include <poll.h>
#include <time.h>

uint64_t clock_now(void *opaque)
{
    struct machine *m = opaque;

    if (m->vm->deterministic)
        return m->vm->retired + m->skipped;
    return __rdtsc();
}

static uint64_t clock_monotonic_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* 10 ms against CLOCK_MONOTONIC_RAW; the reads cost about 50 ns of it. */
uint64_t clock_measure_tsc_khz(void)
{
    uint64_t ns0 = clock_monotonic_ns(), tsc0 = __rdtsc(), ns, tsc;

    do {
        ns = clock_monotonic_ns();
        tsc = __rdtsc();
    } while (ns - ns0 < 10000000);
    return (tsc - tsc0) * 1000000 / (ns - ns0);
}

void clock_wait(struct machine *m, uint64_t when)
{
    uint64_t now = clock_now(m), ns;
    struct pollfd wake = {.fd = m->wake_fd, .events = POLLIN};
    struct timespec t;

    if (now >= when)
        return;
    if (m->vm->deterministic) {
        m->skipped += when - now;
        return;
    }
    ns = (unsigned __int128)(when - now) * 1000000 / m->tsc_khz;
    t.tv_sec = ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    /* An early return (a signal, rounding) is harmless: the caller looks at
     * the clock again. */
    ppoll(&wake, 1, &t, NULL);
}
