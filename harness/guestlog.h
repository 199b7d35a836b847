/* What a guest said: its report lines, checked and collected. */
#ifndef TM_GUESTLOG_H
#define TM_GUESTLOG_H

#include "../backends/backend.h"

struct guest_log {
    const char *bench; /* the one that was asked for; borrowed */
    bool hello, started, bye;
    char doing[64]; /* in words, for "while ..." */
    bool have_result;
    bool ok, skipped;        /* the result's status; neither: failed */
    char reason[REASON_MAX]; /* unless ok; or of a panic or a bad line */
    char crash[REASON_MAX];  /* the first process that crashed, or "" */
    bool panic;
    uint64_t iterations;
    unsigned count;
    uint64_t *samples, *control; /* malloc'ed, count each */
    char checksum[17];
};

void guestlog_init(struct guest_log *log, const char *bench);
/* One line without its newline. Lines that aren't reports are ignored; a
 * malformed report becomes a failed result that says so. */
void guestlog_line(struct guest_log *log, const char *text, size_t len);
void guestlog_free(struct guest_log *log);

#endif
