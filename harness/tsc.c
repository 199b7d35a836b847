/* The host's time stamp counter: its frequency. */
#include "tsc.h"

#include <time.h>

/* A clock reading between two TSC readings; the closest of several pairs, so
 * that an interrupt in between doesn't count. Returns nanoseconds. */
static double read_pair(uint64_t *tsc)
{
    uint64_t best = UINT64_MAX;
    double ns = 0;

    for (int i = 0; i < 20; i++) {
        uint64_t before = tsc_read(), after;
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC_RAW, &t);
        after = tsc_read();
        if (after - before >= best)
            continue;
        best = after - before;
        *tsc = before + best / 2;
        ns = t.tv_sec * 1e9 + t.tv_nsec;
    }
    return ns;
}

uint64_t tsc_khz(void)
{
    static uint64_t khz;
    const struct timespec pause = {.tv_nsec = 20000000};
    uint64_t tsc0, tsc1;
    double ns0, ns1;

    if (khz)
        return khz;
    ns0 = read_pair(&tsc0);
    nanosleep(&pause, NULL);
    ns1 = read_pair(&tsc1);
    khz = (tsc1 - tsc0) / (ns1 - ns0) * 1e6 + 0.5;
    return khz;
}
