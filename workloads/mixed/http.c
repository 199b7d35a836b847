/* Parses requests and writes the heads of answers. */
#include "http.h"
#include "../../guest/lib/lib.h"

/* A piece of the text. */
struct span {
    const char *at, *end;
};

static bool span_is(struct span s, const char *word)
{
    size_t len = strlen(word);

    return (size_t)(s.end - s.at) == len && !memcmp(s.at, word, len);
}

/* The same whatever the case; word is in lower case. */
static bool span_is_name(struct span s, const char *word)
{
    for (; s.at < s.end && *word; s.at++, word++)
        if ((*s.at >= 'A' && *s.at <= 'Z' ? *s.at + 32 : *s.at) != *word)
            return false;
    return s.at == s.end && !*word;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9110, 5.6.2. */
static bool is_token_char(char c)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
        (c >= 'a' && c <= 'z'))
        return true;
    for (const char *m = marks; *m; m++)
        if (c == *m)
            return true;
    return false;
}

static bool is_token(struct span s)
{
    if (s.at == s.end)
        return false;
    for (; s.at < s.end; s.at++)
        if (!is_token_char(*s.at))
            return false;
    return true;
}

/* The next line without its CRLF, and *at behind it; false: there is none. A
 * bare CR or LF stays within a line, which makes the line malformed. */
static bool next_line(struct span *rest, struct span *line)
{
    for (const char *p = rest->at; p + 1 < rest->end; p++) {
        if (p[0] != '\r' || p[1] != '\n')
            continue;
        *line = (struct span){rest->at, p};
        rest->at = p + 2;
        return true;
    }
    return false;
}

/* Up to the next single space. */
static struct span next_word(struct span *line)
{
    struct span word = *line;

    for (word.end = word.at; word.end < line->end && *word.end != ' ';)
        word.end++;
    line->at = word.end < line->end ? word.end + 1 : word.end;
    return word;
}

static unsigned parse_version(struct span v, bool *old)
{
    if (v.end - v.at != 8 || memcmp(v.at, "HTTP/", 5) || v.at[6] != '.' ||
        v.at[5] < '0' || v.at[5] > '9' || v.at[7] < '0' || v.at[7] > '9')
        return 400;
    *old = v.at[7] == '0';
    return v.at[5] == '1' ? 0 : 505;
}

static unsigned parse_request_line(struct span line, struct http_request *r,
                                   bool *old)
{
    struct span method = next_word(&line), target = next_word(&line);
    unsigned status = parse_version(line, old);

    if (!is_token(method) || target.at == target.end || *target.at != '/')
        return 400;
    for (const char *p = target.at; p < target.end; p++)
        if (*p <= ' ' || *p >= 127)
            return 400;
    r->path = target.at;
    r->path_len = (size_t)(target.end - target.at);
    r->head_only = span_is(method, "HEAD");
    if (status)
        return status;
    return r->head_only || span_is(method, "GET") ? 0 : 501;
}

struct fields {
    unsigned hosts;
    bool close, keep_alive, body;
};

/* One of the comma-separated options of Connection. */
static void connection_option(struct span s, struct fields *f)
{
    while (s.at < s.end && is_blank(*s.at))
        s.at++;
    while (s.at < s.end && is_blank(s.end[-1]))
        s.end--;
    f->close |= span_is_name(s, "close");
    f->keep_alive |= span_is_name(s, "keep-alive");
}

static void connection_field(struct span value, struct fields *f)
{
    struct span option = value;

    for (const char *p = value.at; p <= value.end; p++) {
        if (p < value.end && *p != ',')
            continue;
        option.end = p;
        connection_option(option, f);
        option.at = p + 1;
    }
}

static bool parse_field(struct span line, struct fields *f)
{
    struct span name = {line.at, line.at}, value = {NULL, line.end};

    while (name.end < line.end && *name.end != ':')
        name.end++;
    if (name.end == line.end || !is_token(name))
        return false;
    value.at = name.end + 1;
    while (value.at < value.end && is_blank(*value.at))
        value.at++;
    while (value.at < value.end && is_blank(value.end[-1]))
        value.end--;
    for (const char *p = value.at; p < value.end; p++)
        if (*p != '\t' && ((unsigned char)*p < ' ' || *p == 127))
            return false;
    if (span_is_name(name, "host"))
        f->hosts++;
    else if (span_is_name(name, "connection"))
        connection_field(value, f);
    else if (span_is_name(name, "content-length"))
        f->body |= !span_is(value, "0");
    else if (span_is_name(name, "transfer-encoding"))
        f->body = true;
    return true;
}

size_t http_parse(const char *text, size_t len, struct http_request *r)
{
    struct span rest = {text, text + len}, first, line;
    struct fields f = {0};
    bool old = false, sound = true;

    *r = (struct http_request){0};
    /* An empty line before the request is no sin (RFC 9112, 2.2). */
    if (len >= 2 && text[0] == '\r' && text[1] == '\n')
        rest.at += 2;
    if (!next_line(&rest, &first))
        goto incomplete;
    do {
        if (!next_line(&rest, &line))
            goto incomplete;
        if (line.at < line.end && !parse_field(line, &f))
            sound = false;
    } while (line.at < line.end);
    r->status = parse_request_line(first, r, &old);
    if (!sound || f.hosts > 1 || (!old && !f.hosts))
        r->status = 400;
    else if (f.body && !r->status)
        r->status = 413;
    r->keep_alive = (!r->status || (r->status == 501 && !f.body)) && !f.close &&
                    (!old || f.keep_alive);
    return (size_t)(rest.at - text);

incomplete:
    if (len < HTTP_HEAD_MAX)
        return 0;
    r->status = 431;
    return len;
}

/* ---- Answers ------------------------------------------------------------ */

const char *http_status(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } known[] = {
        {200, "200 OK"},
        {400, "400 Bad Request"},
        {404, "404 Not Found"},
        {413, "413 Content Too Large"},
        {431, "431 Request Header Fields Too Large"},
        {501, "501 Not Implemented"},
        {505, "505 HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (known[i].status == status)
            return known[i].text;
    return "500 Internal Server Error";
}

size_t http_head(char text[HTTP_ANSWER_MAX], unsigned status,
                 size_t content_length, bool keep_alive)
{
    return (size_t)fmt_snprintf(
        text, HTTP_ANSWER_MAX,
        "HTTP/1.1 %s\r\nServer: trapmark\r\nContent-Type: %s\r\n"
        "Content-Length: %zu\r\nConnection: %s\r\n\r\n",
        http_status(status),
        status == 200 ? "application/octet-stream" : "text/plain",
        content_length, keep_alive ? "keep-alive" : "close");
}
