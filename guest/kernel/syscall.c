/* The system calls: arguments checked, work done elsewhere. */
#include "kernel.h"

#define REPORT_MAX 16384

/* RDI RSI RDX of the frame are the arguments; the result goes to RAX. */
#define SYSCALL(name, number, meaning)                                         \
    static int64_t call_##name(struct trapframe *tf);
TM_SYSCALLS(SYSCALL)
#undef SYSCALL

static int64_t (*const table[SYS_COUNT])(struct trapframe *) = {
#define SYSCALL(name, number, meaning) [number] = call_##name,
    TM_SYSCALLS(SYSCALL)
#undef SYSCALL
};

void syscall_dispatch(struct trapframe *tf)
{
    uint64_t nr = tf->rax;
    int64_t r = nr < SYS_COUNT ? table[nr](tf) : -TM_ENOSYS;

    /* A successful exec has made a new frame. */
    if (nr != SYS_exec || r)
        tf->rax = (uint64_t)r;
    proc_preempt();
}

/* Kernel benchmarks' user code is not a process. */
static bool is_process(void)
{
    return current->pid != 0;
}

static int64_t call_null(struct trapframe *tf)
{
    (void)tf;
    return 0;
}

static int64_t call_exit(struct trapframe *tf)
{
    if (!is_process())
        return -TM_ENOSYS;
    proc_exit((int)(tf->rdi & 0xff));
}

static int64_t call_fork(struct trapframe *tf)
{
    return is_process() ? proc_fork(tf) : -TM_ENOSYS;
}

static int64_t call_wait(struct trapframe *tf)
{
    int status, pid, err;

    if (!is_process())
        return -TM_ENOSYS;
    /* Before the child is gone, not after. */
    if (tf->rdi && !user_range_ok(tf->rdi, sizeof(status)))
        return -TM_EFAULT;
    pid = proc_wait(&status);
    if (pid < 0 || !tf->rdi)
        return pid;
    err = copy_to_user(tf->rdi, &status, sizeof(status));
    return err ? err : pid;
}

static int64_t call_exec(struct trapframe *tf)
{
    static char name[PROC_NAME_MAX], args[ARGS_MAX];
    int64_t n = copy_string_from_user(name, tf->rdi, sizeof(name));

    if (!is_process())
        return -TM_ENOSYS;
    if (n >= 0)
        n = copy_string_from_user(args, tf->rsi, sizeof(args));
    return n < 0 ? n : proc_exec(tf, name, args);
}

static int64_t call_write(struct trapframe *tf)
{
    uint64_t done = 0, len = tf->rsi;

    if (!user_range_ok(tf->rdi, len))
        return -TM_EFAULT;
    while (done < len) {
        char text[128];
        uint64_t n = len - done < sizeof(text) ? len - done : sizeof(text);
        int err = copy_from_user(text, tf->rdi + done, n);

        if (err)
            return err;
        serial_write(text, n);
        done += n;
    }
    return (int64_t)len;
}

static int64_t call_getpid(struct trapframe *tf)
{
    (void)tf;
    return current->pid;
}

static int64_t call_pages_free(struct trapframe *tf)
{
    (void)tf;
    return (int64_t)page_free_count();
}

static int64_t call_yield(struct trapframe *tf)
{
    (void)tf;
    proc_yield();
    return 0;
}

static int64_t call_brk(struct trapframe *tf)
{
    return is_process() ? mm_brk(&current->mm, tf->rdi) : -TM_ENOSYS;
}

static int64_t call_mmap(struct trapframe *tf)
{
    if (!is_process())
        return -TM_ENOSYS;
    if (tf->rsi & ~(uint64_t)MAP_SHARED)
        return -TM_EINVAL;
    return mm_map_anon(&current->mm, tf->rdi, tf->rsi & MAP_SHARED);
}

static int64_t call_munmap(struct trapframe *tf)
{
    uint64_t len = (tf->rsi + PAGE_SIZE - 1) & PAGE_MASK;

    if (!is_process())
        return -TM_ENOSYS;
    if (tf->rdi % PAGE_SIZE || !len || len < tf->rsi ||
        !user_range_ok(tf->rdi, len))
        return -TM_EINVAL;
    return mm_remove(&current->mm, tf->rdi, tf->rdi + len);
}

static int64_t call_mprotect(struct trapframe *tf)
{
    uint64_t len = (tf->rsi + PAGE_SIZE - 1) & PAGE_MASK;

    if (!is_process())
        return -TM_ENOSYS;
    if (tf->rdi % PAGE_SIZE || !len || len < tf->rsi ||
        !user_range_ok(tf->rdi, len) ||
        (tf->rdx & ~(uint64_t)(PROT_WRITE | PROT_EXEC)))
        return -TM_EINVAL;
    return mm_protect(&current->mm, tf->rdi, tf->rdi + len,
                      (tf->rdx & PROT_WRITE ? VMA_WRITE : 0) |
                          (tf->rdx & PROT_EXEC ? VMA_EXEC : 0));
}

