/* What the timer workloads share: a process that sleeps from tick to tick. */
#ifndef TM_WORKLOADS_TICKER_H
#define TM_WORKLOADS_TICKER_H

#include <stdint.h>

/* The benchmark's own: the time from a tick to the next. */
extern const uint64_t ticker_period_us;

/* Sleeps through n ticks, the first period of which begins with the call. A
 * backend that can't keep up takes longer; no tick is skipped. */
void ticker_kernel(uint64_t n);
/* Eight ticks, each of which counts unless it came too early. */
uint64_t ticker_checksum(void);
/* A tick that came too early, or NULL. */
const char *ticker_verify(void);

#endif
