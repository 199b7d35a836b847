/* Named dials with a list of values each, and the points of their grid. */
#include "grid.h"
#include "util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_values(struct grid_dial *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->values[i]);
    free(d->values);
    d->values = NULL;
    d->count = 0;
}

/* False: it is there already. */
static bool add_value(struct grid_dial *d, const char *text, size_t len)
{
    char *value = xformat("%.*s", (int)len, text);

    for (size_t i = 0; i < d->count; i++) {
        if (strcmp(d->values[i], value))
            continue;
        free(value);
        return false;
    }
    d->values = xrealloc(d->values, (d->count + 1) * sizeof(*d->values));
    d->values[d->count++] = value;
    return true;
}

static struct grid_dial *add_dial(struct grid *g, const char *name, size_t len)
{
    struct grid_dial *d;

    g->dials = xrealloc(g->dials, (g->count + 1) * sizeof(*g->dials));
    d = &g->dials[g->count++];
    memset(d, 0, sizeof(*d));
    memcpy(d->name, name, len);
    return d;
}

const struct grid_dial *grid_find(const struct grid *g, const char *name)
{
    for (size_t i = 0; i < g->count; i++)
        if (!strcmp(g->dials[i].name, name))
            return &g->dials[i];
    return NULL;
}

static bool is_number(const char *text, size_t len)
{
    char copy[24];
    uint64_t value;

    if (!len || len >= sizeof(copy) || (len > 1 && *text == '0'))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return parse_number(copy, 0, INT64_MAX, &value);
}

static int parse_values(struct grid_dial *d, const char *text, size_t len,
                        char why[REASON_MAX])
{
    for (const char *end = text + len;;) {
        size_t n = strcspn(text, ", ");

        if (!is_number(text, n))
            return fail_why(why, -EINVAL,
                            "%s has the value '%.*s', which is not a number",
                            d->name, (int)(n < 24 ? n : 24), text);
        if (!add_value(d, text, n))
            return fail_why(why, -EINVAL, "%s has the value %.*s twice",
                            d->name, (int)n, text);
        text += n;
        if (text == end)
            return 0;
        text++;
    }
}

int grid_parse(struct grid *g, const char *text, char why[REASON_MAX])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t len = strcspn(text, " "), name = strspn(text, letters);
        struct grid_dial *d;
        int err;

        if (!name || name >= GRID_NAME_MAX || text[name] != '=')
            return fail_why(why, -EINVAL, "'%.*s' is not NAME=NUMBER,NUMBER...",
                            (int)(len < 60 ? len : 60), text);
        d = add_dial(g, text, name);
        if (grid_find(g, d->name) != d)
            return fail_why(why, -EINVAL, "%s is there twice", d->name);
        err = parse_values(d, text + name + 1, len - name - 1, why);
        if (err)
            return err;
        if (grid_points(g) > GRID_POINTS_MAX)
            return fail_why(why, -EINVAL, "it has more than %d points",
                            GRID_POINTS_MAX);
        text += len;
    }
    return 0;
}

bool grid_set(struct grid *g, const char *name, const char *values)
{
    struct grid_dial *d = (struct grid_dial *)grid_find(g, name);
    size_t len = strlen(name);

    if (len >= GRID_NAME_MAX)
        return false;
    if (!d)
        d = add_dial(g, name, len);
    free_values(d);
    for (const char *p = values;; p++) {
        len = strcspn(p, ",");
        if (!len)
            return false;
        add_value(d, p, len);
        p += len;
        if (!*p)
            return true;
    }
}

void grid_add(struct grid *g, const struct grid_dial *d)
{
    struct grid_dial *copy = add_dial(g, d->name, strlen(d->name));

    for (size_t i = 0; i < d->count; i++)
        add_value(copy, d->values[i], strlen(d->values[i]));
}

size_t grid_points(const struct grid *g)
{
    size_t n = 1;

    /* More than anyone asks for, and far from an overflow. */
    for (size_t i = 0; i < g->count && n <= GRID_POINTS_MAX; i++)
        n *= g->dials[i].count;
    return n;
}

json_t *grid_point(const struct grid *g, size_t i)
{
    json_t *point = json_object();
    size_t stride = grid_points(g);

    for (size_t k = 0; k < g->count; k++) {
        const struct grid_dial *d = &g->dials[k];

        stride /= d->count;
        json_object_set_new(point, d->name,
                            json_string(d->values[i / stride % d->count]));
    }
    return point;
}

char *grid_text(const struct grid *g)
{
    char *text = xstrdup("");

    for (size_t k = 0; k < g->count; k++) {
        const struct grid_dial *d = &g->dials[k];

        for (size_t i = 0; i < d->count; i++) {
            char *more = i ? xformat("%s,%s", text, d->values[i])
                           : xformat("%s%s%s=%s", text, k ? " " : "", d->name,
                                     d->values[i]);

            free(text);
            text = more;
        }
    }
    return text;
}

void grid_free(struct grid *g)
{
    for (size_t i = 0; i < g->count; i++)
        free_values(&g->dials[i]);
    free(g->dials);
    memset(g, 0, sizeof(*g));
}
