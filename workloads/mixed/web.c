/* The work of a web server, whichever processes do it. */
#include "web.h"
#include "../../guest/abi/net.h"
#include "../../guest/lib/bench.h"
#include "../../guest/lib/lib.h"
#include "../../guest/user/user.h"
#include "../io/netload.h"
#include "web_log.h"

#define AT_ONCE (WEB_CONNECTIONS / 2)
#define CHECKED (2 * TM_HTTP_KINDS)

static const char *problem;
static uint64_t requests; /* made by the peer, all told */

/* ---- The file cache ----------------------------------------------------- */

#define BUCKETS 64

static struct file {
    struct file *next;
    char path[8];
    char *data;
    size_t len;
} files[TM_HTTP_FILES], *buckets[BUCKETS];

static unsigned bucket_of(const char *path, size_t len)
{
    uint64_t h = len;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)path[i]) * 0x100000001b3ull;
    return (h ^ h >> 32) % BUCKETS;
}

static const struct file *find_file(const char *path, size_t len)
{
    struct file *f = buckets[bucket_of(path, len)];

    while (f && (strlen(f->path) != len || memcmp(f->path, path, len)))
        f = f->next;
    return f;
}

static bool load_file(unsigned i)
{
    struct file *f = &files[i], **head;
    uint64_t *words;

    f->len = tm_http_size(i);
    words = sys_mmap(f->len);
    if (!words)
        return false;
    for (unsigned w = 0; w < f->len / 8; w++)
        words[w] = tm_http_word(i, w);
    f->data = (char *)words;
    fmt_snprintf(f->path, sizeof(f->path), "/f%02u", i);
    head = &buckets[bucket_of(f->path, strlen(f->path))];
    f->next = *head;
    *head = f;
    return true;
}

/* ---- One connection ----------------------------------------------------- */

/* A line as other servers write it, but for the time: TSC ticks. */
static void log_request(const struct http_request *r, unsigned status,
                        size_t len)
{
    char line[WEB_LOG_LINE];
    int n = fmt_snprintf(line, sizeof(line),
                         "10.0.0.2 - %d [%016llx] \"%s %.*s\" %u %zu\n",
                         sys_getpid(), (unsigned long long)rdtsc_fenced(),
                         r->head_only ? "HEAD" : "GET",
                         (int)(r->path_len < 40 ? r->path_len : 40),
                         r->path ? r->path : "-", status, len);

    web_log_add(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static bool answer(int sock, const struct http_request *r)
{
    const struct file *f = r->status ? NULL : find_file(r->path, r->path_len);
    unsigned status = r->status ? r->status : f ? 200 : 404;
    const char *body = f ? f->data : http_status(status);
    size_t len = f ? f->len : strlen(body);
    char head[HTTP_ANSWER_MAX];
    struct tcp_piece pieces[2] = {
        {head, http_head(head, status, len, r->keep_alive)}, {body, len}};

    log_request(r, status, len);
    return sys_tcp_send(sock, pieces, r->head_only ? 1 : 2) >= 0;
}

bool web_serve(struct web_connection *c)
{
    int64_t n =
        sys_tcp_receive(c->sock, c->text + c->have, sizeof(c->text) - c->have);
    struct http_request r;
    size_t at = 0, used;

    if (n <= 0)
        return false;
    c->have += (size_t)n;
    while ((used = http_parse(c->text + at, c->have - at, &r))) {
        if (!answer(c->sock, &r) || !r.keep_alive)
            return false;
        at += used;
    }
    memmove(c->text, c->text + at, c->have - at);
    c->have -= at;
    return true;
}

/* ---- The load ----------------------------------------------------------- */

static struct tm_net_frame frame;
static char reason[96];

static void prepare(uint64_t n, uint32_t flags)
{
    memset(&frame, 0, sizeof(frame));
    tm_net_address(&frame, TM_NET_HTTP);
    frame.count = (uint32_t)n;
    frame.length = WEB_CONNECTIONS | AT_ONCE << 16;
    frame.reserved = flags;
}

/* Until all n are answered; other processes do that meanwhile. */
static void make_requests(uint64_t n, uint32_t flags)
{
    prepare(n, flags);
    if (sys_net_send(&frame, TM_NET_FRAME_MIN) < 0 ||
        sys_net_recv(&frame, sizeof(frame), 0) < TM_NET_HEADER ||
        frame.command != (TM_NET_HTTP | TM_NET_REPLY))
        problem = "the peer's report did not come";
    if (!problem && frame.count != (uint32_t)n) {
        fmt_snprintf(reason, sizeof(reason), "%.80s",
                     (const char *)&frame.word[TM_HTTP_REASON]);
        problem = reason;
    }
    requests += n;
}

const char *web_refuse(void)
{
    if (sys_blk_size() < (int64_t)TM_DISK_MIN)
        return "no virtio-blk disk of 16 MiB for the log";
    return netload_refuse();
}

const char *web_init(void)
{
    for (unsigned i = 0; i < TM_HTTP_FILES; i++)
        if (!load_file(i))
            return "no memory for the files";
    return web_log_init() ? NULL : "no memory for the log";
}

void web_kernel(uint64_t n)
{
    if (!problem)
        make_requests(n, 0);
}

uint64_t web_checksum(void)
{
    make_requests(CHECKED, TM_HTTP_ALL_KINDS);
    return mix64(frame.word[0], frame.word[1]);
}

const char *web_verify(void)
{
    if (!problem && web_log_lines() != requests)
        problem = "the log has not a line for each request";
    if (!problem && !web_log_sound())
        problem = "a block of the log was not written";
    return problem;
}

void web_cleanup(void)
{
    web_log_cleanup();
}
