/* Draws the report's plots with gnuplot. */
#include "report_tsv.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define GNUPLOT_SECONDS 60

/* One row a plot. A %s in name and title is the suite. */
static const struct {
    const char *name, *script, *title;
    const char *xlabel; /* %s: the unit, in long */
    tsv_writer *write;
    const char *suite; /* NULL: one plot a suite */
    bool whole;        /* one plot of all suites */
    bool timed;        /* says nothing about a deterministic run */
} plot_table[] = {
    {"cost-%s", "cost.gp", "Cost per operation: %s",
     "%s per operation (logarithmic scale)", tsv_cost, NULL, false, false},
    {"relative", "relative.gp", "Compute workloads relative to native",
     "time as a multiple of native (native = 1, lower is better)", tsv_relative,
     "compute", false, true},
    {"nano", "cost.gp", "Cost of the paper's nanobenchmarks",
     "%s per operation (logarithmic scale)", tsv_nano, "micro", false, false},
    {"mechanisms", "relative.gp", "What each mechanism of bt buys",
     "time without it, as a multiple of bt as it is (bt = 1)", tsv_mechanisms,
     NULL, true, true},
    {"map", "map.gp", "Which paging policy is the cheapest", "%s", tsv_map,
     "tradeoff", false, true},
    {"cuts", "cuts.gp", "What the policies pay for, along three cuts",
     "what paging adds, in times of the bare steps (%s)", tsv_cuts, "tradeoff",
     false, true},
    {"profile", "profile.gp", "What workloads do: events of the guest itself",
     "events per million instructions", tsv_profile, NULL, true, false},
    {"scatter", "scatter.gp", "Workloads by system calls and page-table work",
     "%s", tsv_scatter, NULL, true, false},
    {"exits", "exits.gp", "Exits per operation", "exits per operation",
     tsv_exits, NULL, true, false},
    {"split", "split.gp", "Where the time goes",
     "per cent of the time per operation", tsv_split, NULL, true, true},
};
#define PLOTS (sizeof(plot_table) / sizeof(plot_table[0]))

/* Where the scripts are: beside the program as it is built, below the prefix as
 * it is installed, or where the build was told that they will be. */
static char *find_scripts(char why[REASON_MAX])
{
    char exe[4096];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *dirs[3], *found = NULL;

    exe[len > 0 ? len : 0] = '\0';
    dirname(exe);
    dirs[0] = xformat("%s/plots", exe);
    dirs[1] = xformat("%s/../share/trapmark/plots", exe);
    dirs[2] = xformat("%s/plots", TM_DATADIR);
    for (int i = 0; i < 3; i++) {
        char *style = xformat("%s/style.gp", dirs[i]);

        if (!found && !access(style, R_OK))
            found = xstrdup(dirs[i]);
        free(style);
    }
    if (!found)
        set_why(why,
                "no plots: gnuplot scripts not found in %.70s, %.70s, "
                "%.60s",
                dirs[0], dirs[1], dirs[2]);
    for (int i = 0; i < 3; i++)
        free(dirs[i]);
    return found;
}

/* A gnuplot string constant. */
static void add_string(struct text *t, const char *name, const char *value)
{
    text_add(t, "%s='", name);
    for (; *value; value++)
        text_add(t, *value == '\'' ? "''" : "%c", *value);
    text_add(t, "'; ");
}

/* Runs gnuplot on the script; its messages go to PREFIX.log. 0, -ENOENT, or
 * -EIO with why. */
