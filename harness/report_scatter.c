/* Data of the scatter: workloads by system calls and page-table work. */
#include "report_profile.h"
#include "util.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The picture in pixels: as in plots/scatter.gp. */
#define WIDTH 1080.
#define HEIGHT 640.
#define LETTER 6.9
#define LINE 15.
#define LOW 0.02 /* where both axes begin; 0 stands a little above */
#define ZERO (PROFILE_LEAST / 3)

/* What the paper says of its benchmarks, as areas of the picture. */
static const struct {
    double x1, y1, x2, y2; /* 0: the axis's end */
    const char *name, *why;
} regions[] = {
    {0, 0, 30, 30, "SPECint, SPECjbb", "few of both: all VMMs are near native"},
    {30, 0, 0, 30, "Apache on Windows, 2D",
     "one address space: system calls are what counts"},
    {30, 30, 0, 1000, "Apache on Linux, kernel compile",
     "many address spaces: page-table work"},
    {30, 1000, 0, 0, "forkwait", "page tables above all: the worst case"},
    {0, 30, 30, 0, "large RAM", "page faults without system calls"},
};
#define REGIONS (sizeof(regions) / sizeof(regions[0]))

/* Where a label stands. */
enum side { RIGHT, LEFT, ABOVE, BELOW, SIDES };

struct box {
    double x1, y1, x2, y2;
};

struct point {
    double x, y;
    unsigned bench, suite; /* index into suites */
    bool labelled;
    enum side side;
    unsigned leader; /* where not labelled: whose label speaks for it */
};

struct scatter {
    const struct report *r;
    struct point *points;
    unsigned n;
    double right, top; /* where the axes end */
    struct box *taken;
    unsigned ntaken;
};

static const char *const suites[] = {"compute", "io", "mixed"};
#define SUITES (sizeof(suites) / sizeof(suites[0]))

static double pixel_x(const struct scatter *s, double x)
{
    return fmin(fmax(log(x / LOW) / log(s->right / LOW), 0), 1) * WIDTH;
}

static double pixel_y(const struct scatter *s, double y)
{
    return (1 - fmin(fmax(log(y / LOW) / log(s->top / LOW), 0), 1)) * HEIGHT;
}

static double page_work(const struct report_row *row)
{
    static const enum tm_event events[] = {EV_FAULT_TRUE, EV_FAULT_TRACE,
                                           EV_CTX_SWITCH, EV_EXIT_INVLPG};
    double sum = 0, value;

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (profile_rate(row, events[i], &value))
            sum += value;
    return sum;
}

/* The axes leave room for labels. */
static void find_points(struct scatter *s, const struct report_row **chosen)
{
    s->right = 3000;
    s->top = 30000;
    for (unsigned b = 0; b < s->r->nbenches; b++) {
        struct point p = {.bench = b};

        if (!chosen[b] || !profile_rate(chosen[b], EV_GUEST_SYSCALL, &p.x))
            continue;
        p.x = fmax(p.x, ZERO);
        p.y = fmax(page_work(chosen[b]), ZERO);
        while (strcmp(suites[p.suite], s->r->benches[b].suite))
            p.suite++;
        s->points = xrealloc(s->points, (s->n + 1) * sizeof(p));
        s->points[s->n++] = p;
        s->right = fmax(s->right, p.x * 12);
        s->top = fmax(s->top, p.y * 4);
    }
}

/* ---- Labels ----------------------------------------------------------- */

static void take(struct scatter *s, struct box b)
{
    s->taken = xrealloc(s->taken, (s->ntaken + 1) * sizeof(b));
    s->taken[s->ntaken++] = b;
}

static bool is_free(const struct scatter *s, struct box b)
{
    if (b.x1 < 0 || b.x2 > WIDTH || b.y1 < 0 || b.y2 > HEIGHT)
        return false;
    for (unsigned i = 0; i < s->ntaken; i++) {
        const struct box *o = &s->taken[i];

        if (b.x1 < o->x2 && o->x1 < b.x2 && b.y1 < o->y2 && o->y1 < b.y2)
            return false;
    }
    return true;
}

static struct box label_box(const struct scatter *s, const struct point *p,
                            enum side side)
{
    /* Room for a count of others behind the name; the mixed ones have few. */
    size_t letters =
        strlen(s->r->benches[p->bench].label) + (p->suite + 1 < SUITES ? 4 : 0);
    double width = letters * LETTER;
    double x = pixel_x(s, p->x), y = pixel_y(s, p->y);
    double left = side == RIGHT  ? x + 8
                  : side == LEFT ? x - 8 - width
                                 : x - width / 2;
    double top = side == ABOVE   ? y - 7 - LINE
                 : side == BELOW ? y + 7
                                 : y - LINE / 2;

    return (struct box){left, top, left + width, top + LINE};
}

/* Names of areas and points are in the way. */
static void take_fixed(struct scatter *s)
{
    for (size_t i = 0; i < REGIONS; i++) {
        double x = pixel_x(s, regions[i].x2 > 0 ? regions[i].x2 : s->right) - 8;
        double y = pixel_y(s, regions[i].y2 > 0 ? regions[i].y2 : s->top);
        size_t name = strlen(regions[i].name), why = strlen(regions[i].why);
        double width = fmax(name * (LETTER + 1), why * (LETTER - 0.6));

        take(s, (struct box){x - width, y, x, y + 48});
    }
    for (unsigned i = 0; i < s->n; i++) {
        double x = pixel_x(s, s->points[i].x), y = pixel_y(s, s->points[i].y);

        take(s, (struct box){x - 6, y - 6, x + 6, y + 6});
    }
}

