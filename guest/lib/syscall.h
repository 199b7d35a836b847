/* The guest's system calls: numbers, arguments, results.
 *
 * SYSCALL with the number in RAX, arguments in RDI RSI RDX R10 R8 R9; the
 * result in RAX, negative errno where it failed. RCX and R11 are clobbered, all
 * other registers are kept, x87 and SSE included; a child inherits them, a
 * program that begins by exec finds them freshly initialised.
 */
#ifndef TM_SYSCALL_H
#define TM_SYSCALL_H

/* SYSCALL(name, number, "arguments: result") */
#define TM_SYSCALLS(SYSCALL)                                                   \
    SYSCALL(null, 0, "(): 0; does nothing")                                    \
    SYSCALL(exit, 1, "(code): does not return")                                \
    SYSCALL(fork, 2, "(): child's pid, 0 in the child")                        \
    SYSCALL(wait, 3, "(int *status): pid; status is WAIT_*")                   \
    SYSCALL(exec, 4, "(name, argument string): only on error")                 \
    SYSCALL(write, 5, "(buf, len): len; text to the console")                  \
    SYSCALL(getpid, 6, "(): pid")                                              \
    SYSCALL(yield, 7, "(): 0")                                                 \
    SYSCALL(brk, 8, "(address, 0 to ask): the break")                          \
    SYSCALL(mmap, 9, "(length, MAP_*): address of zeroed pages")               \
    SYSCALL(munmap, 10, "(address, length): 0")                                \
    SYSCALL(sleep_us, 11, "(microseconds): 0")                                 \
    SYSCALL(blk_read, 12, "(byte offset, buf, len): len; 512-multiples")       \
    SYSCALL(blk_write, 13, "(byte offset, buf, len): len; 512-multiples")      \
    SYSCALL(blk_size, 14, "(): bytes")                                         \
    SYSCALL(doorbell, 15, "(TM_DB_*): 0")                                      \
    SYSCALL(report, 16, "(text, len): len; one report line, atomically")       \
    SYSCALL(bench_return, 17, "(): ends user_call; not for processes")         \
    SYSCALL(net_send, 18, "(buf, len): len; one Ethernet frame")               \
    SYSCALL(net_recv, 19, "(buf, size, timeout in us, 0 none): length")        \
    SYSCALL(net_info, 20, "(uint8_t mac[6]): 0")                               \
    SYSCALL(net_mode, 21, "(NET_*): 0")                                        \
    SYSCALL(mprotect, 22, "(address, length, PROT_*): 0; mmap's memory")       \
    SYSCALL(fault_handler, 23, "(entry, 0: none): 0")                          \
    SYSCALL(fault_return, 24, "(struct user_fault *): only on error")          \
    SYSCALL(pipe, 25, "(): a byte channel's number")                           \
    SYSCALL(pipe_read, 26, "(channel, buf, len): bytes; waits for one")        \
    SYSCALL(pipe_write, 27, "(channel, buf, len): len; waits for room")        \
    SYSCALL(pipe_close, 28, "(channel): 0")                                    \
    SYSCALL(blk_batch, 29, "(struct user_blk *, count): 0")                    \
    SYSCALL(blk_mode, 30, "(BLK_*): 0")                                        \
    SYSCALL(word_wait, 31, "(uint32_t *, value): 0")                           \
    SYSCALL(word_wake, 32, "(uint32_t *): 0")                                  \
    SYSCALL(tcp_listen, 33, "(port): a socket")                                \
    SYSCALL(tcp_accept, 34, "(listener): a connection's socket; waits")        \
    SYSCALL(tcp_receive, 35, "(socket, buf, len): bytes; waits for one")       \
    SYSCALL(tcp_send, 36, "(socket, struct tcp_piece *, n): bytes")            \
    SYSCALL(tcp_close, 37, "(socket): 0")                                      \
    SYSCALL(tcp_wait, 38, "(sockets): those that can go on; waits")            \
    SYSCALL(pages_free, 39, "(): pages of memory that nobody has")

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

/* mmap: forks keep the memory in common; all of it is there from the start. */
#define MAP_SHARED 1u

/* mprotect: user memory can always be read. Works on what mmap and brk gave. */
#define PROT_WRITE 1u
#define PROT_EXEC 2u

/* A page fault of user code that the kernel can't resolve writes this to the
 * user stack, below the red zone, and enters the fault handler with RDI = its
 * address and the stack as after a CALL; x87 and SSE registers are as they were
 * and must be so again at fault_return, which makes the process go on as the
 * record then says. A fault whose record doesn't fit on the stack kills. Forks
 * inherit the handler, exec removes it. System calls with a bad pointer return
 * -TM_EFAULT as ever. */
#ifndef __ASSEMBLER__
struct user_fault {
    /* r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi */
    unsigned long regs[15];
    unsigned long address, error; /* as the CPU gave them */
    unsigned long rip, rflags, rsp;
};
#endif

/* A channel is a buffer of 4 KiB that any of its holders reads and writes.
 * Forks inherit what the parent holds, exec keeps it, exit closes it. Reading
 * an empty one that nobody else holds gives 0, writing to such a full one
 * -TM_EPIPE: there is nobody to wait for. */

/* Sockets are numbers below TCP_SOCKETS, held as channels are; the last close
 * ends the connection. Receiving gives 0 where the other side has ended, and
 * -TM_ECONNRESET after a reset. Sending waits until all of the pieces is with
 * the network device. tcp_wait takes and gives a set, bit n for socket n: a
 * listener can go on when there is a connection to accept, a connection when
 * receiving would not wait. */
#define TCP_SOCKETS 32
#define TCP_PIECES 4
#ifndef __ASSEMBLER__
struct tcp_piece {
    const void *data;
    unsigned long len;
};
#endif

/* net_mode: interrupt for each frame and tell the device of each buffer at
 * once. Without it, interrupts are on only while a process waits, and buffers
 * are given back in batches. */
#define NET_EAGER 1u

/* blk_batch: requests that are in flight together. Offset and len are multiples
 * of 512, len at most BLK_LEN_MAX; a flush needs neither, nor a buffer. */
#define BLK_BATCH_MAX 32
#define BLK_LEN_MAX 65536
#define BLK_OP_READ 0
#define BLK_OP_WRITE 1
#define BLK_OP_FLUSH 2
#ifndef __ASSEMBLER__
struct user_blk {
    unsigned long offset, buffer;
    unsigned int len, op;
};
#endif

/* blk_mode: notify the device of each request at once, and interrupt for each
 * completion. Without it, a batch is one notification and, where the device
 * has the event index, one interrupt. */
#define BLK_EAGER 1u

/* word_wait sleeps until a word_wake of the same word, unless the word does not
 * hold the value any more. The word is aligned; processes that share its memory
 * share the sleep. Wake-ups can come for no reason. */

/* Error numbers are Linux's. */
#define TM_ENOENT 2
#define TM_EIO 5
#define TM_E2BIG 7
#define TM_ENOEXEC 8
#define TM_EBADF 9
#define TM_ECHILD 10
#define TM_EAGAIN 11
#define TM_ENOMEM 12
#define TM_EFAULT 14
#define TM_ENODEV 19
#define TM_EINVAL 22
#define TM_EPIPE 32
#define TM_ENOSYS 38
#define TM_EADDRINUSE 98
#define TM_ECONNRESET 104
#define TM_ETIMEDOUT 110

#endif