static int64_t call_fault_handler(struct trapframe *tf)
{
    if (!is_process())
        return -TM_ENOSYS;
    if (tf->rdi && !user_range_ok(tf->rdi, 1))
        return -TM_EINVAL;
    current->fault_entry = tf->rdi;
    return 0;
}

static int64_t call_fault_return(struct trapframe *tf)
{
    return is_process() ? fault_return(tf, tf->rdi) : -TM_ENOSYS;
}

static int64_t call_pipe(struct trapframe *tf)
{
    (void)tf;
    return is_process() ? pipe_open() : -TM_ENOSYS;
}

static int64_t call_pipe_read(struct trapframe *tf)
{
    if (!user_range_ok(tf->rsi, tf->rdx))
        return -TM_EFAULT;
    return pipe_read(tf->rdi, tf->rsi, tf->rdx);
}

static int64_t call_pipe_write(struct trapframe *tf)
{
    if (!user_range_ok(tf->rsi, tf->rdx))
        return -TM_EFAULT;
    return pipe_write(tf->rdi, tf->rsi, tf->rdx);
}

static int64_t call_pipe_close(struct trapframe *tf)
{
    return pipe_close(tf->rdi);
}

static int64_t call_sleep_us(struct trapframe *tf)
{
    if (!is_process())
        return -TM_ENOSYS;
    if (tf->rdi > 1ull << 40)
        return -TM_EINVAL;
    proc_sleep(&current->wake_at, rdtsc() + us_to_ticks(tf->rdi));
    return 0;
}

static int64_t check_transfer(uint64_t offset, uint64_t user, uint64_t len)
{
    int64_t size = is_process() ? blk_size() : -TM_ENOSYS;

    if (size < 0)
        return size;
    if (offset % 512 || len % 512 || offset > (uint64_t)size ||
        len > (uint64_t)size - offset)
        return -TM_EINVAL;
    return user_range_ok(user, len) ? 0 : -TM_EFAULT;
}

static int64_t transfer(const struct trapframe *tf, bool write)
{
    int64_t err = check_transfer(tf->rdi, tf->rsi, tf->rdx);

    return err ? err : blk_transfer(tf->rdi, tf->rsi, tf->rdx, write);
}

static int64_t call_blk_read(struct trapframe *tf)
{
    return transfer(tf, false);
}

static int64_t call_blk_write(struct trapframe *tf)
{
    return transfer(tf, true);
}

static int64_t call_blk_size(struct trapframe *tf)
{
    (void)tf;
    return blk_size();
}

static int64_t call_blk_batch(struct trapframe *tf)
{
    struct user_blk r[BLK_BATCH_MAX];
    int64_t err;

    if (tf->rsi > BLK_BATCH_MAX)
        return -TM_EINVAL;
    if (!user_range_ok(tf->rdi, tf->rsi * sizeof(r[0])))
        return -TM_EFAULT;
    err = copy_from_user(r, tf->rdi, tf->rsi * sizeof(r[0]));
    for (uint64_t i = 0; i < tf->rsi && !err; i++) {
        if (r[i].op == BLK_OP_FLUSH) {
            r[i].offset = r[i].len = 0;
            err = is_process() && blk_size() >= 0 ? 0 : -TM_ENODEV;
        } else if (r[i].op > BLK_OP_FLUSH || r[i].len > BLK_LEN_MAX) {
            err = -TM_EINVAL;
        } else {
            err = check_transfer(r[i].offset, r[i].buffer, r[i].len);
        }
    }
    return err ? err : blk_batch(r, (unsigned)tf->rsi);
}

static int64_t call_blk_mode(struct trapframe *tf)
{
    if (tf->rdi & ~(uint64_t)BLK_EAGER)
        return -TM_EINVAL;
    blk_set_mode((unsigned)tf->rdi);
    return 0;
}

/* A word of user memory, to sleep on: where it lies in the direct map, whatever
 * address its processes have for it. NULL: err. */
static const volatile uint32_t *user_word(uint64_t user, int64_t *err)
{
    *err = is_process() ? 0 : -TM_ENOSYS;
    if (!*err && (user % 4 || !user_range_ok(user, 4)))
        *err = -TM_EFAULT;
    /* Writable, so that it is the process's own: a copy has another word. */
    if (!*err)
        *err = mm_fault(&current->mm, user, true, false);
    if (*err)
        return NULL;
    return (uint32_t *)((char *)phys_to_virt(
                            *mm_leaf(&current->mm, user, false) & PTE_ADDR) +
                        user % PAGE_SIZE);
}

