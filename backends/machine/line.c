/* COM1's output, cut into lines for the harness. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

int line_create(struct line_buffer *l)
{
    l->len = 0;
    l->text = malloc(MACHINE_LINE_MAX + 1);
    return l->text ? 0 : -ENOMEM;
}

void line_destroy(struct line_buffer *l)
{
    free(l->text);
    l->text = NULL;
}

static void line_deliver(struct machine *m)
{
    struct line_buffer *l = &m->line;

    if (l->len && l->text[l->len - 1] == '\r')
        l->len--;
    l->text[l->len] = '\0';
    if (m->config.line)
        m->config.line(m->config.opaque, l->text, l->len);
    l->len = 0;
}

void line_put(struct machine *m, uint8_t byte)
{
    struct line_buffer *l = &m->line;

    if (byte == '\n')
        line_deliver(m);
    else if (l->len < MACHINE_LINE_MAX)
        l->text[l->len++] = byte;
}

/* The guest is gone: hand over what it left without a newline. */
void line_flush(struct machine *m)
{
    if (m->line.len)
        line_deliver(m);
}
