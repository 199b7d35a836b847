/* The peer's requests, and what it thinks of the answers. */
#include "peer_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIRST_PORT 49152u

static void queue_add(struct peer_queue *q, unsigned conn)
{
    q->entry[(q->first + q->count++) % TM_HTTP_CONNECTIONS] = conn;
}

static unsigned queue_take(struct peer_queue *q)
{
    unsigned conn = q->entry[q->first];

    q->first = (q->first + 1) % TM_HTTP_CONNECTIONS;
    q->count--;
    return conn;
}

static unsigned number_of(const struct peer_http *p,
                          const struct peer_exchange *x)
{
    return x - p->conn;
}

/* Whoever may have a segment to send gets in line. */
static void set_due(struct peer_http *p, struct peer_exchange *x)
{
    if (x->queued || !peer_tcp_due(&x->tcp))
        return;
    x->queued = true;
    queue_add(&p->due, number_of(p, x));
}

void peer_http_reset(struct peer_http *p)
{
    for (unsigned i = 0; i < TM_HTTP_FILES; i++)
        free(p->file[i]);
    memset(p, 0, sizeof(*p));
}

static bool make_files(struct peer_http *p)
{
    for (unsigned i = 0; i < TM_HTTP_FILES; i++) {
        uint32_t words = tm_http_size(i) / 8;
        uint64_t *file = (uint64_t *)p->file[i];

        if (file)
            continue;
        file = malloc(words * 8);
        if (!file)
            return false;
        for (uint32_t w = 0; w < words; w++)
            file[w] = tm_http_word(i, w);
        p->file[i] = (uint8_t *)file;
    }
    return true;
}

/* ---- Faults ------------------------------------------------------------- */

static void note(struct peer_http *p, const char *what, uint32_t request)
{
    if (!*p->reason)
        snprintf(p->reason, sizeof(p->reason), "request %u: %.60s", request,
                 what);
}

/* Of the protocol: nothing that comes afterwards means anything. */
static void give_up(struct peer_http *p, const char *what)
{
    note(p, what, p->issued);
    memset(p->conn, 0, sizeof(p->conn));
    memset(&p->idle, 0, sizeof(p->idle));
    memset(&p->due, 0, sizeof(p->due));
    p->asked = p->issued;
    p->wrong += p->waiting;
    p->waiting = 0;
}

static void fault(struct peer_http *p, struct peer_exchange *x,
                  const char *what)
{
    x->wrong = true;
    note(p, what, x->request);
}

/* ---- Requests ----------------------------------------------------------- */

/* What the last part of a request line and the lines behind it are. */
static const char *const tails[TM_HTTP_KINDS] = {
    [TM_HTTP_GET] = " HTTP/1.1\r\nHost: guest\r\n",
    [TM_HTTP_HEAD] = " HTTP/1.1\r\nHost: guest\r\n",
    [TM_HTTP_MISSING] = "/none HTTP/1.1\r\nHost: guest\r\n",
    [TM_HTTP_SPLIT] = " HTTP/1.1\r\nHost: guest\r\n",
    [TM_HTTP_CLOSE] = " HTTP/1.1\r\nHost: guest\r\n",
    [TM_HTTP_OLD] = " HTTP/1.0\r\n",
    [TM_HTTP_METHOD] = " HTTP/1.1\r\nHost: guest\r\n",
    [TM_HTTP_NO_HOST] = " HTTP/1.1\r\n",
    [TM_HTTP_MALFORMED] = "\r\nHost: guest\r\n",
};

static const uint16_t statuses[TM_HTTP_KINDS] = {
    [TM_HTTP_GET] = 200,    [TM_HTTP_HEAD] = 200,    [TM_HTTP_MISSING] = 404,
    [TM_HTTP_SPLIT] = 200,  [TM_HTTP_CLOSE] = 200,   [TM_HTTP_OLD] = 200,
    [TM_HTTP_METHOD] = 501, [TM_HTTP_NO_HOST] = 400, [TM_HTTP_MALFORMED] = 400,
};

