/* What a runner process may still do: resource limits and a seccomp filter. */
#ifndef TM_SANDBOX_H
#define TM_SANDBOX_H

#include "../backends/backend.h"

#include <sys/types.h>

/* In the new process, first: a process group of its own, dies with its parent,
 * no core files, limits on address space, CPU seconds and file size. */
void sandbox_limits(pid_t parent, unsigned cpu_seconds, uint64_t memory);

/* Forbids every system call that a run loop has no use for: files can no longer
 * be opened, nothing executed or created, no network. What is already open
 * works. A forbidden call raises SIGSYS: then denied(number) is called, which
 * must be async-signal-safe and not return. 0, or negative errno with why. */
int sandbox_enter(void (*denied)(int number), char why[REASON_MAX]);

/* The name of a system call, or "system call N" in text. */
const char *sandbox_call_name(int number, char text[64]);

#endif
