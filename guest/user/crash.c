/* Programs that crash, as a hidden benchmark: param.cause says how. */
#include "user.h"

static volatile uint8_t data[16] = {0xc3}; /* RET, if it could be executed */

/* The instruction that faults is at the symbol crash_NAME. */
#define SITE(name, text, ...)                                                  \
    __asm__ volatile(".globl crash_" #name "\ncrash_" #name                    \
                     ": " text __VA_ARGS__)

static void crash_kernel(uint64_t n)
{
    (void)n;
    switch (cmdline_u64(user_cmdline, "param.cause", 0)) {
    case 0:
        SITE(read, "movb 8, %%al", ::: "rax");
        break;
    case 1:
        SITE(write, "movb $0, crash_write(%%rip)", ::: "memory");
        break;
    case 2:
        ((void (*)(void))(uint64_t)data)();
        break;
    case 3:
        SITE(supervisor, "movb (%0), %%al", ::"r"(0xffffe00000001000) : "rax");
        break;
    case 4:
        SITE(canonical, "movb (%0), %%al", ::"r"(1ull << 60) : "rax");
        break;
    case 5:
        SITE(privileged, "hlt", :::);
        break;
    case 6:
        SITE(divide, "divl %%ecx", ::"a"(1), "d"(0), "c"(0) :);
        break;
    case 7:
        SITE(undefined, "ud2", :::);
        break;
    }
}

/* The benchmark outlives it, and notices. */
static const char *crash_init(void)
{
    int status;

    if (cmdline_u64(user_cmdline, "param.cause", 0) != 8)
        return NULL;
    if (!sys_fork())
        SITE(child, "ud2", :::);
    sys_wait(&status);
    return WAIT_KILLED(status) ? "the child failed" : "the child lives";
}

DEFINE_BENCHMARK_GRID(crash, "crash", "mixed", "crash",
                      "a program crashes: param.cause", TM_BENCH_HIDDEN,
                      "cause=0,1,2,3,4,5,6,7,8", .init = crash_init,
                      .kernel = crash_kernel);
