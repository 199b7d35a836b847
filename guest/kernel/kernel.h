/* Declarations shared by the kernel's own files: one section per file. */
#ifndef TM_KERNEL_H
#define TM_KERNEL_H

#include "api.h"
#include "layout.h"
#include "../boot/boot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel runs with interrupts off, except while it idles and while a kernel
 * benchmark runs; it is never preempted. There is one CPU. */

static inline void *phys_to_virt(uint64_t pa)
{
    return (void *)(boot_info.direct_base + pa);
}

/* Of an address in the direct map. */
static inline uint64_t virt_to_phys(const void *va)
{
    return (uint64_t)va - boot_info.direct_base;
}

/* ---- serial.c, panic.c -------------------------------------------------- */

void serial_write(const char *text, size_t n);
void serial_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the VM with TM_EXIT_*; falls back to a triple fault. */
void power_off(uint8_t code) __attribute__((noreturn));
/* Appended to every panic reason: the benchmark that runs, or NULL. */
extern const char *panic_bench;
/* "#PF", "#GP", ... or "vector N". */
const char *exception_name(uint64_t vector);

/* ---- cpu.c, fpu.c ------------------------------------------------------- */

struct percpu {
    uint64_t user_rsp; /* scratch of the system call entry */
    uint64_t kstack;   /* stack top for the next entry from user mode */
};
extern struct percpu percpu;

/* Descriptor tables, control registers, system call MSRs, CPU facts. */
void cpu_init(void);
/* Stack top for the next entry from user mode. */
void cpu_set_kstack(uint64_t top);
void cpu_set_tsc_khz(uint64_t khz);

struct proc;
/* The process changes: the registers become p's. */
void fpu_switch(struct proc *p);
/* The child begins with the running process's registers. */
void fpu_fork(struct proc *child);
/* p ended or begins anew: forget its registers. */
void fpu_drop(struct proc *p);

/* ---- trap.c, trap_entry.S ----------------------------------------------- */

extern const char trap_stubs[]; /* 256 entries of TRAP_STUB_SIZE bytes */
void syscall_entry(void);
void trap_dispatch(struct trapframe *tf);
/* An interrupt handler; it must acknowledge. */
void irq_handle(int vector, void (*handler)(void));
/* Stack pointer of the innermost try_op's saved registers, 0: none. */
extern uint64_t try_sp;
void try_abort(void);
int try_call(void (*fn)(void *), void *arg);
/* Saves the running context at *save and resumes the one saved at load. */
void switch_stack(uint64_t *save, uint64_t load);
/* Where a new process's first switch returns to: below its trapframe. */
void proc_begin(void);
/* Leaves the kernel by IRETQ: every register as in tf, the innermost frame. */
void trap_resume(struct trapframe *tf) __attribute__((noreturn));
/* Copies between user and kernel memory; 0, or -TM_EFAULT. The kernel side is
 * trusted, the user side must already be known to lie below TM_USER_END. */
int copy_guarded(void *dst, const void *src, uint64_t n);
/* A page fault at rip inside copy_guarded resumes here; 0: it is elsewhere. */
uint64_t copy_fixup(uint64_t rip);
/* User mode for user_call: see api.h. */
void user_enter(uint64_t rip, uint64_t data, uint64_t n, uint64_t stack);
void user_leave(void) __attribute__((noreturn));

/* ---- apic.c, timer.c, tsc.c --------------------------------------------- */

void apic_init(void);
void ioapic_route(unsigned pin, int vector);
void lapic_timer_setup(int vector);
void lapic_timer_arm(uint64_t deadline_tsc, uint64_t now);
void lapic_timer_stop(void);

void timer_init(void);
/* Make the timer fire at this TSC value or earlier. */
void timer_want(uint64_t deadline);
uint64_t us_to_ticks(uint64_t us);

/* TSC frequency: command line, CPUID, or PIT. */
uint64_t tsc_measure_khz(void);

/* ---- page.c ------------------------------------------------------------- */

void page_init(void);
/* Physical address of a page with one reference, any contents; 0: none. */
uint64_t page_alloc(void);
uint64_t page_alloc_zero(void);
/* n contiguous pages, never given back; 0: none. */
uint64_t page_alloc_contiguous(unsigned n);
/* Pages outside the allocator (the initrd) are never freed or exclusive. */
void page_ref(uint64_t pa);
void page_unref(uint64_t pa);
bool page_exclusive(uint64_t pa);
/* Chains pages through a list head; 0: empty. The pages must be allocated. */
void page_list_push(uint32_t *head, uint64_t pa);
uint64_t page_list_pop(uint32_t *head);
uint64_t page_free_count(void);

/* ---- vm.c --------------------------------------------------------------- */

#define VMA_MAX 64
#define VMA_WRITE 1u
#define VMA_EXEC 2u
#define VMA_ANON 4u
#define VMA_SHARED 8u /* anonymous, all present; forks keep it in common */

