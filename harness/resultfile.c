/* Building, reading, checking and writing the result file. */
#include "resultfile.h"
#include "util.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

json_t *result_new(void)
{
    return json_pack("{s:s, s:{s:s, s:s}, s:{}, s:{}, s:[], s:[]}", RF_SCHEMA,
                     RESULT_SCHEMA, RF_TOOL, RF_NAME, "trapmark", RF_VERSION,
                     TM_VERSION, RF_HOST, RF_CONFIG, RF_RUNS, RF_WARNINGS);
}

void result_set_real(json_t *object, const char *name, double value)
{
    if (isfinite(value))
        json_object_set_new(object, name, json_real(value));
}

/* C0, C1 and DEL: what a terminal would obey. Returns how many bytes. */
static unsigned is_control(const char *p)
{
    unsigned char c = (unsigned char)*p;

    if (c == 0xc2 && (p[1] & 0xe0) == 0x80)
        return 2;
    return c < 0x20 || c == 0x7f;
}

/* Texts end up on terminals. */
static void replace_controls(char *text)
{
    for (char *p = text; *p; p++)
        for (unsigned n = is_control(p); n; n--)
            p[n - 1] = '?';
}

void result_set_text(json_t *object, const char *name, const char *value)
{
    json_t *text;
    char *copy;

    if (!value || !*value)
        return;
    copy = xstrdup(value);
    replace_controls(copy);
    text = json_string(copy);
    if (!text) {
        for (char *p = copy; *p; p++)
            if (*p & 0x80)
                *p = '?';
        text = json_string(copy);
    }
    free(copy);
    json_object_set_new(object, name, text);
}

/* All texts of a file. */
static void make_plain(json_t *value)
{
    const char *key;
    json_t *item;
    char *copy;
    size_t i;

    if (json_is_object(value)) {
        json_object_foreach(value, key, item) make_plain(item);
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item) make_plain(item);
    } else if (json_is_string(value)) {
        copy = xstrdup(json_string_value(value));
        replace_controls(copy);
        if (strcmp(copy, json_string_value(value)))
            json_string_set(value, copy);
        free(copy);
    }
}

void result_warn(json_t *file, const char *text, const char *advice,
                 const char *bench, const char *backend)
{
    json_t *warnings = json_object_get(file, RF_WARNINGS), *old;
    json_t *warning = json_object();
    size_t i;

    result_set_text(warning, RF_TEXT, text);
    result_set_text(warning, RF_ADVICE, advice);
    result_set_text(warning, RF_BENCH, bench);
    result_set_text(warning, RF_BACKEND, backend);
    json_array_foreach(warnings, i, old)
    {
        if (json_equal(old, warning)) {
            json_decref(warning);
            return;
        }
    }
    json_array_append_new(warnings, warning);
}

const char *result_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

bool result_real(const json_t *object, const char *name, double *value)
{
    json_t *number = json_object_get(object, name);

    if (!json_is_number(number))
        return false;
    *value = json_number_value(number);
    return true;
}

/* What is wrong with one run, or NULL. */
static const char *check_run(const json_t *run)
{
    static const char *const needed[] = {RF_BENCH, RF_SUITE, RF_BACKEND,
                                         RF_STATUS};
    const char *status = result_text(run, RF_STATUS);

    if (!json_is_object(run))
        return "is not an object";
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!result_text(run, needed[i]))
            return "lacks one of bench, suite, backend and status";
    if (strcmp(status, RF_STATUS_OK) && !result_text(run, RF_REASON))
        return "is not ok and gives no reason";
    return NULL;
}