static int run_gnuplot(const char *variables, const char *script,
                       const char *prefix, char why[REASON_MAX])
{
    char *log = xformat("%s.log", prefix);
    char line[160] = "";
    int status = 0;
    pid_t pid = fork();

    if (!pid) {
        struct rlimit cpu = {GNUPLOT_SECONDS, GNUPLOT_SECONDS};
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        int null = open("/dev/null", O_RDONLY);

        dup2(null, 0);
        dup2(fd, 1);
        dup2(fd, 2);
        setrlimit(RLIMIT_CPU, &cpu);
        setenv("LC_ALL", "C.UTF-8", 1); /* decimal points */
        execlp("gnuplot", "gnuplot", "-d", "-e", variables, script, NULL);
        _exit(127);
    }
    if (pid > 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    if (pid > 0 && !status) {
        free(log);
        return 0;
    }
    file_line(log, line, sizeof(line));
    free(log);
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return fail_why(why, -ENOENT,
                        "no plots: gnuplot is not installed "
                        "(apt-get install gnuplot-nox)");
    if (!line[0] && WIFSIGNALED(status))
        snprintf(line, sizeof(line), "%s", strsignal(WTERMSIG(status)));
    return fail_why(why, -EIO, "gnuplot failed on %.80s: %.120s",
                    strrchr(script, '/') + 1, line);
}

/* Draws one plot whose data lie at PREFIX. */
static int draw(struct report_plot *plot, const struct tsv_sizes *sizes,
                const char *scripts, const char *prefix, char why[REASON_MAX])
{
    char *svg = xformat("%s.svg", prefix);
    char *script = xformat("%s/%s", scripts, plot->script);
    struct text v = {0};
    int err;

    add_string(&v, "dir", scripts);
    add_string(&v, "data", prefix);
    add_string(&v, "svg", svg);
    add_string(&v, "title", plot->title);
    add_string(&v, "xlabel", plot->xlabel);
    text_add(&v, "columns=%u; rows=%.3f; keys=%u; notes=%u", sizes->columns,
             sizes->rows, sizes->keys, sizes->notes);
    err = run_gnuplot(v.text, script, prefix, why);
    if (!err) {
        plot->svg = file_read(svg, &plot->svg_len, why);
        if (!plot->svg)
            err = -EIO;
    }
    free(v.text);
    free(script);
    free(svg);
    return err;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

struct drawing {
    const struct report *r;
    struct report_plots *plots;
    char *scripts; /* NULL: none */
    char *temp;
};

/* Row i of the table for one suite (NULL: all). Formats from the table take one
 * string at most. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int add_plot(struct drawing *d, unsigned i, const char *suite)
{
    char *name = xformat(plot_table[i].name, suite);
    char *prefix = xformat("%s/%s", d->temp, name);
    struct tsv_sizes sizes = {0};
    struct report_plots *plots = d->plots;
    struct report_plot *plot;
    int n = plot_table[i].write(d->r, suite, prefix, &sizes);
    int err = 0;

    if (n <= 0) {
        free(name);
        free(prefix);
        if (n < 0)
            set_why(plots->why, "no plots: cannot write to %.150s: %s", d->temp,
                    strerror(-n));
        return n;
    }
    plots->plot = xrealloc(plots->plot, (plots->n + 1) * sizeof(*plot));
    plot = &plots->plot[plots->n++];
    *plot = (struct report_plot){
        .name = name,
        .suite = suite,
        .script = plot_table[i].script,
        .title = xformat(plot_table[i].title, suite),
        .xlabel = xformat(plot_table[i].xlabel, report_unit_long(d->r))};
    if (d->scripts)
        err = draw(plot, &sizes, d->scripts, prefix, plots->why);
    free(prefix);
    return err;
}
#pragma GCC diagnostic pop

int report_draw(const struct report *r, struct report_plots *plots)
{
    struct drawing d = {.r = r, .plots = plots};
    int err = 0;

    memset(plots, 0, sizeof(*plots));
    d.temp = xformat("%s/trapmark-plots-XXXXXX", temp_dir());
    if (!mkdtemp(d.temp)) {
        err = fail_why(plots->why, -errno,
                       "no plots: cannot make %.150s: %s; set TMPDIR", d.temp,
                       strerror(errno));
        free(d.temp);
        return err;
    }
    d.scripts = find_scripts(plots->why);
    if (!d.scripts)
        err = -ENOENT;
    for (unsigned i = 0; i < PLOTS && !err; i++) {
        if (plot_table[i].timed && r->instructions)
            continue;
        if (plot_table[i].suite || plot_table[i].whole) {
            err = add_plot(&d, i, plot_table[i].suite);
            continue;
        }
        for (const char *s = report_next_suite(r, NULL); s && !err;
             s = report_next_suite(r, s))
            err = add_plot(&d, i, s);
    }
    nftw(d.temp, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(d.scripts);
    free(d.temp);
    return err;
}

void report_plots_free(struct report_plots *plots)
{
    for (unsigned i = 0; i < plots->n; i++) {
        free(plots->plot[i].name);
        free(plots->plot[i].title);
        free(plots->plot[i].xlabel);
        free(plots->plot[i].svg);
    }
    free(plots->plot);
    memset(plots, 0, sizeof(*plots));
}
