/* Processes and the preemptive round-robin scheduler. */
#include "kernel.h"

#define KSTACK_PAGES 2
#define SLICE_US 10000

static struct proc procs[PROC_MAX];
struct proc *current;

/* Runnable processes other than the running one. */
static struct proc *queue_head, *queue_tail;
static bool preempt;      /* the running one should give way */
static bool tick_armed;   /* the timer fires within a slice */
static unsigned sleepers; /* processes with a wake_at */
static int last_pid;

extern const char boot_stack_end[];

void proc_init(void)
{
    current = &procs[0];
    current->state = PROC_RUNNABLE;
    current->kstack = (uint64_t)boot_stack_end;
    current->mm.root = boot_info.kernel_root;
    fmt_snprintf(current->name, sizeof(current->name), "init");
    cpu_set_kstack(current->kstack);
}

static void enqueue(struct proc *p)
{
    p->state = PROC_RUNNABLE;
    p->next = NULL;
    if (queue_tail)
        queue_tail->next = p;
    else
        queue_head = p;
    queue_tail = p;
    /* Two want the CPU from now on: the tick runs. */
    if (!tick_armed)
        timer_want(rdtsc() + us_to_ticks(SLICE_US));
    tick_armed = true;
}

static struct proc *dequeue(void)
{
    struct proc *p = queue_head;

    if (p) {
        queue_head = p->next;
        if (!queue_head)
            queue_tail = NULL;
    }
    return p;
}

static void switch_to(struct proc *p)
{
    struct proc *before = current;

    if (p == before)
        return;
    current = p;
    if (p->mm.root != before->mm.root)
        write_cr3(p->mm.root);
    cpu_set_kstack(p->kstack);
    fpu_switch(p);
    switch_stack(&before->sp, p->sp);
}

/* Gives the CPU away; the caller has set its own state. Returns when it is the
 * caller's turn again. */
static void schedule(void)
{
    struct proc *p;

    preempt = false;
    while (!(p = dequeue())) {
        if (net_idle())
            continue;
        sti_hlt();
        cli();
    }
    switch_to(p);
}

void proc_yield(void)
{
    if (!queue_head)
        return;
    enqueue(current);
    schedule();
}

void proc_preempt(void)
{
    if (preempt)
        proc_yield();
    preempt = false;
}

void proc_tick(uint64_t now)
{
    uint64_t next = UINT64_MAX;

    tick_armed = false;
    for (int i = 0; sleepers && i < PROC_MAX; i++) {
        struct proc *p = &procs[i];

        if (p->state != PROC_SLEEPING || !p->wake_at)
            continue;
        if (p->wake_at > now) {
            next = p->wake_at < next ? p->wake_at : next;
            continue;
        }
        p->wake_at = 0;
        sleepers--;
        enqueue(p);
    }
    if (next != UINT64_MAX)
        timer_want(next);
    preempt = queue_head != NULL;
}

/* ---- Sleeping ----------------------------------------------------------- */

void proc_sleep(const void *channel, uint64_t deadline)
{
    current->state = PROC_SLEEPING;
    current->channel = channel;
    current->wake_at = deadline;
    if (deadline) {
        sleepers++;
        timer_want(deadline);
    }
    schedule();
}

void proc_wake(const void *channel)
{
    for (int i = 0; i < PROC_MAX; i++) {
        struct proc *p = &procs[i];

        if (p->state != PROC_SLEEPING || p->channel != channel)
            continue;
        if (p->wake_at)
            sleepers--;
        p->wake_at = 0;
        enqueue(p);
        preempt = true;
    }
}

/* ---- Birth -------------------------------------------------------------- */

static struct proc *proc_alloc(struct proc *parent)
{
    struct proc *p = &procs[1];
    uint64_t stack;

    while (p < &procs[PROC_MAX] && p->state != PROC_FREE)
        p++;
    if (p == &procs[PROC_MAX])
        return NULL;
    if (!p->kstack) { /* stays with the slot */
        stack = page_alloc_contiguous(KSTACK_PAGES);
        if (!stack)
            return NULL;
        p->kstack = (uint64_t)phys_to_virt(stack) + KSTACK_PAGES * PAGE_SIZE;
    }
    p->pid = ++last_pid;
    p->parent = parent;
    p->is_bench = false;
    p->fpu_used = false;
    p->wake_at = 0;
    p->fault_entry = 0;
    p->pipes = 0;
    p->sockets = 0;
    return p;
}

