/* What the parts of the guest's self-test share. */
#ifndef TM_SELFTEST_H
#define TM_SELFTEST_H

#include "user.h"

#define PAGE 4096
#define KIB 1024
#define MIB (KIB * KIB)

/* The first check that fails ends the test; its text is the reason. */
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return #condition;                                                 \
    } while (0)

static inline bool exited_with(int pid, int code)
{
    int status = -1;

    return sys_wait(&status) == pid && !WAIT_KILLED(status) &&
           WAIT_CODE(status) == code;
}

static inline bool killed_by(int pid, int vector)
{
    int status = -1;

    return sys_wait(&status) == pid && WAIT_KILLED(status) &&
           WAIT_VECTOR(status) == vector;
}

/* selftest_mixed.c: what is wrong, or NULL. */
const char *check_pipes(void);
const char *check_shared(void);
const char *check_mprotect(void);
const char *check_fault_handler(void);
/* selftest_disk.c: the same. */
const char *check_batches(void);
const char *check_word_sleep(void);
/* selftest_tcp.c: the same. */
const char *check_sockets(void);

#endif
