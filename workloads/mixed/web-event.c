/* web-event: one process serves all connections, whichever can go on. */
#include "../../guest/lib/bench.h"
#include "../../guest/user/user.h"
#include "web.h"

static struct web_connection connections[TCP_SOCKETS]; /* by socket */

static void __attribute__((noreturn)) server(int listener)
{
    uint64_t open = 1ull << listener;

    for (;;) {
        int64_t ready = sys_tcp_wait(open);

        if (ready < 0)
            sys_exit(1);
        for (; ready; ready &= ready - 1) {
            int sock = __builtin_ctzll((uint64_t)ready);

            if (sock == listener) {
                sock = sys_tcp_accept(listener);
                if (sock < 0)
                    sys_exit(1);
                connections[sock].sock = sock;
                connections[sock].have = 0;
                open |= 1ull << sock;
            } else if (!web_serve(&connections[sock])) {
                sys_tcp_close(sock);
                open &= ~(1ull << sock);
            }
        }
    }
}

static const char *event_init(void)
{
    const char *why = web_init();
    int listener, pid;

    if (why)
        return why;
    listener = sys_tcp_listen(WEB_PORT);
    if (listener < 0)
        return "port 80 can't be listened to";
    pid = sys_fork();
    if (!pid)
        server(listener);
    return pid < 0 ? "fork failed" : NULL;
}

DEFINE_BENCHMARK(web_event, "web-event", "mixed", "HTTP request",
                 "HTTP/1.1 over TCP, 16 connections: one event loop, "
                 "a log on the disk",
                 TM_BENCH_NEEDS_DISK, .refuse = web_refuse, .init = event_init,
                 .kernel = web_kernel, .checksum = web_checksum,
                 .verify = web_verify, .cleanup = web_cleanup);