/* [start, end) of user memory, page-aligned. */
struct vma {
    uint64_t start, end;
    uint64_t file_pa;  /* contents come from here ... */
    uint64_t file_len; /* ... for so many bytes, then zeros */
    unsigned flags;    /* VMA_* */
};

struct mm {
    uint64_t root;   /* physical address of the top page table */
    uint32_t tables; /* page list of all tables, the top one included */
    unsigned count;
    uint64_t brk_start, brk;
    struct vma vmas[VMA_MAX]; /* sorted, disjoint; beyond count: undefined */
};

int mm_create(struct mm *mm);
/* Not the live address space. */
void mm_destroy(struct mm *mm);
/* Copy-on-write copy; mm is the live one. -TM_ENOMEM leaves copy destroyed. */
int mm_fork(struct mm *mm, struct mm *copy);
/* 0, -TM_ENOMEM, or -TM_EINVAL where it overlaps. */
int mm_add(struct mm *mm, const struct vma *vma);
/* Removes [start, end) from whatever is mapped; mm is the live one. 0 or
 * -TM_ENOMEM. */
int mm_remove(struct mm *mm, uint64_t start, uint64_t end);
/* Lowest free anonymous range of len bytes, mapped; address or -TM_ENOMEM. */
int64_t mm_map_anon(struct mm *mm, uint64_t len, bool shared);
/* Gives [start, end) the permissions VMA_WRITE | VMA_EXEC of flags; mm is the
 * live one. -TM_EINVAL where any of it isn't anonymous memory, -TM_ENOMEM; then
 * nothing has changed. */
int mm_protect(struct mm *mm, uint64_t start, uint64_t end, unsigned flags);
/* Moves the break; the new one, or negative errno. */
int64_t mm_brk(struct mm *mm, uint64_t brk);
/* Makes va accessible: demand zero, file page, copy-on-write. 0, -TM_EFAULT or
 * -TM_ENOMEM. mm is the live one, or a new one that has no TLB entries. */
int mm_fault(struct mm *mm, uint64_t va, bool write, bool exec);
/* Leaf entry of va, or NULL; with alloc, tables are made. */
uint64_t *mm_leaf(struct mm *mm, uint64_t va, bool alloc);

bool user_range_ok(uint64_t va, uint64_t len);
int copy_from_user(void *dst, uint64_t src, uint64_t n);
int copy_to_user(uint64_t dst, const void *src, uint64_t n);
/* NUL-terminated string of at most size - 1 bytes; its length or negative. */
int64_t copy_string_from_user(char *dst, uint64_t src, size_t size);

/* ---- initrd.c, exec.c --------------------------------------------------- */

/* The initrd member of that name: 0, -TM_ENOENT, or -TM_EIO for an archive that
 * is damaged. */
int initrd_find(const char *path, struct phys_range *file);
/* Loads bin/name into a new mm and lays out its stack with args; *tf is how it
 * begins, with RDI = its argument string. On error both are as before. */
int exec_load(struct mm *mm, const char *name, const char *args,
              struct trapframe *tf);

/* ---- proc.c ------------------------------------------------------------- */

#define PROC_MAX 32
#define PROC_NAME_MAX 24
#define ARGS_MAX 3072 /* an argument string, NUL included */

enum proc_state { PROC_FREE, PROC_RUNNABLE, PROC_SLEEPING, PROC_ZOMBIE };

struct fpu_area {
    uint8_t bytes[512];
} __attribute__((aligned(16)));

struct proc {
    int pid; /* 0: init, which is the kernel */
    enum proc_state state;
    struct proc *parent;
    struct proc *next;    /* run queue */
    uint64_t sp;          /* saved kernel stack pointer */
    uint64_t kstack;      /* top of the kernel stack */
    const void *channel;  /* what it sleeps on */
    uint64_t wake_at;     /* TSC deadline while asleep, 0: none */
    int status;           /* WAIT_* of a zombie */
    bool is_bench;        /* spawned by init for a benchmark */
    bool fpu_used;        /* fpu, or the CPU, holds its registers */
    uint64_t fault_entry; /* gets its page faults, 0: nobody */
    uint64_t pipes;       /* bit n: it holds channel n */
    uint32_t sockets;     /* the same of sockets */
    char name[PROC_NAME_MAX];
    struct mm mm;
    struct fpu_area fpu;
};

extern struct proc *current;
void proc_init(void);
/* Runs bin/name with args as a child of init and waits for it. Negative errno,
 * or its wait status. */
