/* compile: a tree of short processes, as make runs them: fork, exec, read a
 * source from the disk, map memory, compute, pipe to another program, exit. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"
#include "unit.h"

static const char *problem;

static const char *compile_refuse(void)
{
    return sys_blk_size() < 0 ? "no disk" : NULL;
}

/* The sum of the object that the processes made. */
static uint64_t compile_unit(uint64_t unit)
{
    int out = sys_pipe(), status = -1, pid;
    uint64_t sum = 0;
    char args[48];

    pid = out < 0 ? -1 : sys_fork();
    if (pid < 0) {
        problem = "no pipe or no process";
        return 0;
    }
    if (!pid) {
        fmt_snprintf(args, sizeof(args), "stage=cc unit=%u out=%d",
                     (unsigned)unit, out);
        sys_exec("cc", args);
        sys_exit(1);
    }
    if (sys_pipe_read(out, &sum, sizeof(sum)) != sizeof(sum))
        problem = "the compiler wrote no object";
    if (sys_wait(&status) != pid || status)
        problem = "the compiler failed";
    sys_pipe_close(out);
    return sum;
}

/* The same by this process alone, from what the disk must hold. */
static uint64_t expected_sum(uint64_t unit)
{
    static uint64_t source[UNIT_WORDS], code[UNIT_WORDS];
    static uint64_t table[UNIT_TABLE / 8], object[UNIT_OBJECT / 8];

    for (uint64_t i = 0; i < UNIT_WORDS; i++)
        source[i] = tm_disk_word(unit * UNIT_BLOCKS + i / 512, i % 512);
    memset(table, 0, sizeof(table));
    memset(object, 0, sizeof(object));
    unit_parse(source, table, code);
    return unit_assemble(code, object);
}

static void compile_kernel(uint64_t n)
{
    for (uint64_t op = 0; op < n && !problem; op++)
        compile_unit(op % UNITS);
}

static uint64_t compile_checksum(void)
{
    return mix64(compile_unit(0), compile_unit(1));
}

static const char *compile_verify(void)
{
    for (uint64_t unit = 0; unit < UNITS && !problem; unit += UNITS - 1)
        if (compile_unit(unit) != expected_sum(unit) && !problem)
            problem = "an object differs from what its source gives";
    return problem;
}

DEFINE_BENCHMARK(compile, "compile", "mixed", "compilation unit",
                 "Short processes: fork, exec, read, map, compute, pipe, exit",
                 TM_BENCH_NEEDS_DISK, .refuse = compile_refuse,
                 .kernel = compile_kernel, .checksum = compile_checksum,
                 .verify = compile_verify);
