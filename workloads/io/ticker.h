/* What the timer workloads share: a process that sleeps from tick to tick. */
#ifndef TM_WORKLOADS_TICKER_H
#define TM_WORKLOADS_TICKER_H

#include <stdint.h>

/* Sleeps through n ticks of that period, which begins with the call. A backend
 * that can't keep up takes longer; no tick is skipped. */
void ticker_run(uint64_t n, uint64_t period_us);
/* Eight ticks, each of which counts unless it came too early. */
uint64_t ticker_checksum(uint64_t period_us);
/* A tick that came too early, or NULL. */
const char *ticker_verify(void);

#endif