static int check_file(const json_t *file, const char *path,
                      char why[REASON_MAX])
{
    static const char *const objects[] = {RF_TOOL, RF_HOST, RF_CONFIG};
    static const char *const arrays[] = {RF_RUNS, RF_WARNINGS};
    const char *schema = result_text(file, RF_SCHEMA);
    json_t *run;
    size_t i;

    if (!schema)
        return fail_why(why, -EINVAL, "%s: not a Trapmark result file", path);
    if (strcmp(schema, RESULT_SCHEMA))
        return fail_why(why, -EINVAL,
                        "%s: schema is %.60s, this program reads %s", path,
                        schema, RESULT_SCHEMA);
    for (i = 0; i < 3; i++)
        if (!json_is_object(json_object_get(file, objects[i])))
            return fail_why(why, -EINVAL, "%s: no object \"%s\"", path,
                            objects[i]);
    for (i = 0; i < 2; i++)
        if (!json_is_array(json_object_get(file, arrays[i])))
            return fail_why(why, -EINVAL, "%s: no array \"%s\"", path,
                            arrays[i]);
    json_array_foreach(json_object_get(file, RF_RUNS), i, run)
    {
        const char *wrong = check_run(run);

        if (wrong)
            return fail_why(why, -EINVAL, "%s: runs[%zu] %s", path, i, wrong);
    }
    json_array_foreach(json_object_get(file, RF_WARNINGS), i, run) if (
        !result_text(run,
                     RF_TEXT)) return fail_why(why, -EINVAL,
                                               "%s: warnings[%zu] has no text",
                                               path, i);
    return 0;
}

json_t *result_load(const char *path, char why[REASON_MAX])
{
    json_error_t error;
    size_t len;
    char *text = file_read(path, &len, why);
    json_t *file;

    if (!text)
        return NULL;
    file = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!file) {
        set_why(why, "%s: line %d, column %d: %s", path, error.line,
                error.column, error.text);
        return NULL;
    }
    if (check_file(file, path, why)) {
        json_decref(file);
        return NULL;
    }
    make_plain(file);
    return file;
}

static int write_in_place(const char *text, size_t len, const char *path)
{
    int fd, err;

    if (!strcmp(path, "-"))
        return write_all(STDOUT_FILENO, text, len);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    err = write_all(fd, text, len);
    if (close(fd) && !err)
        err = -errno;
    return err;
}

/* The directory entry itself must reach the disk too. */
static int sync_directory(const char *path)
{
    char *copy = xstrdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 ? -errno : 0;

    if (fd >= 0) {
        /* Some file systems can't sync a directory; the rename is done. */
        if (fsync(fd) && errno != EINVAL)
            err = -errno;
        close(fd);
    }
    free(copy);
    return err;
}

static int write_by_rename(const char *text, size_t len, const char *path)
{
    char *temp = xformat("%s.XXXXXX", path);
    mode_t mask = umask(0);
    int fd = mkostemp(temp, O_CLOEXEC);
    int err = fd < 0 ? -errno : 0;

    umask(mask);
    if (!err) {
        err = write_all(fd, text, len);
        if (!err && (fchmod(fd, 0666 & ~mask) || fsync(fd)))
            err = -errno;
        if (close(fd) && !err)
            err = -errno;
        if (!err && rename(temp, path))
            err = -errno;
        if (err)
            unlink(temp);
        else
            err = sync_directory(path);
    }
    free(temp);
    return err;
}

/* One run and one warning a line, so that files diff well; the rest of the top
 * level is one member a line. */
static char *format_file(const json_t *file, size_t *len)
{
    const size_t flags =
        JSON_COMPACT | JSON_REAL_PRECISION(9) | JSON_ENCODE_ANY;
    json_t *members = (json_t *)file, *value, *element;
    const char *name, *comma = "";
    char *text = NULL;
    size_t i;
    FILE *f = open_memstream(&text, len);

    if (!f)
        return NULL;
    fputc('{', f);
    json_object_foreach(members, name, value)
    {
        fprintf(f, "%s\n\"%s\":", comma, name);
        comma = ",";
        if (!json_is_array(value)) {
            json_dumpf(value, f, flags);
            continue;
        }
        fputc('[', f);
        json_array_foreach(value, i, element)
        {
            fputs(i ? ",\n" : "\n", f);
            json_dumpf(element, f, flags);
        }
        fputc(']', f);
    }
    fputs("\n}\n", f);
    if (fclose(f)) {
        free(text);
        return NULL;
    }
    return text;
}

int result_save(const json_t *file, const char *path, char why[REASON_MAX])
{
    struct stat st;
    size_t len;
    char *text = format_file(file, &len);
    int err;

    if (!text)
        return fail_why(why, -ENOMEM, "%s: %s", path, strerror(ENOMEM));
    if (!strcmp(path, "-") || (!stat(path, &st) && !S_ISREG(st.st_mode)))
        err = write_in_place(text, len, path);
    else
        err = write_by_rename(text, len, path);
    free(text);
    if (err)
        return fail_why(why, err, "%s: %s", path, strerror(-err));
    return 0;
}
