/* What entry.S and the C of this directory share. */
#ifndef TM_HOST_INTERNAL_H
#define TM_HOST_INTERNAL_H

#include "host.h"

#include <signal.h>
#include <ucontext.h>

/* Timer and host_kick(). */
#define HOST_SIGNAL (SIGRTMIN + 7)

extern const char host_enter_begin[], host_enter_end[], host_enter_abort[];
extern const char host_leave_end[], host_restorer[], host_restorer_end[];
extern uint64_t host_gs_base;
/* Syscall User Dispatch: 1 while guest code runs. */
extern volatile uint8_t host_selector;
/* The one that is attached. */
extern struct host_cpu *host_current;

void host_signal(int sig, siginfo_t *info, void *context);
void host_unwind(void) __attribute__((noreturn));
void host_on_signal(int sig, siginfo_t *info, ucontext_t *uc, uint64_t fs,
                    uint64_t gs);

/* Is this an address of the signal stack? */
bool host_on_stack(uint64_t address);

/* signals.c: handlers on and off. */
int host_signals_install(void);
void host_signals_remove(void);

#endif
