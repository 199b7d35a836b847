/* Progress: one updating line on a terminal, a line a row elsewhere. */
#include "progress.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct kind {
    const char *name;
    unsigned left, done;
    double seconds; /* of those done */
};

struct progress {
    struct kind *kinds;
    unsigned count, done, total;
    bool terminal, verbose, shown;
};

struct progress *progress_new(const char *const *kinds,
                              const unsigned *steps_of_kind, bool verbose)
{
    struct progress *p = xcalloc(1, sizeof(*p));
    const char *term = getenv("TERM");

    for (; kinds[p->count]; p->count++) {
        p->kinds = xrealloc(p->kinds, (p->count + 1) * sizeof(*p->kinds));
        p->kinds[p->count] =
            (struct kind){kinds[p->count], steps_of_kind[p->count], 0, 0};
        p->total += steps_of_kind[p->count];
    }
    p->terminal = isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
    p->verbose = verbose;
    return p;
}

/* Seconds, or a negative number while nothing is known. */
static double time_left(const struct progress *p)
{
    double seconds = 0, mean, left = 0;

    for (unsigned i = 0; i < p->count; i++)
        seconds += p->kinds[i].seconds;
    if (!p->done)
        return -1;
    mean = seconds / p->done;
    for (unsigned i = 0; i < p->count; i++) {
        const struct kind *k = &p->kinds[i];

        left += k->left * (k->done ? k->seconds / k->done : mean);
    }
    return left;
}

static void clear(struct progress *p)
{
    if (p->shown)
        fputs("\r\033[K", stderr);
    p->shown = false;
}

void progress_begin(struct progress *p, unsigned kind, const char *bench,
                    int round, int rounds)
{
    double left = time_left(p);
    struct winsize size;
    char line[256];
    int width = 80, n;

    if (!p->terminal)
        return;
    if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col)
        width = size.ws_col;
    n = snprintf(line, sizeof(line), "[%u/%u] %s on %s", p->done + 1, p->total,
                 bench, p->kinds[kind].name);
    if (rounds > 1)
        n += snprintf(line + n, sizeof(line) - n, ", round %d of %d", round,
                      rounds);
    if (left >= 0)
        snprintf(line + n, sizeof(line) - n, ", %d:%02d left", (int)left / 60,
                 (int)left % 60);
    fprintf(stderr, "\r%.*s\033[K", width - 1, line);
    fflush(stderr);
    p->shown = true;
}

void progress_end(struct progress *p, unsigned kind, double seconds)
{
    struct kind *k = &p->kinds[kind];

    p->done++;
    k->done++;
    k->seconds += seconds;
    if (k->left)
        k->left--;
}

void progress_drop(struct progress *p, unsigned kind, unsigned steps)
{
    struct kind *k = &p->kinds[kind];

    if (steps > k->left)
        steps = k->left;
    k->left -= steps;
    p->total -= steps;
}

void progress_row(struct progress *p, const char *line)
{
    if (p->terminal && !p->verbose)
        return;
    progress_note(p, line);
}

void progress_note(struct progress *p, const char *line)
{
    clear(p);
    fprintf(stderr, "%s\n", line);
}

void progress_free(struct progress *p)
{
    clear(p);
    free(p->kinds);
    free(p);
}
