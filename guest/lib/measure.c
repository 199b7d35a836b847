/* The measuring loop: calibration, warm-up, batches, result line. */
#include "bench.h"
#include "lib.h"

/* 256 + 256 numbers of up to 20 digits and a comma, and the frame around. */
static char line[MEASURE_MAX_SAMPLES * 2 * 21 + 512];
static size_t line_len;

static uint64_t samples[MEASURE_MAX_SAMPLES], controls[MEASURE_MAX_SAMPLES];

static void line_add(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static void line_add(const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = fmt_vsnprintf(line + line_len, sizeof(line) - line_len, format, ap);
    va_end(ap);
    line_len += (size_t)n;
    if (line_len >= sizeof(line))
        line_len = sizeof(line) - 1;
}

static void line_begin(const char *kind, const char *name)
{
    line_len = 0;
    line_add("{\"tm\":\"%s\",\"bench\":\"%s\"", kind, name);
}

static void line_end(void)
{
    line_add("}");
    report_line(line);
}

static void report_problem(const struct bench *b, const char *status,
                           const char *reason)
{
    char text[256];

    line_begin("result", b->name);
    line_add(",\"status\":\"%s\",\"reason\":\"%s\"", status,
             json_escape(text, sizeof(text), reason));
    line_end();
}

static void report_ok(const struct bench *b, unsigned count, uint64_t n,
                      uint64_t checksum)
{
    line_begin("result", b->name);
    line_add(",\"status\":\"ok\",\"iterations\":%llu,\"samples\":[",
             (unsigned long long)n);
    for (unsigned i = 0; i < count; i++)
        line_add("%s%llu", i ? "," : "", (unsigned long long)samples[i]);
    line_add("],\"control\":[");
    for (unsigned i = 0; i < count; i++)
        line_add("%s%llu", i ? "," : "", (unsigned long long)controls[i]);
    line_add("]");
    if (b->checksum)
        line_add(",\"checksum\":\"%016llx\"", (unsigned long long)checksum);
    line_end();
}

static void empty_loop(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        __asm__ volatile("" ::: "memory");
}

static uint64_t time_batch(void (*f)(uint64_t), uint64_t n)
{
    uint64_t begin = rdtsc_fenced();

    f(n);
    return rdtsc_fenced() - begin;
}

static void reset(const struct bench *b, uint64_t n)
{
    if (b->reset)
        b->reset(n);
}

/* One copy for kernel and control: were it inlined twice, the two regions would
 * differ by a few instructions of its own. */
static __attribute__((noinline)) uint64_t
take_sample(const struct bench *b, void (*f)(uint64_t), uint64_t n,
            uint32_t begin, uint32_t end)
{
    uint64_t ticks;

    reset(b, n);
    doorbell(begin);
    ticks = time_batch(f, n);
    doorbell(end);
    return ticks;
}

static uint64_t batch_limit(const struct bench *b)
{
    return b->max_batch ? b->max_batch : 1ull << 40;
}

/* The least power of two, within the limits, that makes a batch last batch_us. */
static uint64_t calibrate(const struct bench *b, const struct measure_params *p)
{
    uint64_t wanted = p->batch_us * p->tsc_khz / 1000;
    uint64_t n = b->min_batch ? b->min_batch : 1;

    for (; n < batch_limit(b); n *= 2) {
        reset(b, n);
        if (time_batch(b->kernel, n) >= wanted)
            return n;
    }
    return batch_limit(b);
}

static void run_batches(const struct bench *b, const struct measure_params *p)
{
    void (*control)(uint64_t) = b->control ? b->control : empty_loop;
    uint64_t checksum = b->checksum ? b->checksum() : 0;
    uint64_t n = p->iters ? p->iters : calibrate(b, p);
    unsigned count = p->samples;
    const char *problem;

    if (n < b->min_batch)
        n = b->min_batch;
    if (n > batch_limit(b))
        n = batch_limit(b);
    if (count < 1)
        count = 1;
    if (count > MEASURE_MAX_SAMPLES)
        count = MEASURE_MAX_SAMPLES;
    reset(b, n);
    b->kernel(n);
    reset(b, n);
    control(n);
    for (unsigned i = 0; i < count; i++) {
        samples[i] =
            take_sample(b, b->kernel, n, TM_DB_KERNEL_BEGIN, TM_DB_KERNEL_END);
        controls[i] =
            take_sample(b, control, n, TM_DB_CONTROL_BEGIN, TM_DB_CONTROL_END);
    }
    problem = b->verify ? b->verify() : NULL;
    if (problem)
        report_problem(b, "failed", problem);
    else
        report_ok(b, count, n, checksum);
}

void measure_run(const struct bench *b, const struct measure_params *p)
{
    const char *problem;

    line_begin("start", b->name);
    line_end();
    problem = b->refuse ? b->refuse() : NULL;
    if (problem) {
        report_problem(b, "skipped", problem);
        return;
    }
    problem = b->init ? b->init() : NULL;
    if (problem)
        report_problem(b, "failed", problem);
    else
        run_batches(b, p);
    if (b->cleanup)
        b->cleanup();
}
