/* cc: the program that the workload compile runs. "stage=cc unit=N out=C" reads
 * a source from the disk, parses it and pipes it through "stage=as in=C out=C",
 * another process of this program, which writes the object's sum to channel
 * out. */
#include "../../guest/abi/abi.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"
#include "unit.h"

#define NO_CHANNEL UINT64_MAX

void user_start(const char *args) __attribute__((noreturn));

static uint64_t words[UNIT_WORDS];

static void *need_memory(size_t size)
{
    void *p = sys_mmap(size);

    if (!p)
        sys_exit(2);
    return p;
}

static void __attribute__((noreturn)) assemble(int in, int out)
{
    char *at = (char *)words, *end = at + sizeof(words);
    uint64_t sum;

    while (at < end) {
        int64_t n = sys_pipe_read(in, at, (size_t)(end - at));

        if (n <= 0)
            sys_exit(3);
        at += n;
    }
    sum = unit_assemble(words, need_memory(UNIT_OBJECT));
    sys_exit(sys_pipe_write(out, &sum, sizeof(sum)) == sizeof(sum) ? 0 : 4);
}

static int start_assembler(int in, int out)
{
    char args[48];
    int pid = sys_fork();

    if (pid)
        return pid;
    fmt_snprintf(args, sizeof(args), "stage=as in=%d out=%d", in, out);
    sys_exec("cc", args);
    sys_exit(5);
}

static void __attribute__((noreturn)) compile(uint64_t unit, int out)
{
    uint64_t *code = need_memory(sizeof(words));
    int channel = sys_pipe(), status = -1, pid;

    if (channel < 0 || sys_blk_read(unit * UNIT_BLOCKS * 4096, words,
                                    sizeof(words)) != sizeof(words))
        sys_exit(6);
    pid = start_assembler(channel, out);
    unit_parse(words, need_memory(UNIT_TABLE), code);
    if (pid < 0 ||
        sys_pipe_write(channel, code, sizeof(words)) != sizeof(words))
        sys_exit(7);
    sys_exit(sys_wait(&status) == pid && !status ? 0 : 8);
}

void user_start(const char *args)
{
    size_t len;
    const char *stage = cmdline_get(args, "stage", &len);
    int out = (int)cmdline_u64(args, "out", NO_CHANNEL);

    if (stage && len == 2 && !memcmp(stage, "as", 2))
        assemble((int)cmdline_u64(args, "in", NO_CHANNEL), out);
    compile(cmdline_u64(args, "unit", 0), out);
}
