/* syscall: the null system call, from ring 3 to the guest kernel's dispatcher
 * and back by SYSRET. */
#include "loop.h"
#include "user_loop.h"

USER_LOOP(syscall_loop, "xor %eax, %eax\n syscall");
USER_LOOP(syscall_bare, "xor %eax, %eax");

static const char *syscall_refuse(void)
{
    return user_loop_refuse(syscall_loop, syscall_loop_end);
}

static void syscall_kernel(uint64_t n)
{
    user_call(syscall_loop, syscall_loop_end, n);
}

static void syscall_control(uint64_t n)
{
    user_call(syscall_bare, syscall_bare_end, n);
}

DEFINE_BENCHMARK(syscall, "syscall", "micro", "system call",
                 "Null system call: ring 3 to ring 0 and back by SYSRET",
                 TM_BENCH_PAPER, .refuse = syscall_refuse,
                 .kernel = syscall_kernel, .control = syscall_control);