int proc_run(const char *name, const char *args);
int proc_fork(const struct trapframe *tf);
/* Replaces the running process's program; tf is changed only on success. */
int proc_exec(struct trapframe *tf, const char *name, const char *args);
void proc_exit(int status) __attribute__((noreturn));
/* A child's pid and status, or -TM_ECHILD. */
int proc_wait(int *status);
/* Sleeps until a wake-up of channel or the TSC deadline (0: none). */
void proc_sleep(const void *channel, uint64_t deadline);
void proc_wake(const void *channel);
/* Lets others run; returns when it is this one's turn again. */
void proc_yield(void);
/* From the timer interrupt: wake sleepers that are due. */
void proc_tick(uint64_t now);
/* On the way back to user mode: give way where it was asked for. */
void proc_preempt(void);
/* The process dies of an exception; reason is one line. */
void proc_kill(uint64_t vector, const char *reason) __attribute__((noreturn));

/* ---- pipe.c, fault.c ---------------------------------------------------- */

#define PIPE_MAX 64

/* System calls of the running process; the user range is known to be good. */
int pipe_open(void);
int64_t pipe_read(uint64_t channel, uint64_t user, uint64_t len);
int64_t pipe_write(uint64_t channel, uint64_t user, uint64_t len);
int pipe_close(uint64_t channel);
/* The child holds what the running process holds. */
void pipe_fork(struct proc *child);
/* p ended, or never was: it holds nothing. */
void pipe_drop(struct proc *p);

/* Makes the running process go on in its fault handler, if it has one and its
 * stack can take the record. */
bool fault_reflect(struct trapframe *tf, uint64_t address);
/* The process goes on as the record at that user address says. tf is its
 * system call's frame. Returns only on error. */
int fault_return(struct trapframe *tf, uint64_t record);

/* ---- syscall.c, init.c --------------------------------------------------- */

void syscall_dispatch(struct trapframe *tf);
/* The line a user program reported; init wants to know about results. */
void init_saw_report(const char *text);
/* The benchmark process died: init writes its result line. */
void init_bench_died(const char *reason);
void init_run(void) __attribute__((noreturn));

/* ---- virtio_blk.c -------------------------------------------------------- */

/* Capacity in bytes; -TM_ENODEV where there is no disk. */
int64_t blk_size(void);
/* BLK_*, of lib/syscall.h. */
void blk_set_mode(unsigned mode);
/* Waits until no transfer is under way. */
void blk_drain(void);
/* Up to BLK_BATCH_MAX requests of the running process, of up to BLK_LEN_MAX
 * bytes each, all in flight together. 0, or negative errno of any of them. */
struct user_blk;
int blk_batch(const struct user_blk *requests, unsigned n);
/* len bytes at offset (both 512-multiples, in range) to or from user memory
 * of the running process. len, or negative errno. */
int64_t blk_transfer(uint64_t offset, uint64_t user, uint64_t len, bool write);

/* ---- net.c -------------------------------------------------------------- */

/* 0, or -TM_ENODEV where there is no virtio-net device. The functions below are
 * for when it has said 0. */
int net_probe(void);
void net_address(uint8_t mac[6]);
/* NET_*, of lib/syscall.h. */
void net_set_mode(unsigned mode);
/* A frame from user memory; waits while the queue is full. len, or negative. */
int64_t net_send(uint64_t user, uint64_t len);
/* The next frame into user memory, cut to size; its whole length, or negative:
 * -TM_ETIMEDOUT after so many microseconds (0: never). */
int64_t net_receive(uint64_t user, uint64_t size, uint64_t timeout_us);

/* IPv4 frames go there, from within net_poll; NULL: they are dropped, as before
 * the first call. Raw receivers get all others. While somebody is set, and not
 * in NET_EAGER mode, frames interrupt only a CPU that has nothing to do:
 * whoever works on frames polls before it waits for more. */
void net_set_ip(void (*ip)(const uint8_t *frame, uint32_t len));
/* Takes all frames that have come. */
void net_poll(void);
/* Before the CPU idles: the next frame interrupts. True: frames had come, and
 * were taken; look again for something to do. */
bool net_idle(void);

/* Frames out, in kernel memory: take a buffer, fill it, post it; net_kick tells
 * the device of all that was posted. */
struct net_buffer {
    uint8_t *frame; /* room for the longest */
    uint8_t index;
};
/* False: no more than `spare` are free. */
bool net_take(struct net_buffer *b, unsigned spare);
/* Kicks, and sleeps until the device has sent something. */
void net_wait_taken(void);
void net_give_back(const struct net_buffer *b);
void net_post(const struct net_buffer *b, uint32_t len);
void net_kick(void);

/* ---- tcp.c -------------------------------------------------------------- */

/* System calls of the running process, as lib/syscall.h says; sockets are held,
 * inherited and dropped as channels are. */
int tcp_listen(uint64_t port);
int tcp_accept(uint64_t listener);
int64_t tcp_receive(uint64_t sock, uint64_t user, uint64_t len);
int64_t tcp_send(uint64_t sock, const struct tcp_piece *pieces, unsigned n);
int tcp_close(uint64_t sock);
int64_t tcp_wait(uint64_t mask);
void tcp_fork(struct proc *child);
void tcp_drop(struct proc *p);
/* Resets every connection; nobody holds a socket any more. */
void tcp_end(void);

#endif