static void make_request(struct peer_http *p, struct peer_exchange *x)
{
    const uint32_t r = p->issued++;
    const enum tm_http_kind kind = tm_http_kind(r, p->flags);
    const bool last = ++x->made == TM_HTTP_LIFE || kind == TM_HTTP_CLOSE;
    const char *method = kind == TM_HTTP_HEAD     ? "HEAD"
                         : kind == TM_HTTP_METHOD ? "DELETE"
                                                  : "GET";
    char text[PEER_TCP_OUT];
    int len = snprintf(text, sizeof(text),
                       "%s /f%02u%sUser-Agent: trapmark\r\nAccept: */*\r\n"
                       "%s\r\n",
                       method, tm_http_file(r), tails[kind],
                       last ? "Connection: close\r\n" : "");

    x->request = r;
    x->kind = kind;
    x->waiting = true;
    x->closing = last || kind == TM_HTTP_OLD || statuses[kind] == 400;
    x->head_len = x->body = 0;
    x->first = 0;
    x->in_body = x->wrong = false;
    p->waiting++;
    peer_tcp_say(&x->tcp, text, len, kind == TM_HTTP_SPLIT ? len / 2 : len);
    set_due(p, x);
}

static struct peer_exchange *open_another(struct peer_http *p)
{
    for (unsigned i = 0; i < p->limit; i++) {
        struct peer_exchange *x = &p->conn[i];

        if (x->tcp.state != PEER_TCP_CLOSED)
            continue;
        peer_tcp_open(&x->tcp, FIRST_PORT + p->port++ % 16384);
        x->made = 0;
        p->opened++;
        return x;
    }
    return NULL;
}

static void pump(struct peer_http *p)
{
    while (p->waiting < p->at_once && p->issued < p->asked) {
        struct peer_exchange *x = open_another(p);

        if (!x && !p->idle.count)
            return;
        make_request(p, x ? x : &p->conn[queue_take(&p->idle)]);
    }
}

void peer_http_start(struct peer_http *p, const struct tm_net_frame *command)
{
    if (p->active)
        return;
    p->command = *command;
    p->active = true;
    p->asked = command->count;
    p->limit = command->length & 0xffff;
    p->at_once = command->length >> 16;
    p->flags = command->reserved;
    p->issued = p->right = p->wrong = 0;
    p->digest = p->bytes = 0;
    *p->reason = '\0';
    if (!p->limit || p->limit > TM_HTTP_CONNECTIONS || !p->at_once ||
        !make_files(p))
        give_up(p, "the peer can't open as many connections");
    pump(p);
}

/* ---- Answers ------------------------------------------------------------ */

/* The value of a header field, or NULL; names don't care about case. */
static const char *field(const char *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (!strncasecmp(line, name, len) && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " \t");
    }
    return NULL;
}

static void judge_head(struct peer_http *p, struct peer_exchange *x)
{
    const char *length = field(x->head, "Content-Length");
    const char *connection = field(x->head, "Connection");
    bool close = connection && !strncasecmp(connection, "close", 5);
    unsigned status;

    if (sscanf(x->head, "HTTP/1.1 %3u ", &status) != 1 || !length) {
        give_up(p, "no HTTP/1.1 status line with a Content-Length");
        return;
    }
    x->in_body = true;
    x->status = status;
    x->content_length = strtoul(length, NULL, 10);
    if (status != statuses[x->kind])
        fault(p, x, "the answer has another status");
    else if (status == 200 &&
             x->content_length != tm_http_size(tm_http_file(x->request)))
        fault(p, x, "the answer has another length");
    else if (close != x->closing)
        fault(p, x, "the answer says otherwise about closing");
}

static uint32_t body_length(const struct peer_exchange *x)
{
    return x->kind == TM_HTTP_HEAD ? 0 : x->content_length;
}

static void take_body(struct peer_http *p, struct peer_exchange *x,
                      const uint8_t *data, uint32_t len)
{
    uint32_t file = tm_http_file(x->request);

    for (uint32_t i = 0; i < len && x->body + i < 8; i++)
        x->first |= (uint64_t)data[i] << 8 * (x->body + i);
    if (!x->wrong && x->status == 200 &&
        memcmp(p->file[file] + x->body, data, len))
        fault(p, x, "the answer holds something else");
    x->body += len;
    p->bytes += len;
}

