/* The guest's system calls: numbers, arguments, results.
 *
 * SYSCALL with the number in RAX, arguments in RDI RSI RDX R10 R8 R9; the
 * result in RAX, negative errno where it failed. RCX and R11 are clobbered, all
 * other registers are kept, x87 and SSE included; a child inherits them, a program
 * that begins by exec finds them freshly initialised.
 */
#ifndef TM_SYSCALL_H
#define TM_SYSCALL_H

/* SYSCALL(name, number, "arguments: result") */
#define TM_SYSCALLS(SYSCALL)                                              \
    SYSCALL(null, 0, "(): 0; does nothing")                               \
    SYSCALL(exit, 1, "(code): does not return")                           \
    SYSCALL(fork, 2, "(): child's pid, 0 in the child")                   \
    SYSCALL(wait, 3, "(int *status): pid; status is WAIT_*")              \
    SYSCALL(exec, 4, "(name, argument string): only on error")            \
    SYSCALL(write, 5, "(buf, len): len; text to the console")             \
    SYSCALL(getpid, 6, "(): pid")                                         \
    SYSCALL(yield, 7, "(): 0")                                            \
    SYSCALL(brk, 8, "(address, 0 to ask): the break")                     \
    SYSCALL(mmap, 9, "(length): address of zeroed pages")                 \
    SYSCALL(munmap, 10, "(address, length): 0")                           \
    SYSCALL(sleep_us, 11, "(microseconds): 0")                            \
    SYSCALL(blk_read, 12, "(byte offset, buf, len): len; 512-multiples")  \
    SYSCALL(blk_write, 13, "(byte offset, buf, len): len; 512-multiples") \
    SYSCALL(blk_size, 14, "(): bytes")                                    \
    SYSCALL(doorbell, 15, "(TM_DB_*): 0")                                 \
    SYSCALL(report, 16, "(text, len): len; one report line, atomically")  \
    SYSCALL(bench_return, 17, "(): ends user_call; not for processes")    \
    SYSCALL(net_send, 18, "(buf, len): len; one Ethernet frame")          \
    SYSCALL(net_recv, 19, "(buf, size, timeout in us, 0 none): length")   \
    SYSCALL(net_info, 20, "(uint8_t mac[6]): 0")                          \
    SYSCALL(net_mode, 21, "(NET_*): 0")

enum syscall_number {
#define SYSCALL(name, number, meaning) SYS_##name = number,
    TM_SYSCALLS(SYSCALL)
#undef SYSCALL
        SYS_COUNT
};

/* What wait() stores: the exit code, or that an exception ended the process. */
#define WAIT_CODE(status) ((status)&0xff)
#define WAIT_KILLED(status) ((status) >> 8 & 1)
#define WAIT_VECTOR(status) ((status) >> 16 & 0xff) /* if killed */

/* net_mode: interrupt for each frame and tell the device of each buffer at once.
 * Without it, interrupts are on only while a process waits, and buffers are given
 * back in batches. */
#define NET_EAGER 1u

/* Error numbers are Linux's. */
#define TM_ENOENT 2
#define TM_EIO 5
#define TM_E2BIG 7
#define TM_ENOEXEC 8
#define TM_ECHILD 10
#define TM_EAGAIN 11
#define TM_ENOMEM 12
#define TM_EFAULT 14
#define TM_ENODEV 19
#define TM_EINVAL 22
#define TM_ENOSYS 38
#define TM_ETIMEDOUT 110

#endif
