/* iret-to-user: into ring 3 by IRETQ and back by the cheapest way there is, a
 * bare SYSCALL.
 *
 * While a batch runs, system calls arrive at the stub below, which does nothing
 * but build an interrupt frame and IRETQ: one operation is SYSCALL, that stub,
 * IRETQ. Interrupts stay off in the stub, so it needs neither SWAPGS nor the
 * kernel's own stack. The call that ends the loop goes on to the kernel. */
#include "loop.h"
#include "user_loop.h"

USER_LOOP(iret_loop, "xor %eax, %eax\n syscall");
USER_LOOP(iret_bare, "xor %eax, %eax");

extern const char iret_stub[];

/* Named by the stub. */
static uint64_t iret_user_rsp __attribute__((used));
static uint64_t iret_user_cs __attribute__((used));
static uint64_t iret_user_ss __attribute__((used));
static uint64_t iret_kernel_entry __attribute__((used));
static uint64_t iret_stack[16] __attribute__((used, aligned(64)));
_Static_assert(sizeof(iret_stack) == 128, "the stub names the size");

__asm__(".pushsection .text.iret_stub,\"ax\",@progbits\n"
        ".p2align 6\n"
        "iret_stub:\n"
        "test %eax, %eax\n"
        "jnz 1f\n"
        "mov %rsp, iret_user_rsp(%rip)\n"
        "lea iret_stack + 128(%rip), %rsp\n"
        "push iret_user_ss(%rip)\n"
        "push iret_user_rsp(%rip)\n"
        "push %r11\n"
        "push iret_user_cs(%rip)\n"
        "push %rcx\n"
        "iretq\n"
        "1: jmp *iret_kernel_entry(%rip)\n"
        ".popsection");

static const char *iret_refuse(void)
{
    return user_loop_refuse(iret_loop, iret_loop_end);
}

static const char *iret_init(void)
{
    /* The selectors that SYSRET would load. */
    uint64_t base = rdmsr(MSR_STAR) >> 48;

    iret_user_cs = (base + 16) | 3;
    iret_user_ss = (base + 8) | 3;
    iret_kernel_entry = rdmsr(MSR_LSTAR);
    if (!(rdmsr(MSR_SFMASK) & RFLAGS_IF))
        return "system calls are entered with interrupts enabled";
    return NULL;
}

static void iret_kernel(uint64_t n)
{
    wrmsr(MSR_LSTAR, (uintptr_t)iret_stub);
    user_call(iret_loop, iret_loop_end, n);
    wrmsr(MSR_LSTAR, iret_kernel_entry);
}

/* Writes the MSR as often as the kernel does. */
static void iret_control(uint64_t n)
{
    wrmsr(MSR_LSTAR, (uintptr_t)iret_stub);
    user_call(iret_bare, iret_bare_end, n);
    wrmsr(MSR_LSTAR, iret_kernel_entry);
}

static void iret_cleanup(void)
{
    wrmsr(MSR_LSTAR, iret_kernel_entry);
}

DEFINE_BENCHMARK(iret_to_user, "iret-to-user", "micro", "IRETQ and SYSCALL",
                 "Round trip to ring 3: IRETQ out, bare SYSCALL back", 0,
                 .refuse = iret_refuse, .init = iret_init,
                 .kernel = iret_kernel, .control = iret_control,
                 .cleanup = iret_cleanup);
