/* What the two web servers share: files, log, one connection's work, the load.
 */
#ifndef TM_WORKLOADS_WEB_H
#define TM_WORKLOADS_WEB_H

#include "http.h"

#include <stdint.h>

#define WEB_CONNECTIONS 16
#define WEB_PORT 80

struct web_connection {
    int sock;
    size_t have; /* bytes in `text` */
    char text[HTTP_HEAD_MAX];
};

/* Receives once (which waits, if nothing is there) and answers every request
 * that is complete then. False: the connection is at its end; close it. */
bool web_serve(struct web_connection *c);

/* For the benchmarks: why there is nothing to do this with; the files and the
 * log, before any fork; n requests; two of each kind; what went wrong, and
 * whether each request left its line in the log; the disk as it was. */
const char *web_refuse(void);
const char *web_init(void);
void web_kernel(uint64_t n);
uint64_t web_checksum(void);
const char *web_verify(void);
void web_cleanup(void);

#endif
