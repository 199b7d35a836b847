/* Exceptions and interrupts: who gets them, and what if nobody does. */
#include "kernel.h"

_Static_assert(sizeof(struct trapframe) == TF_SIZE, "trap_entry.S");
_Static_assert(offsetof(struct trapframe, rip) == TF_RIP, "trap_entry.S");
_Static_assert(offsetof(struct trapframe, cs) == TF_CS, "trap_entry.S");

#define VECTOR_NM 7
#define VECTOR_PF 14
#define PF_WRITE 2u
#define PF_EXEC 16u

static bool (*hooks[256])(struct trapframe *);
static void (*irq_handlers[256])(void);

void trap_hook(int vector, bool (*h)(struct trapframe *tf))
{
    hooks[vector & 255] = h;
}

void irq_handle(int vector, void (*handler)(void))
{
    irq_handlers[vector & 255] = handler;
}

int try_op(void (*fn)(void *), void *arg)
{
    return try_call(fn, arg);
}

static void handle_irq(const struct trapframe *tf)
{
    void (*handler)(void) = irq_handlers[tf->vector];

    if (handler)
        handler();
    else if (tf->vector != 0xff) /* the spurious vector takes no EOI */
        lapic_eoi();
}

/* What a page fault tells about itself. */
static void describe(const struct trapframe *tf, char *text, size_t size)
{
    const char *name = exception_name(tf->vector);

    if (tf->vector == VECTOR_PF)
        fmt_snprintf(text, size, "%s error 0x%lx at 0x%lx address 0x%lx", name,
                     tf->error, tf->rip, read_cr2());
    else
        fmt_snprintf(text, size, "%s error 0x%lx at 0x%lx", name, tf->error,
                     tf->rip);
}

/* Nobody wanted it: ends a try_op, a process or the kernel. */
static void unhandled(struct trapframe *tf)
{
    char text[160];

    if (try_sp) {
        tf->rip = (uint64_t)try_abort;
        tf->cs = KERNEL_CS;
        tf->ss = KERNEL_SS;
        tf->rsp = try_sp;
        tf->rflags = RFLAGS_ONE;
        tf->rax = tf->vector;
        return;
    }
    describe(tf, text, sizeof(text));
    if ((tf->cs & 3) && current->pid)
        proc_kill(tf->vector, text);
    if (tf->cs & 3)
        panic("%s in user_call", text);
    panic("%s (link 0x%lx) cs 0x%lx rsp 0x%lx", text,
          tf->rip - boot_info.kernel_offset, tf->cs, tf->rsp);
}

static uint64_t stranded_syscalls;

bool syscall_reaches_ring0(void)
{
    return !stranded_syscalls;
}

/* One KVM (kvm_pvm, for guests that don't speak its protocol) carries out all
 * of SYSCALL but the change to CPL 0, so that the fetch at LSTAR faults.
 * Interrupts are off then, by SFMASK, which no user code can bring about by
 * itself. Finish the instruction's work here: the frame becomes the one
 * syscall_entry makes. */
static bool rescue_syscall(struct trapframe *tf)
{
    if (!(tf->cs & 3) || tf->rip != (uint64_t)syscall_entry ||
        (tf->rflags & RFLAGS_IF))
        return false;
    if (!stranded_syscalls++)
        serial_line("note: SYSCALL stays at CPL 3 here, finished by #PF");
    tf->rip = tf->rcx;
    tf->rflags = tf->r11;
    tf->vector = VECTOR_SYSCALL;
    syscall_dispatch(tf);
    return true;
}

static bool handle_page_fault(struct trapframe *tf)
{
    uint64_t va = read_cr2(), fixup;

    if (rescue_syscall(tf))
        return true;
    if (va < TM_USER_END && current->pid &&
        !mm_fault(&current->mm, va, tf->error & PF_WRITE, tf->error & PF_EXEC))
        return true;
    if (tf->cs & 3)
        return fault_reflect(tf, va);
    fixup = copy_fixup(tf->rip);
    if (!fixup)
        return false;
    tf->rip = fixup;
    return true;
}

static bool handle_exception(struct trapframe *tf)
{
    if (tf->vector == VECTOR_PF)
        return handle_page_fault(tf);
    return false;
}

void trap_dispatch(struct trapframe *tf)
{
    if (hooks[tf->vector] && hooks[tf->vector](tf))
        return;
    if (tf->vector >= 32)
        handle_irq(tf);
    else if (!handle_exception(tf))
        unhandled(tf);
    if (tf->cs & 3)
        proc_preempt();
}