/* The label nearest to a point, of its suite if there is one. */
static unsigned nearest(const struct scatter *s, unsigned which)
{
    const struct point *p = &s->points[which];
    double least = INFINITY;
    unsigned best = which;

    for (unsigned i = 0; i < s->n; i++) {
        const struct point *o = &s->points[i];
        double d = hypot(pixel_x(s, o->x) - pixel_x(s, p->x),
                         pixel_y(s, o->y) - pixel_y(s, p->y)) +
                   (o->suite == p->suite ? 0 : WIDTH + HEIGHT);

        if (!o->labelled || d >= least)
            continue;
        least = d;
        best = i;
    }
    return best;
}

/* The mixed ones first, as they are what the picture is about. */
static void place_labels(struct scatter *s)
{
    take_fixed(s);
    for (unsigned suite = SUITES; suite-- > 0;)
        for (unsigned i = 0; i < s->n; i++) {
            struct point *p = &s->points[i];

            for (enum side side = RIGHT;
                 p->suite == suite && !p->labelled && side < SIDES; side++) {
                struct box b = label_box(s, p, side);

                if (!is_free(s, b))
                    continue;
                take(s, b);
                p->labelled = true;
                p->side = side;
            }
        }
    for (unsigned i = 0; i < s->n; i++)
        if (!s->points[i].labelled)
            s->points[i].leader = nearest(s, i);
}

/* "sort", or "sort +11" with the others in the notes. */
static char *point_label(const struct scatter *s, unsigned which,
                         struct text *notes)
{
    const char *name = s->r->benches[s->points[which].bench].label;
    struct text others = {0};
    unsigned count = 0;
    char *label;

    if (!s->points[which].labelled)
        return xstrdup("");
    for (unsigned i = 0; i < s->n; i++) {
        if (s->points[i].labelled || s->points[i].leader != which)
            continue;
        count++;
        text_list(&others, "%s", s->r->benches[s->points[i].bench].label);
    }
    if (!count)
        return xstrdup(name);
    label = xformat("%s +%u", name, count);
    text_add(notes, "%s%s: %s", notes->len ? "; " : "", label, others.text);
    free(others.text);
    return label;
}

/* ---- Files ------------------------------------------------------------ */

static bool write_points(const struct scatter *s, const char *prefix,
                         struct text *notes)
{
    FILE *f = tsv_open(prefix, "points");
    struct text beside = {0};

    if (!f)
        return false;
    for (unsigned i = 0; i < s->n; i++) {
        const struct point *p = &s->points[i];
        char *label = point_label(s, i, &beside);

        fprintf(f, "%.6g\t%.6g\t%u\t%d\t", p->x, p->y, p->suite, p->side);
        tsv_field(f, label);
        fputc('\n', f);
        free(label);
    }
    tsv_note(notes, "Side by side: ", &beside);
    return tsv_close(f);
}

static bool write_frame(const struct scatter *s, const char *prefix)
{
    FILE *f = tsv_open(prefix, "regions"), *g = tsv_open(prefix, "keys");
    bool ok = f && g;

    for (size_t i = 0; ok && i < REGIONS; i++)
        fprintf(f, "%g\t%g\t%g\t%g\t%s\t%s\n",
                regions[i].x1 > 0 ? regions[i].x1 : LOW,
                regions[i].y1 > 0 ? regions[i].y1 : LOW,
                regions[i].x2 > 0 ? regions[i].x2 : s->right,
                regions[i].y2 > 0 ? regions[i].y2 : s->top, regions[i].name,
                regions[i].why);
    for (size_t i = 0; ok && i < SUITES; i++)
        fprintf(g, "%s\t%s\t0\n", suites[i], suites[i]);
    if (f)
        ok &= tsv_close(f);
    if (g)
        ok &= tsv_close(g);
    return ok;
}

int tsv_scatter(const struct report *r, const char *suite, const char *prefix,
                struct tsv_sizes *sizes)
{
    struct scatter s = {.r = r};
    struct text notes = {0};
    unsigned n;
    const struct report_row **chosen = profile_choose(r, &n);
    int lines = 0;
    bool ok = true;

    (void)suite;
    /* Two points are no picture. */
    if (n > 2) {
        find_points(&s, chosen);
        place_labels(&s);
        ok = write_points(&s, prefix, &notes) && write_frame(&s, prefix);
        profile_note_untraced(r, chosen, &notes);
        text_add(&notes,
                 "Page-table events: page faults, CR3 loads, INVLPG, and "
                 "writes to page tables where they are counted. What is rarer "
                 "than 0.1 per million instructions stands at 0. Areas carry "
                 "the names of the paper's benchmarks by what it says of them; "
                 "their borders are drawn here, not there.\n");
        lines = tsv_notes(prefix, &notes);
    }
    free(s.points);
    free(s.taken);
    free(chosen);
    if (!ok || lines < 0)
        return -EIO;
    sizes->columns = 1;
    sizes->keys = SUITES;
    sizes->notes = lines;
    return n > 2 ? (int)n : 0;
}
