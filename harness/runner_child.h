/* The runner process itself: what happens between fork and exit. */
#ifndef TM_RUNNER_CHILD_H
#define TM_RUNNER_CHILD_H

#include "runner.h"

#include <signal.h>
#include <sys/types.h>

/* What the child tells its parent on the ctl pipe, once, in its own layout:
 * both are the same program. */
enum child_kind { CHILD_DONE = 1, CHILD_FAILED, CHILD_DENIED };

struct child_report {
    enum child_kind kind;
    int number;                    /* CHILD_DENIED: the system call */
    char why[REASON_MAX];          /* CHILD_FAILED */
    struct machine_result machine; /* CHILD_DONE */
    double perf[PERF_MAX];         /* kernel regions */
};

struct child_setup {
    const struct runner_job *job;
    const char *cmdline;
    char *const *argv; /* NULL: run the machine in this process */
    pid_t parent;
    int out, err, ctl; /* ends to write to */
    int gate;          /* end of file: go */
    sigset_t mask;
};

void runner_child(const struct child_setup *setup) __attribute__((noreturn));

#endif
