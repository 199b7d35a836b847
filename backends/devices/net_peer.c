/* The load generator behind virtio-net: echoes, streams, counts, asks. */
#include "net_peer.h"

#include <string.h>

/* Counters and reason: a frame's length. */
#define HTTP_ANSWER (TM_NET_HEADER + 8 * TM_HTTP_REASON + PEER_HTTP_REASON)

void net_peer_reset(struct net_peer *p)
{
    peer_http_reset(&p->http);
    memset(p, 0, sizeof(*p));
}

static void swap_addresses(struct tm_net_frame *f)
{
    uint8_t to[6];

    memcpy(to, f->to, 6);
    memcpy(f->to, f->from, 6);
    memcpy(f->from, to, 6);
}

static void peer_answer(struct net_peer *p, struct tm_net_frame *f,
                        const void *tail, uint32_t len)
{
    unsigned at = (p->first + p->waiting) % NET_PEER_BACKLOG;
    const uint32_t head = len < sizeof(*f) ? len : sizeof(*f);

    if (p->waiting == NET_PEER_BACKLOG) {
        p->dropped++;
        return;
    }
    swap_addresses(f);
    f->command |= TM_NET_REPLY;
    memcpy(p->answer[at].bytes, f, head);
    memcpy(p->answer[at].bytes + head, (const uint8_t *)tail + head,
           len - head);
    p->answer[at].len = len;
    p->waiting++;
}

static void peer_sink(struct net_peer *p, const struct tm_net_frame *f,
                      uint32_t len)
{
    p->frames++;
    p->bytes += len;
    for (uint32_t w = 0; w < tm_net_words(len); w++)
        p->sum += f->word[w];
}

static void peer_report(struct net_peer *p, struct tm_net_frame *f,
                        const void *frame, uint32_t len)
{
    f->count = p->frames;
    f->length = p->bytes;
    f->word[0] = p->sum;
    p->frames = p->bytes = 0;
    p->sum = 0;
    peer_answer(p, f, frame, len);
}

/* A length that no frame can have starts nothing. */
static void peer_stream(struct net_peer *p, const struct tm_net_frame *f)
{
    if (f->length < TM_NET_FRAME_MIN || f->length > TM_NET_FRAME_MAX)
        return;
    p->stream = *f;
    swap_addresses(&p->stream);
    p->stream.command |= TM_NET_REPLY;
    p->left = f->count;
    p->next = 0;
}

static void peer_command(struct net_peer *p, const void *frame, uint32_t len)
{
    struct tm_net_frame f = {0};

    memcpy(&f, frame, len < sizeof(f) ? len : sizeof(f));
    switch (f.command) {
    case TM_NET_ECHO:
        peer_answer(p, &f, frame, len);
        break;
    case TM_NET_STREAM:
        peer_stream(p, &f);
        break;
    case TM_NET_SINK:
        peer_sink(p, &f, len);
        break;
    case TM_NET_REPORT:
        peer_report(p, &f, frame, len);
        break;
    case TM_NET_POLL:
        p->poll_us = f.count;
        break;
    case TM_NET_HTTP:
        peer_http_start(&p->http, &f);
        break;
    }
}

void net_peer_take(struct net_peer *p, const void *frame, uint32_t len)
{
    struct tm_net_frame answer;
    unsigned type;

    if (len < TM_NET_FRAME_MIN || len > TM_NET_FRAME_MAX)
        return;
    type = inet_get16(((const struct tm_net_frame *)frame)->ethertype);
    if (type == TM_NET_ETHERTYPE)
        peer_command(p, frame, len);
    else if (type == TM_ETHERTYPE_IP)
        peer_http_take(&p->http, frame, len);
    if (peer_http_done(&p->http, &answer))
        peer_answer(p, &answer, &answer, HTTP_ANSWER);
}

bool net_peer_ready(const struct net_peer *p)
{
    return p->waiting || p->left || peer_http_ready(&p->http);
}

static uint32_t peer_give_stream(struct net_peer *p, uint8_t *frame)
{
    const uint32_t len = p->stream.length, words = tm_net_words(len);

    p->stream.sequence = p->next;
    for (uint32_t w = 0; w < words; w++)
        p->stream.word[w] = tm_net_word(p->next, w);
    memcpy(frame, &p->stream, TM_NET_HEADER + 8 * words);
    memset(frame + TM_NET_HEADER + 8 * words, 0,
           len - TM_NET_HEADER - 8 * words);
    p->next++;
    p->left--;
    return len;
}

uint32_t net_peer_give(struct net_peer *p, uint8_t frame[TM_NET_FRAME_MAX])
{
    uint32_t len;

    if (!p->waiting && p->left)
        return peer_give_stream(p, frame);
    if (!p->waiting)
        return peer_http_ready(&p->http) ? peer_http_give(&p->http, frame) : 0;
    len = p->answer[p->first].len;
    memcpy(frame, p->answer[p->first].bytes, len);
    p->first = (p->first + 1) % NET_PEER_BACKLOG;
    p->waiting--;
    return len;
}
