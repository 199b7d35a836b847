/* shell: a token goes around a ring of eight processes through pipes: system
 * calls, wake-ups and address-space switches. */
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"

#define PROCESSES 8 /* this one included */

/* Process i reads channel i and writes channel (i + 1) % PROCESSES. */
static int channels[PROCESSES];
static int children;
static const char *problem;

static uint64_t stamp(uint64_t token, int process)
{
    return mix64(token, (uint64_t)process);
}

/* Ends when the ring breaks before it. */
static void __attribute__((noreturn)) member(int i)
{
    int from = channels[i], to = channels[(i + 1) % PROCESSES];
    uint64_t token;

    for (int k = 0; k < PROCESSES; k++)
        if (channels[k] != from && channels[k] != to)
            sys_pipe_close(channels[k]);
    while (sys_pipe_read(from, &token, sizeof(token)) == sizeof(token)) {
        token = stamp(token, i);
        if (sys_pipe_write(to, &token, sizeof(token)) < 0)
            sys_exit(1);
    }
    sys_exit(0);
}

static const char *shell_init(void)
{
    for (int i = 0; i < PROCESSES; i++) {
        channels[i] = sys_pipe();
        if (channels[i] < 0)
            return "no pipe";
    }
    for (int i = 1; i < PROCESSES; i++) {
        int pid = sys_fork();

        if (!pid)
            member(i);
        if (pid < 0)
            return "fork failed";
        children++;
    }
    for (int i = 2; i < PROCESSES; i++)
        sys_pipe_close(channels[i]);
    return NULL;
}

/* The token after one lap. */
static uint64_t lap(uint64_t token)
{
    if (sys_pipe_write(channels[1], &token, sizeof(token)) < 0 ||
        sys_pipe_read(channels[0], &token, sizeof(token)) != sizeof(token))
        problem = "the ring broke";
    return token;
}

static void shell_kernel(uint64_t n)
{
    uint64_t token = n;

    for (uint64_t op = 0; op < n && !problem; op++)
        token = lap(token);
}

static uint64_t shell_checksum(void)
{
    uint64_t token = 1;

    for (int op = 0; op < 4; op++)
        token = lap(token);
    return token;
}

/* Every process put its stamp on the token, in the ring's order. */
static const char *shell_verify(void)
{
    uint64_t token = 1, expected = 1;

    for (int op = 0; op < 4; op++) {
        token = lap(token);
        for (int i = 1; i < PROCESSES; i++)
            expected = stamp(expected, i);
    }
    if (!problem && token != expected)
        problem = "the token went another way";
    return problem;
}

static void shell_cleanup(void)
{
    int status;

    sys_pipe_close(channels[0]);
    sys_pipe_close(channels[1]);
    for (; children; children--)
        sys_wait(&status);
}

DEFINE_BENCHMARK(shell, "shell", "mixed", "lap of 8 processes",
                 "A token through a ring of pipes: context switches", 0,
                 .init = shell_init, .kernel = shell_kernel,
                 .checksum = shell_checksum, .verify = shell_verify,
                 .cleanup = shell_cleanup);