static void finish(struct peer_http *p, struct peer_exchange *x)
{
    x->waiting = false;
    p->waiting--;
    if (x->wrong)
        p->wrong++;
    else
        p->right++;
    p->digest +=
        tm_http_digest(x->request, x->status, x->content_length, x->first);
    if (!x->closing)
        queue_add(&p->idle, number_of(p, x));
}

static void take_data(struct peer_http *p, struct peer_exchange *x,
                      const uint8_t *data, uint32_t len)
{
    while (len && !x->in_body) {
        if (!x->waiting || x->head_len == PEER_HTTP_HEAD - 1) {
            give_up(p, x->waiting ? "the head of an answer has no end"
                                  : "data that nobody asked for");
            return;
        }
        x->head[x->head_len++] = *data++;
        len--;
        x->head[x->head_len] = '\0';
        if (x->head_len >= 4 &&
            !memcmp(x->head + x->head_len - 4, "\r\n\r\n", 4))
            judge_head(p, x);
    }
    if (!x->in_body)
        return;
    if (len > body_length(x) - x->body) {
        give_up(p, "an answer longer than it said");
        return;
    }
    take_body(p, x, data, len);
    if (x->body == body_length(x) && x->waiting)
        finish(p, x);
}

static struct peer_exchange *find(struct peer_http *p, uint16_t port)
{
    for (unsigned i = 0; i < TM_HTTP_CONNECTIONS; i++)
        if (p->conn[i].tcp.state != PEER_TCP_CLOSED &&
            p->conn[i].tcp.port == port)
            return &p->conn[i];
    return NULL;
}

/* Between commands the server may go away, and take its connections along. */
static void forget(struct peer_http *p, struct peer_exchange *x)
{
    struct peer_queue idle = p->idle;

    x->tcp = (struct peer_tcp){0};
    p->idle.count = 0;
    for (; idle.count;) {
        unsigned i = queue_take(&idle);

        if (&p->conn[i] != x)
            queue_add(&p->idle, i);
    }
}

void peer_http_take(struct peer_http *p, const uint8_t *frame, uint32_t len)
{
    struct peer_segment g;
    struct peer_exchange *x;
    const char *problem = peer_tcp_parse(frame, len, &g);
    bool ended = false;

    if (problem) {
        give_up(p, problem);
        return;
    }
    x = find(p, g.port);
    if (!x)
        return;
    if (!p->active && g.flags & TCP_RST) {
        forget(p, x);
        return;
    }
    problem = peer_tcp_take(&x->tcp, &g, &ended);
    if (!problem && g.len)
        take_data(p, x, g.data, g.len);
    if (!problem && ended && (x->waiting || !x->closing))
        problem = "the guest ended a connection too early";
    if (problem) {
        give_up(p, problem);
        return;
    }
    set_due(p, x);
    pump(p);
}

/* ---- Out ---------------------------------------------------------------- */

bool peer_http_done(struct peer_http *p, struct tm_net_frame *answer)
{
    if (!p->active || p->waiting || p->issued < p->asked)
        return false;
    p->active = false;
    *answer = p->command;
    answer->count = p->right;
    answer->length = p->wrong;
    answer->word[0] = p->digest;
    answer->word[1] = p->bytes;
    answer->word[2] = p->opened;
    memcpy(&answer->word[TM_HTTP_REASON], p->reason, sizeof(p->reason));
    return true;
}

bool peer_http_ready(const struct peer_http *p)
{
    return p->due.count;
}

uint32_t peer_http_give(struct peer_http *p, uint8_t frame[TM_NET_FRAME_MAX])
{
    struct peer_exchange *x = &p->conn[queue_take(&p->due)];
    uint32_t len = peer_tcp_give(&x->tcp, frame);

    x->queued = false;
    set_due(p, x);
    return len;
}
