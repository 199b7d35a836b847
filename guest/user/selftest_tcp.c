/* Self-test of sockets, with the network peer at the other end. */
#include "../abi/inet.h"
#include "../abi/net.h"
#include "selftest.h"

static struct tm_net_frame frame;

/* One request over one connection. */
static bool ask_peer(void)
{
    memset(&frame, 0, sizeof(frame));
    tm_net_address(&frame, TM_NET_HTTP);
    frame.count = 1;
    frame.length = 1 | 1 << 16;
    return sys_net_send(&frame, TM_NET_FRAME_MIN) == TM_NET_FRAME_MIN;
}

static bool peer_reports(uint32_t right)
{
    return sys_net_recv(&frame, sizeof(frame), 1000000) > 0 &&
           frame.command == (TM_NET_HTTP | TM_NET_REPLY) &&
           frame.count == right && frame.length == 1 - right;
}

/* In crumbs, then in four pieces at once, one of them empty. */
static bool answer(int sock)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n";
    static uint64_t words[128];
    struct tcp_piece pieces[TCP_PIECES] = {{words, 1},
                                           {words, 0},
                                           {(char *)words + 1, 1000},
                                           {(char *)words + 1001, 23}};

    for (uint32_t w = 0; w < 128; w++)
        words[w] = tm_http_word(tm_http_file(0), w);
    for (const char *p = head; *p; p++)
        if (sys_tcp_send(sock, &(struct tcp_piece){p, 1}, 1) != 1)
            return false;
    return sys_tcp_send(sock, pieces, TCP_PIECES) == 1024;
}

static const char *check_misuse(int listener)
{
    struct tcp_piece piece = {"x", 1};

    CHECK(sys_tcp_listen(TM_HTTP_PORT) == -TM_EADDRINUSE);
    CHECK(sys_tcp_listen(0) == -TM_EINVAL);
    CHECK(sys_tcp_listen(65536) == -TM_EINVAL);
    CHECK(sys_tcp_accept(listener + 1) == -TM_EBADF);
    CHECK(sys_tcp_accept(-1) == -TM_EBADF);
    CHECK(sys_tcp_receive(listener, &piece, 1) == -TM_EINVAL);
    CHECK(sys_tcp_receive(TCP_SOCKETS, &piece, 1) == -TM_EBADF);
    CHECK(sys_tcp_receive(listener, (void *)(1ull << 63), 1) == -TM_EFAULT);
    CHECK(sys_tcp_send(listener, &piece, 1) == -TM_EPIPE);
    CHECK(sys_tcp_send(listener, &piece, TCP_PIECES + 1) == -TM_EINVAL);
    CHECK(sys_tcp_send(listener, (void *)8, 1) == -TM_EFAULT);
    CHECK(sys_tcp_wait(0) == -TM_EBADF);
    CHECK(sys_tcp_wait(2ull << listener) == -TM_EBADF);
    CHECK(sys_tcp_close(listener + 1) == -TM_EBADF);
    return NULL;
}

/* A child answers on the connection that its parent accepted. */
static const char *check_exchange(int listener)
{
    struct tcp_piece piece = {(void *)0x7000000000, 1};
    char request[256];
    int sock, pid;
    int64_t n;

    CHECK(ask_peer());
    CHECK(sys_tcp_wait(1ull << listener) == 1ll << listener);
    sock = sys_tcp_accept(listener);
    CHECK(sock >= 0 && sock != listener);
    CHECK(sys_tcp_wait(1ull << sock) == 1ll << sock);
    CHECK(sys_tcp_receive(sock, request, 0) == 0);
    CHECK(sys_tcp_receive(sock, (void *)8, 10) == -TM_EFAULT);
    CHECK(sys_tcp_receive(sock, request, 4) == 4);
    CHECK(!memcmp(request, "GET ", 4));
    n = sys_tcp_receive(sock, request, sizeof(request));
    CHECK(n > 4 && !memcmp(request + n - 4, "\r\n\r\n", 4));
    CHECK(sys_tcp_send(sock, &piece, 1) == -TM_EFAULT);
    pid = sys_fork();
    if (!pid)
        sys_exit(answer(sock) ? 9 : 1);
    CHECK(exited_with(pid, 9));
    CHECK(peer_reports(1));
    CHECK(!sys_tcp_close(sock));
    CHECK(sys_tcp_receive(sock, request, 1) == -TM_EBADF);
    return NULL;
}

const char *check_sockets(void)
{
    const char *problem;
    uint8_t mac[6];
    int listener = sys_tcp_listen(TM_HTTP_PORT), sock;

    if (sys_net_info(mac) < 0) {
        CHECK(listener == -TM_ENODEV);
        return NULL;
    }
    CHECK(listener >= 0);
    problem = check_misuse(listener);
    if (!problem)
        problem = check_exchange(listener);
    if (problem)
        return problem;
    /* Hanging up instead of answering. */
    CHECK(ask_peer());
    sock = sys_tcp_accept(listener);
    CHECK(sock >= 0 && !sys_tcp_close(sock));
    CHECK(peer_reports(0));
    CHECK(!sys_tcp_close(listener));
    listener = sys_tcp_listen(TM_HTTP_PORT);
    CHECK(listener >= 0);
    CHECK(!sys_tcp_close(listener));
    return NULL;
}
