/* Unit tests of the runner's sandbox: what must work does, the rest is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "harness/sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ALLOWED 0
#define DENIED 3
#define BROKEN 4

static int tell[2];

static void denied(int number)
{
    if (write(tell[1], &number, sizeof(number)) != sizeof(number))
        _exit(BROKEN);
    _exit(DENIED);
}

/* Runs act in a sandboxed child: its exit code, and the call that was denied.
 */
static int sandboxed(void (*act)(void), int *number)
{
    char why[REASON_MAX];
    int status;
    pid_t pid;

    assert_int_equal(pipe(tell), 0);
    pid = fork();
    if (!pid) {
        if (sandbox_enter(denied, why))
            _exit(BROKEN);
        act();
        _exit(ALLOWED);
    }
    close(tell[1]);
    *number = -1;
    if (read(tell[0], number, sizeof(*number)) < 0)
        *number = -1;
    close(tell[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void opens(void)
{
    if (open("/etc/passwd", O_RDONLY) >= 0)
        _exit(BROKEN);
}

static void connects(void)
{
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
        _exit(BROKEN);
}

static void executes(void)
{
    execl("/bin/true", "true", NULL);
}

static void forks(void)
{
    if (!fork())
        _exit(0);
}

static void kills(void)
{
    kill(getppid(), 0);
}

static void what_is_harmful_is_denied(void **state)
{
    static void (*const act[])(void) = {opens, connects, executes, forks};
    static const int call[] = {SYS_openat, SYS_socket, SYS_execve, SYS_clone};
    int number;

    (void)state;
    for (size_t i = 0; i < sizeof(call) / sizeof(call[0]); i++) {
        assert_int_equal(sandboxed(act[i], &number), DENIED);
        assert_int_equal(number, call[i]);
    }
    assert_int_equal(sandboxed(kills, &number), DENIED);
}

static void nothing(int sig)
{
    (void)sig;
}

/* What a run loop lives on. */
static void works(void)
{
    struct timespec pause = {.tv_nsec = 1000}, now;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    timer_t timer;
    char *p;

    signal(SIGUSR1, nothing);
    if (raise(SIGUSR1) || nanosleep(&pause, NULL) ||
        clock_gettime(CLOCK_MONOTONIC, &now) ||
        timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_delete(timer))
        _exit(BROKEN);
    p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
             -1, 0);
    if (p == MAP_FAILED || mprotect(p, 4096, PROT_READ) || munmap(p, 1 << 20))
        _exit(BROKEN);
}

static void what_a_run_loop_needs_works(void **state)
{
    int number;

    (void)state;
    assert_int_equal(sandboxed(works, &number), ALLOWED);
}

static void limits_hold(void **state)
{
    struct rlimit l;
    int status;
    pid_t parent = getpid(), pid = fork();

    (void)state;
    if (!pid) {
        sandbox_limits(parent, 7, 1ull << 32);
        if (getrlimit(RLIMIT_CORE, &l) || l.rlim_max ||
            getrlimit(RLIMIT_CPU, &l) || l.rlim_max != 7 ||
            getpgid(0) != getpid())
            _exit(BROKEN);
        _exit(ALLOWED);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

static void calls_have_names(void **state)
{
    char text[64];

    (void)state;
    assert_string_equal(sandbox_call_name(SYS_socket, text), "socket");
    assert_string_equal(sandbox_call_name(123456, text), "system call 123456");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_harmful_is_denied),
        cmocka_unit_test(what_a_run_loop_needs_works),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(calls_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
