/* The runtime of guest user programs: system calls and parameters.
 *
 * A program is the runtime (user_OBJS of guest/module.mk) and one file that
 * ends in DEFINE_BENCHMARK; main() finds the benchmark that the kernel asked
 * for and runs it. */
#ifndef TM_USER_H
#define TM_USER_H

#include "../lib/bench.h"
#include "../lib/lib.h"
#include "../lib/syscall.h"

#include <stddef.h>
#include <stdint.h>

/* The argument string: the kernel's command line, after run=NAME tsc_khz=N. */
extern const char *user_cmdline;

static inline int64_t syscall3(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    int64_t r;

    __asm__ volatile("syscall"
                     : "=a"(r)
                     : "0"(nr), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return r;
}

static inline int64_t syscall0(uint64_t nr)
{
    int64_t r;

    __asm__ volatile("syscall" : "=a"(r) : "0"(nr) : "rcx", "r11", "memory");
    return r;
}

static inline void sys_null(void)
{
    syscall0(SYS_null);
}

static inline void __attribute__((noreturn)) sys_exit(int code)
{
    syscall3(SYS_exit, (uint64_t)code, 0, 0);
    __builtin_unreachable();
}

/* Returns twice. */
static inline int sys_fork(void)
{
    return (int)syscall0(SYS_fork);
}

static inline int sys_wait(int *status)
{
    return (int)syscall3(SYS_wait, (uint64_t)status, 0, 0);
}

static inline int sys_exec(const char *name, const char *args)
{
    return (int)syscall3(SYS_exec, (uint64_t)name, (uint64_t)args, 0);
}

static inline int64_t sys_write(const void *text, size_t len)
{
    return syscall3(SYS_write, (uint64_t)text, len, 0);
}

static inline int sys_getpid(void)
{
    return (int)syscall0(SYS_getpid);
}

/* What exited children had is among them once they were waited for. */
static inline int64_t sys_pages_free(void)
{
    return syscall0(SYS_pages_free);
}

static inline void sys_yield(void)
{
    syscall0(SYS_yield);
}

/* The new break, or negative errno; 0 asks for the present one. */
static inline int64_t sys_brk(uint64_t address)
{
    return syscall3(SYS_brk, address, 0, 0);
}

/* Zeroed pages on demand, or NULL. */
static inline void *sys_mmap(size_t len)
{
    int64_t r = syscall3(SYS_mmap, len, 0, 0);

    return r < 0 ? NULL : (void *)r;
}

static inline int sys_munmap(void *address, size_t len)
{
    return (int)syscall3(SYS_munmap, (uint64_t)address, len, 0);
}

/* All of it is there at once; forks keep it in common. */
static inline void *sys_mmap_shared(size_t len)
{
    int64_t r = syscall3(SYS_mmap, len, MAP_SHARED, 0);

    return r < 0 ? NULL : (void *)r;
}

/* prot: PROT_*. */
static inline int sys_mprotect(void *address, size_t len, unsigned prot)
{
    return (int)syscall3(SYS_mprotect, (uint64_t)address, len, prot);
}

/* The handler is compiled without SSE (target("general-regs-only")) and ends in
 * sys_fault_return. NULL: faults kill again. */
static inline int sys_fault_handler(void (*entry)(struct user_fault *))
{
    return (int)syscall3(SYS_fault_handler, (uint64_t)entry, 0, 0);
}

/* Does not return where f is as the kernel made it. */
static inline void sys_fault_return(struct user_fault *f)
{
    syscall3(SYS_fault_return, (uint64_t)f, 0, 0);
}

/* A byte channel; see lib/syscall.h. */
static inline int sys_pipe(void)
{
    return (int)syscall0(SYS_pipe);
}

static inline int64_t sys_pipe_read(int channel, void *buf, size_t len)
{
    return syscall3(SYS_pipe_read, (uint64_t)channel, (uint64_t)buf, len);
}

static inline int64_t sys_pipe_write(int channel, const void *buf, size_t len)
{
    return syscall3(SYS_pipe_write, (uint64_t)channel, (uint64_t)buf, len);
}

static inline int sys_pipe_close(int channel)
{
    return (int)syscall3(SYS_pipe_close, (uint64_t)channel, 0, 0);
}

static inline void sys_sleep_us(uint64_t us)
{
    syscall3(SYS_sleep_us, us, 0, 0);
}

/* Offset and len are multiples of 512; the buffer needs no alignment. */
static inline int64_t sys_blk_read(uint64_t offset, void *buf, size_t len)
{
    return syscall3(SYS_blk_read, offset, (uint64_t)buf, len);
}

static inline int64_t sys_blk_write(uint64_t offset, const void *buf,
                                    size_t len)
{
    return syscall3(SYS_blk_write, offset, (uint64_t)buf, len);
}

/* Bytes; -TM_ENODEV without a disk. */
static inline int64_t sys_blk_size(void)
{
    return syscall0(SYS_blk_size);
}

/* For a benchmark's refuse(): why there is no disk for it, or NULL. */
static inline const char *user_blk_refuse(void)
{
    int64_t size = sys_blk_size();

    if (size < 0)
        return "no virtio-blk disk";
    if (size < (int64_t)TM_DISK_MIN)
        return "the disk is smaller than 16 MiB";
    return NULL;
}

/* 0, or the errno of a request that failed; see lib/syscall.h. */
static inline int sys_blk_batch(const struct user_blk *requests, unsigned n)
{
    return (int)syscall3(SYS_blk_batch, (uint64_t)requests, n, 0);
}

/* What was written before is on the disk for good. */
static inline int sys_blk_flush(void)
{
    const struct user_blk flush = {.op = BLK_OP_FLUSH};

    return sys_blk_batch(&flush, 1);
}

/* BLK_*. */
static inline int sys_blk_mode(unsigned mode)
{
    return (int)syscall3(SYS_blk_mode, mode, 0, 0);
}

static inline void sys_word_wait(uint32_t *word, uint32_t value)
{
    syscall3(SYS_word_wait, (uint64_t)word, value, 0);
}

static inline void sys_word_wake(uint32_t *word)
{
    syscall3(SYS_word_wake, (uint64_t)word, 0, 0);
}

/* One Ethernet frame; waits while the device's queue is full. */
static inline int64_t sys_net_send(const void *frame, size_t len)
{
    return syscall3(SYS_net_send, (uint64_t)frame, len, 0);
}

/* The next frame's length; -TM_ETIMEDOUT after timeout_us (0: waits forever).
 */
static inline int64_t sys_net_recv(void *frame, size_t size,
                                   uint64_t timeout_us)
{
    return syscall3(SYS_net_recv, (uint64_t)frame, size, timeout_us);
}

/* 0; -TM_ENODEV without a network. */
static inline int64_t sys_net_info(uint8_t mac[6])
{
    return syscall3(SYS_net_info, (uint64_t)mac, 0, 0);
}

/* NET_*. */
static inline int64_t sys_net_mode(unsigned mode)
{
    return syscall3(SYS_net_mode, mode, 0, 0);
}

/* TCP; see lib/syscall.h. */
static inline int sys_tcp_listen(unsigned port)
{
    return (int)syscall3(SYS_tcp_listen, port, 0, 0);
}

static inline int sys_tcp_accept(int listener)
{
    return (int)syscall3(SYS_tcp_accept, (uint64_t)listener, 0, 0);
}

static inline int64_t sys_tcp_receive(int sock, void *buf, size_t len)
{
    return syscall3(SYS_tcp_receive, (uint64_t)sock, (uint64_t)buf, len);
}

static inline int64_t sys_tcp_send(int sock, const struct tcp_piece *pieces,
                                   unsigned n)
{
    return syscall3(SYS_tcp_send, (uint64_t)sock, (uint64_t)pieces, n);
}

static inline int sys_tcp_close(int sock)
{
    return (int)syscall3(SYS_tcp_close, (uint64_t)sock, 0, 0);
}

static inline int64_t sys_tcp_wait(uint64_t sockets)
{
    return syscall3(SYS_tcp_wait, sockets, 0, 0);
}

#endif
