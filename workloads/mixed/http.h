/* HTTP/1.1 as a server of static files needs it (RFC 9112): no system calls. */
#ifndef TM_WORKLOADS_HTTP_H
#define TM_WORKLOADS_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX 2048  /* longest head of a request */
#define HTTP_ANSWER_MAX 256 /* longest head of an answer */

struct http_request {
    /* What is wrong with it: 400, 413, 431, 501 or 505; 0: nothing. Unless it
     * is 501, nobody knows where the next request would begin. */
    unsigned status;
    bool head_only;   /* HEAD */
    bool keep_alive;  /* another request may come; false where status says so */
    const char *path; /* within the text; not terminated */
    size_t path_len;
};

/* Looks at the first len bytes of a connection. How many belong to the first
 * request, which *r describes; 0: it isn't complete yet. Requests with a body
 * are refused (413). */
size_t http_parse(const char *text, size_t len, struct http_request *r);

/* The head of an answer, with a Content-Length; its length. */
size_t http_head(char text[HTTP_ANSWER_MAX], unsigned status,
                 size_t content_length, bool keep_alive);
/* "404 Not Found". */
const char *http_status(unsigned status);

#endif
