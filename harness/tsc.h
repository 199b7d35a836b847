/* The host's time stamp counter. */
#ifndef TM_TSC_H
#define TM_TSC_H

#include <stdint.h>

static inline uint64_t tsc_read(void)
{
    uint32_t lo, hi;

    __asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}

/* Its frequency in kHz, measured once against CLOCK_MONOTONIC_RAW (20 ms). */
uint64_t tsc_khz(void);

#endif
