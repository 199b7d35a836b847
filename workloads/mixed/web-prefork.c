/* web-prefork: a process serves a connection at a time, and there are as many
 * processes as connections: each request is another address space's. */
#include "../../guest/lib/bench.h"
#include "../../guest/user/user.h"
#include "web.h"

static void __attribute__((noreturn)) worker(int listener)
{
    static struct web_connection c;

    for (;;) {
        c.sock = sys_tcp_accept(listener);
        if (c.sock < 0)
            sys_exit(1);
        c.have = 0;
        while (web_serve(&c))
            ;
        sys_tcp_close(c.sock);
    }
}

static const char *prefork_init(void)
{
    const char *why = web_init();
    int listener;

    if (why)
        return why;
    listener = sys_tcp_listen(WEB_PORT);
    if (listener < 0)
        return "port 80 can't be listened to";
    for (int i = 0; i < WEB_CONNECTIONS; i++) {
        int pid = sys_fork();

        if (!pid)
            worker(listener);
        if (pid < 0)
            return "fork failed";
    }
    return NULL;
}

DEFINE_BENCHMARK(web_prefork, "web-prefork", "mixed", "HTTP request",
                 "HTTP/1.1 over TCP, 16 connections: a process for each, "
                 "a shared log on the disk",
                 TM_BENCH_NEEDS_DISK, .refuse = web_refuse,
                 .init = prefork_init, .kernel = web_kernel,
                 .checksum = web_checksum, .verify = web_verify,
                 .cleanup = web_cleanup);
