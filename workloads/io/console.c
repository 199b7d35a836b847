/* console: lines of text through the kernel's polled serial port. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

#define LINE 65 /* 64 characters and the newline */

/* So few that a whole run, at the most samples there are, stays below what the
 * harness takes for a flood: 256 * 16 lines and calibration. */
#define BATCH 16

static char line[LINE];
static const char *problem;

static void write_line(uint64_t op)
{
    for (unsigned i = 0; i < LINE - 1; i++)
        line[i] = (char)('a' + (op + i) % 26);
    line[LINE - 1] = '\n';
    if (sys_write(line, LINE) != LINE)
        problem = "a write to the console was cut short";
}

static void console_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n; op++)
        write_line(op);
}

/* The text alone: what became of it, the guest can't see. */
static uint64_t console_checksum(void)
{
    uint64_t sum = 0;

    for (uint64_t op = 0; op < 4; op++) {
        write_line(op);
        for (unsigned i = 0; i < LINE; i++)
            sum = mix64(sum, (uint8_t)line[i]);
    }
    return problem ? 0 : sum;
}

static const char *console_verify(void)
{
    return problem;
}

DEFINE_BENCHMARK(console, "console", "io", "64-character line",
                 "Text through the serial port, a byte a port write", 0,
                 .kernel = console_kernel, .max_batch = BATCH,
                 .checksum = console_checksum, .verify = console_verify);
