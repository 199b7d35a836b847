/* The servers' log: lines of all processes gather in shared memory; whoever
 * completes a 4 KiB block writes it to the disk. */
#ifndef TM_WORKLOADS_WEB_LOG_H
#define TM_WORKLOADS_WEB_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_LOG_LINE 128 /* longest line */

/* Before any fork. False: no memory. */
bool web_log_init(void);
/* Any process. */
void web_log_add(const char *line, size_t len);
/* Lines so far; whether all full blocks went to the disk. */
uint64_t web_log_lines(void);
bool web_log_sound(void);
/* Puts back what was on the disk. */
void web_log_cleanup(void);

#endif
