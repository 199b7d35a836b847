/* audit: runs each test of audit_tests.c in ring 0 and in ring 3 and reports
 * what came of it. Not a benchmark: `trapmark audit` boots it. */
#include "audit.h"

#define LOW_PAGE (TM_USER_START + 8 * PAGE_SIZE)
#define VECTOR_UD 6

AUDIT_BOTH(nothing, "");

static struct audit now;
static const struct audit_test *now_test;
static uint64_t kernel_data[8];
static uint8_t *low_alias; /* the page that is at LOW_PAGE, too */

/* ---- What tests call --------------------------------------------------- */

static void append(char *text, size_t size, const char *label, uint64_t value)
{
    size_t len = strlen(text);

    fmt_snprintf(text + len, size - len, "%s%s=0x%lx", len ? " " : "", label,
                 value);
}

void audit_observe(struct audit *a, const char *label, uint64_t got)
{
    append(a->got, sizeof(a->got), label, got);
}

void audit_expect(struct audit *a, const char *label, uint64_t want,
                  uint64_t got)
{
    append(a->want, sizeof(a->want), label, want);
    append(a->got, sizeof(a->got), label, got);
}

const char *audit_try(void (*op)(void *), void *arg, const char *problem)
{
    return try_op(op, arg) < 0 ? NULL : problem;
}

/* ---- Hooks -------------------------------------------------------------- */

/* To ring 3 with what the captured code keeps: RSI and RSP. */
static __attribute__((noreturn)) void
leave_by_sysret(const struct trapframe *tf)
{
    __asm__ volatile("mov %0, %%r11\n\t"
                     "mov %1, %%rsp\n\t"
                     "swapgs\n\t"
                     "sysretq" ::"a"(tf->rflags),
                     "d"(tf->rsp), "c"(tf->rip), "S"(tf->rsi)
                     : "memory");
    __builtin_unreachable();
}

static bool on_ud(struct trapframe *tf)
{
    if (*(const uint32_t *)tf->rip != AUDIT_CAPTURE_BYTES || now.captures == 2)
        return false;
    now.seen[now.captures++] = *tf;
    tf->rip += sizeof(uint32_t);
    if (!(now_test->flags & AUDIT_VIA_USER) || now.ring)
        return true;
    /* The first return carries CF and must arrive with it. */
    tf->rflags =
        now.captures == 1 ? tf->rflags | RFLAGS_CF : tf->rflags & ~RFLAGS_CF;
    if (now.captures == 1 && (now_test->flags & AUDIT_SYSRET))
        leave_by_sysret(tf);
    return true;
}

static bool on_gate(struct trapframe *tf)
{
    (void)tf;
    now.interrupts++;
    return true;
}

/* ---- One test ----------------------------------------------------------- */

static void run_user(void *unused)
{
    (void)unused;
    if (now.ring)
        user_call(now_test->user, now_test->user_end, now.arg);
    else
        user_call(now_test->kernel, now_test->kernel_end, now.arg);
}

static void run_kernel(void *unused)
{
    const char *code = now_test->kernel;

    (void)unused;
    if (now_test->flags & AUDIT_LOW) {
        memcpy(low_alias, code, (size_t)(now_test->kernel_end - code));
        code = (const char *)LOW_PAGE;
    }
    ((void (*)(uint64_t, uint64_t *))code)(now.arg, now.data);
}

static void report_begin(unsigned index)
{
    char line[200];

    fmt_snprintf(line, sizeof(line),
                 "{\"tm\":\"audit\",\"step\":\"begin\",\"index\":%u,\"insn\":"
                 "\"%s\",\"group\":\"%s\",\"ring\":%d}",
                 index, now_test->insn, now_test->group, now.ring);
    report_line(line);
}

static void report_end(unsigned index, const char *problem)
{
    char line[480];

    if (problem)
        fmt_snprintf(line, sizeof(line),
                     "{\"tm\":\"audit\",\"step\":\"end\",\"index\":%u,"
                     "\"problem\":\"%s\"}",
                     index, problem);
    else
        fmt_snprintf(line, sizeof(line),
                     "{\"tm\":\"audit\",\"step\":\"end\",\"index\":%u,"
                     "\"want_vector\":%d,\"vector\":%d,\"want\":\"%s\","
                     "\"got\":\"%s\"}",
                     index, now.want_vector, now.vector, now.want, now.got);
    report_line(line);
}

static void make_test(unsigned index)
{
    uint64_t *user_data = (uint64_t *)USER_DATA_PAGE;
    const char *problem = NULL;
    bool user;

    memset(&now, 0, sizeof(now));
    now_test = &audit_tests[index / 2];
    now.ring = index & 1 ? 3 : 0;
    now.want_vector = now.vector = -1;
    user = now.ring || (now_test->flags & AUDIT_VIA_USER);
    now.data = user ? user_data : kernel_data;
    memset(now.data, 0, sizeof(kernel_data));
    user_data[AUDIT_MAGIC_AT / 8] = AUDIT_MAGIC;
    report_begin(index);
    if (now_test->prepare)
        problem = now_test->prepare(&now);
    if (!problem) {
        now.vector = try_op(user ? run_user : run_kernel, NULL);
        if (now.vector < 0 || now.captures)
            now_test->judge(&now);
        if (now_test->undo)
            now_test->undo(&now);
    }
    report_end(index, problem);
}

/* ---- All of them -------------------------------------------------------- */

static const char *audit_init(void)
{
    uint64_t *pte;

    user_call(nothing_u, nothing_u_end, 0); /* maps its pages */
    low_alias = bench_pages(1);
    pte = pte_of((const void *)LOW_PAGE);
    if (!low_alias || !pte)
        return "no memory for the audit's code";
    *pte = (*pte_of(low_alias) & PTE_ADDR) | PTE_P | PTE_W | PTE_A | PTE_D;
    trap_hook(VECTOR_UD, on_ud);
    trap_hook(AUDIT_GATE, on_gate);
    return NULL;
}

static void audit_kernel(uint64_t n)
{
    unsigned from = (unsigned)cmdline_u64(boot_cmdline, "audit_from", 0);

    while (n--)
        for (unsigned i = from; i < 2 * audit_test_count; i++)
            make_test(i);
}

static void audit_control(uint64_t n)
{
    (void)n;
}

static void audit_cleanup(void)
{
    uint64_t *pte = pte_of((const void *)LOW_PAGE);

    trap_hook(VECTOR_UD, NULL);
    trap_hook(AUDIT_GATE, NULL);
    if (pte)
        *pte = 0;
    invlpg((const void *)LOW_PAGE);
    bench_pages_free(low_alias);
}

DEFINE_BENCHMARK(audit, "audit", "micro", "all tests in both rings",
                 "Sensitive instructions: for trapmark audit", TM_BENCH_HIDDEN,
                 .init = audit_init, .kernel = audit_kernel,
                 .control = audit_control, .max_batch = 1,
                 .cleanup = audit_cleanup);