/* The stack as if p had called switch_stack from proc_begin. */
static void proc_start(struct proc *p)
{
    uint64_t *sp = (uint64_t *)(p->kstack - sizeof(struct trapframe));

    *--sp = (uint64_t)proc_begin;
    for (int i = 0; i < 6; i++)
        *--sp = 0;
    p->sp = (uint64_t)sp;
    enqueue(p);
}

static struct trapframe *proc_frame(struct proc *p)
{
    return (struct trapframe *)(p->kstack - sizeof(struct trapframe));
}

int proc_fork(const struct trapframe *tf)
{
    struct proc *p = proc_alloc(current);
    int err;

    if (!p)
        return -TM_EAGAIN;
    err = mm_fork(&current->mm, &p->mm);
    if (err)
        return err;
    memcpy(p->name, current->name, sizeof(p->name));
    *proc_frame(p) = *tf;
    proc_frame(p)->rax = 0;
    p->fault_entry = current->fault_entry;
    pipe_fork(p);
    tcp_fork(p);
    fpu_fork(p);
    proc_start(p);
    return p->pid;
}

/* ---- Death -------------------------------------------------------------- */

static void proc_free(struct proc *p)
{
    mm_destroy(&p->mm);
    p->state = PROC_FREE;
}

void proc_exit(int status)
{
    fpu_drop(current);
    pipe_drop(current);
    tcp_drop(current);
    for (int i = 1; i < PROC_MAX; i++)
        if (procs[i].state != PROC_FREE && procs[i].parent == current)
            procs[i].parent = &procs[0];
    current->status = status;
    current->state = PROC_ZOMBIE; /* its memory goes when it is waited for */
    proc_wake(current->parent);
    schedule();
    __builtin_unreachable();
}

void proc_kill(uint64_t vector, const char *reason)
{
    char text[200], escaped[256];

    fmt_snprintf(text, sizeof(text), "%s in %s", reason, current->name);
    if (current->is_bench)
        init_bench_died(text);
    else
        serial_line("{\"tm\":\"crash\",\"reason\":\"%s\"}",
                    json_escape(escaped, sizeof(escaped), text));
    proc_exit((int)(0x100 | vector << 16));
}

int proc_wait(int *status)
{
    for (;;) {
        bool any = false;

        for (int i = 1; i < PROC_MAX; i++) {
            struct proc *p = &procs[i];

            if (p->state == PROC_FREE || p->parent != current)
                continue;
            any = true;
            if (p->state != PROC_ZOMBIE)
                continue;
            *status = p->status;
            proc_free(p);
            return p->pid;
        }
        if (!any)
            return -TM_ECHILD;
        proc_sleep(current, 0);
    }
}

/* Ends whatever a benchmark left behind. Only init calls it, so none runs. */
static void end_orphans(void)
{
    blk_drain();
    for (int i = 1; i < PROC_MAX; i++)
        if (procs[i].state != PROC_FREE)
            pipe_drop(&procs[i]); /* wakes some: the queue goes next */
    tcp_end();
    queue_head = queue_tail = NULL;
    sleepers = 0;
    for (int i = 1; i < PROC_MAX; i++) {
        if (procs[i].state == PROC_FREE)
            continue;
        fpu_drop(&procs[i]);
        proc_free(&procs[i]);
    }
    timer_disarm();
    tick_armed = false;
}

int proc_run(const char *name, const char *args)
{
    struct proc *p = proc_alloc(current);
    int err, pid, status;

    if (!p)
        return -TM_ENOMEM;
    pid = p->pid;
    err = exec_load(&p->mm, name, args, proc_frame(p));
    if (err)
        return err;
    fmt_snprintf(p->name, sizeof(p->name), "%s", name);
    p->is_bench = true;
    proc_start(p);
    while (proc_wait(&status) != pid)
        ;
    end_orphans();
    return status;
}

int proc_exec(struct trapframe *tf, const char *name, const char *args)
{
    static struct mm mm, old; /* large; nothing here sleeps */
    int err = exec_load(&mm, name, args, tf);

    if (err)
        return err;
    old = current->mm;
    write_cr3(mm.root);
    current->mm = mm;
    current->fault_entry = 0;
    mm_destroy(&old);
    fpu_drop(current);
    fpu_switch(current);
    fmt_snprintf(current->name, sizeof(current->name), "%s", name);
    return 0;
}
