/* What another program wrote to standard error: its last words, and whether it
 * has stopped for good without saying so by an exit. */
#ifndef TM_VMMLOG_H
#define TM_VMMLOG_H

#include "../backends/backend.h"

struct vmm_log {
    char line[512]; /* under construction */
    size_t len;
    char last[512]; /* the last line that wasn't empty */
    bool failing;   /* QEMU: KVM gave up; the machine stays paused */
    char rip[24], code[48];
    bool stopped; /* and all that it will tell has been told: reason */
    char reason[REASON_MAX];
};

/* Takes output as it comes, in pieces. */
void vmmlog_take(struct vmm_log *log, const char *data, size_t len);
/* The end: an unfinished line counts as one. */
void vmmlog_end(struct vmm_log *log);

#endif
