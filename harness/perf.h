/* perf_event counters by libpfm4 name, around a vCPU or a whole process. */
#ifndef TM_PERF_H
#define TM_PERF_H

#include "../backends/backend.h"

#include <linux/perf_event.h>
#include <sys/types.h>

#define PERF_MAX 16

/* Which events are counted. */
struct perf_set {
    unsigned count;
    char *name[PERF_MAX]; /* as the user wrote it */
    struct perf_event_attr attr[PERF_MAX];
};

/* Open counters; fd -1: could not be opened. */
struct perf_counters {
    unsigned count;
    int fd[PERF_MAX];
};

/* Whether this host has a hardware PMU that may be used; else why. */
bool perf_pmu_available(char why[REASON_MAX]);

/* names: comma-separated; NULL: cycles and instructions where there is a PMU,
 * and task-clock, context-switches, page-faults. -EINVAL with why (and the
 * nearest name): no such event, or too many. */
int perf_choose(struct perf_set *set, const char *names, char why[REASON_MAX]);

/* Drops the events that this host can't count. Returns how many were dropped;
 * dropped (size bytes) receives their names, why the reason of the first. */
unsigned perf_drop_unusable(struct perf_set *set, char *dropped, size_t size,
                            char why[REASON_MAX]);
void perf_free(struct perf_set *set);

/* Counters for a process and all it creates later, disabled; on_exec: they
 * start at its next exec. pid 0: the caller. */
void perf_open(const struct perf_set *set, pid_t pid, bool on_exec,
               struct perf_counters *c);
void perf_enable(const struct perf_counters *c, bool on);
/* Scaled for multiplexing; NAN where unknown. */
void perf_read(const struct perf_counters *c, double values[PERF_MAX]);
void perf_close(struct perf_counters *c);

#endif
