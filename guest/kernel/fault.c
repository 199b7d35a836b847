/* Page faults that a process handles itself. */
#include "kernel.h"

#define RED_ZONE 128
#define RFLAGS_USER 0xcd5 /* CF PF AF ZF SF DF OF */

bool fault_reflect(struct trapframe *tf, uint64_t address)
{
    struct user_fault f = {.address = address,
                           .error = tf->error,
                           .rip = tf->rip,
                           .rflags = tf->rflags,
                           .rsp = tf->rsp};
    uint64_t at = (tf->rsp - RED_ZONE - sizeof(f)) & ~15ull;

    if (!current->fault_entry)
        return false;
    _Static_assert(sizeof(f.regs) == offsetof(struct trapframe, vector),
                   "the frame begins with the registers");
    memcpy(f.regs, tf, sizeof(f.regs));
    if (copy_to_user(at, &f, sizeof(f)))
        return false;
    tf->rip = current->fault_entry;
    tf->rsp = at - 8; /* as after a CALL */
    tf->rdi = at;
    tf->rflags = RFLAGS_ONE | RFLAGS_IF;
    return true;
}

int fault_return(struct trapframe *tf, uint64_t record)
{
    struct user_fault f;
    int err = copy_from_user(&f, record, sizeof(f));

    if (err)
        return err;
    /* IRET would fault on a non-canonical address at CPL 0. */
    if (!user_range_ok(f.rip, 1) || !user_range_ok(f.rsp, 0))
        return -TM_EFAULT;
    memcpy(tf, f.regs, sizeof(f.regs));
    tf->rip = f.rip;
    tf->rsp = f.rsp;
    tf->rflags = RFLAGS_ONE | RFLAGS_IF | (f.rflags & RFLAGS_USER);
    proc_preempt();
    trap_resume(tf); /* SYSRET would lose RCX and R11 */
}
