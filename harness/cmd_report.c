/* `trapmark report`: tables on stdout, plots and a page in a directory. */
#include "cmd.h"
#include "report.h"
#include "util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct options {
    char **files;
    unsigned nfiles;
    const char *dir;
};

static const struct argp_option option_table[] = {
    {"output", 'o', "DIR", 0,
     "Write report.html and *.svg here (default: the first file's directory)",
     0},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'o':
        if (!*arg)
            cli_usage("option '--output' needs a directory");
        o->dir = arg;
        return 0;
    case ARGP_KEY_ARG:
        o->files = xrealloc(o->files, (o->nfiles + 1) * sizeof(*o->files));
        o->files[o->nfiles++] = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        cli_usage("no result file given; 'trapmark run -o FILE' writes one");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    option_table,
    parse_option,
    "FILE...",
    "Prints tables of one or several result files, draws plots with gnuplot, "
    "and writes a page that holds everything.\v"
    "Several files stand side by side: a column a backend and file. Without "
    "gnuplot there are tables and the page, and a warning. Exit codes: 0 ok, "
    "1 something wasn't written, 2 a file can't be read, 77 no row in it is "
    "measured.",
    NULL,
    NULL,
    NULL};

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/")
                         : xformat("%.*s", (int)(slash - path), path);
}

static bool any_ok(const struct report *r)
{
    for (unsigned i = 0; i < r->nrows; i++)
        if (r->rows[i].status == ROW_OK)
            return true;
    return r->ncounted > 0;
}

static int make_report(const struct report *r, const char *dir)
{
    struct report_plots plots;
    char why[REASON_MAX];
    unsigned drawn = 0;
    int status = EXIT_OK, err;

    report_tables(r, stdout);
    err = report_draw(r, &plots);
    if (err) {
        cli_say("%s", plots.why);
        status = err == -ENOENT ? EXIT_OK : EXIT_FAILED;
    }
    for (unsigned i = 0; i < plots.n; i++)
        drawn += plots.plot[i].svg != NULL;
    err = report_write(r, &plots, dir, why);
    report_plots_free(&plots);
    if (err) {
        cli_say("%s", why);
        return EXIT_FAILED;
    }
    printf("\n%s/report.html and %u plot%s written\n", dir, drawn,
           drawn == 1 ? "" : "s");
    if (status == EXIT_OK && !any_ok(r)) {
        cli_say("no row is measured; the reasons are above");
        return EXIT_NOTHING;
    }
    return status;
}

int cmd_report(int argc, char **argv)
{
    struct options o = {0};
    struct report report;
    char why[REASON_MAX];
    char *dir;
    int status = EXIT_USAGE;

    cli_parse(&argp, argc, argv, &o);
    dir = o.dir ? xstrdup(o.dir) : directory_of(o.files[0]);
    if (report_load(&report, o.files, o.nfiles, why))
        cli_say("%s", why);
    else
        status = make_report(&report, dir);
    report_free(&report);
    free(dir);
    free(o.files);
    return status;
}