static int64_t call_word_wait(struct trapframe *tf)
{
    int64_t err;
    const volatile uint32_t *word = user_word(tf->rdi, &err);

    if (word && *word == (uint32_t)tf->rsi)
        proc_sleep((const void *)word, 0);
    return err;
}

static int64_t call_word_wake(struct trapframe *tf)
{
    int64_t err;
    const volatile uint32_t *word = user_word(tf->rdi, &err);

    if (word)
        proc_wake((const void *)word);
    return err;
}

static int64_t call_doorbell(struct trapframe *tf)
{
    if (tf->rdi < TM_DB_KERNEL_BEGIN || tf->rdi > TM_DB_CONTROL_END)
        return -TM_EINVAL;
    doorbell((uint32_t)tf->rdi);
    return 0;
}

static int64_t call_report(struct trapframe *tf)
{
    static char text[REPORT_MAX + 1];
    uint64_t len = tf->rsi;
    int err;

    if (len > REPORT_MAX)
        return -TM_E2BIG;
    err = copy_from_user(text, tf->rdi, len);
    if (err)
        return err;
    text[len] = '\0';
    for (uint64_t i = 0; i < len; i++)
        if (text[i] == '\n' || !text[i])
            return -TM_EINVAL;
    init_saw_report(text);
    report_line(text);
    return (int64_t)len;
}

static int64_t call_bench_return(struct trapframe *tf)
{
    (void)tf;
    if (!is_process())
        user_leave();
    return -TM_ENOSYS;
}

static int64_t call_net_send(struct trapframe *tf)
{
    int64_t err = is_process() ? net_probe() : -TM_ENOSYS;

    if (err)
        return err;
    if (!user_range_ok(tf->rdi, tf->rsi))
        return -TM_EFAULT;
    return net_send(tf->rdi, tf->rsi);
}

static int64_t call_net_recv(struct trapframe *tf)
{
    int64_t err = is_process() ? net_probe() : -TM_ENOSYS;

    if (err)
        return err;
    if (!user_range_ok(tf->rdi, tf->rsi))
        return -TM_EFAULT;
    if (tf->rdx > 1ull << 40)
        return -TM_EINVAL;
    return net_receive(tf->rdi, tf->rsi, tf->rdx);
}

static int64_t call_net_info(struct trapframe *tf)
{
    int64_t err = net_probe();
    uint8_t mac[6];

    if (err)
        return err;
    if (!user_range_ok(tf->rdi, sizeof(mac)))
        return -TM_EFAULT;
    net_address(mac);
    return copy_to_user(tf->rdi, mac, sizeof(mac));
}

static int64_t call_net_mode(struct trapframe *tf)
{
    int64_t err = net_probe();

    if (err)
        return err;
    if (tf->rdi & ~(uint64_t)NET_EAGER)
        return -TM_EINVAL;
    net_set_mode((unsigned)tf->rdi);
    return 0;
}

/* ---- TCP ---------------------------------------------------------------- */

static int64_t call_tcp_listen(struct trapframe *tf)
{
    int64_t err = is_process() ? net_probe() : -TM_ENOSYS;

    return err ? err : tcp_listen(tf->rdi);
}

static int64_t call_tcp_accept(struct trapframe *tf)
{
    return tcp_accept(tf->rdi);
}

static int64_t call_tcp_receive(struct trapframe *tf)
{
    if (!user_range_ok(tf->rsi, tf->rdx))
        return -TM_EFAULT;
    return tcp_receive(tf->rdi, tf->rsi, tf->rdx);
}

static int64_t call_tcp_send(struct trapframe *tf)
{
    struct tcp_piece pieces[TCP_PIECES];
    uint64_t n = tf->rdx;
    int err;

    if (n > TCP_PIECES)
        return -TM_EINVAL;
    if (!user_range_ok(tf->rsi, n * sizeof(*pieces)))
        return -TM_EFAULT;
    err = copy_from_user(pieces, tf->rsi, n * sizeof(*pieces));
    if (err)
        return err;
    for (unsigned i = 0; i < n; i++)
        if (!user_range_ok((uint64_t)pieces[i].data, pieces[i].len))
            return -TM_EFAULT;
    return tcp_send(tf->rdi, pieces, (unsigned)n);
}

static int64_t call_tcp_close(struct trapframe *tf)
{
    return tcp_close(tf->rdi);
}

static int64_t call_tcp_wait(struct trapframe *tf)
{
    return tcp_wait(tf->rdi);
}
