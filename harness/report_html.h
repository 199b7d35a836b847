/* Pieces of the report's page. */
#ifndef TM_REPORT_HTML_H
#define TM_REPORT_HTML_H

#include "report.h"

/* Text with the five special characters of HTML as entities. */
void html_text(FILE *out, const char *text);
/* The same between two pieces of HTML. */
void html_tagged(FILE *out, const char *open, const char *text,
                 const char *close);

/* Facts of one file: tool, command, host, KVM, PMU, primitives. dir is where
 * the page goes; a file that lies there is linked. */
void html_host(FILE *out, const struct report_file *file, const char *dir);

#endif
