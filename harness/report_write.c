/* Writes the report's page and pictures into a directory. */
#include "report.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Through a temporary file and rename: a reader sees the old content or the
 * new. */
static int save(const char *dir, const char *name, const char *data, size_t len,
                char why[REASON_MAX])
{
    char *path = xformat("%s/%s", dir, name);
    char *temp = xformat("%s/.%s.%d", dir, name, (int)getpid());
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int err = fd < 0 ? -errno : write_all(fd, data, len);

    if (fd >= 0 && close(fd) && !err)
        err = -errno;
    if (!err && rename(temp, path))
        err = -errno;
    if (err) {
        if (fd >= 0)
            unlink(temp);
        fail_why(why, err, "cannot write %.180s: %s", path, strerror(-err));
    }
    free(temp);
    free(path);
    return err;
}

int report_write(const struct report *r, const struct report_plots *plots,
                 const char *dir, char why[REASON_MAX])
{
    char *page = xformat("%s/report.html", dir), *text = NULL;
    size_t len = 0;
    FILE *out;
    int err = make_parents(page);

    free(page);
    if (err)
        return fail_why(why, err, "cannot make %.180s: %s", dir,
                        strerror(-err));
    for (unsigned i = 0; i < plots->n && !err; i++) {
        const struct report_plot *p = &plots->plot[i];
        char *name = xformat("%s.svg", p->name);

        if (p->svg)
            err = save(dir, name, p->svg, p->svg_len, why);
        free(name);
    }
    if (err)
        return err;
    out = open_memstream(&text, &len);
    if (!out)
        return fail_why(why, -errno, "out of memory");
    report_html(r, plots, dir, out);
    err = fclose(out) ? fail_why(why, -ENOMEM, "out of memory")
                      : save(dir, "report.html", text, len, why);
    free(text);
    return err;
}
