/* Finished rows, appended as they come, so that an interrupted run can resume.
 */
#include "journal.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_MAGIC "trapmark-journal/1"

struct journal {
    char *beside, *fallback; /* the two places */
    char *path;              /* one of them, or NULL */
    int fd;
    char hash[17];
    json_t *rows; /* all of them: the journal may have to move */
};

static int write_line(int fd, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(9));
    size_t len;
    int err;

    if (!text)
        return -EINVAL;
    len = strlen(text);
    text[len] = '\n';
    err = write_all(fd, text, len + 1);
    free(text);
    if (!err && fsync(fd) && errno != EINVAL)
        err = -errno;
    return err;
}

static int write_header(int fd, const char *hash)
{
    json_t *header =
        json_pack("{s:s, s:s}", "journal", JOURNAL_MAGIC, "config", hash);
    int err = write_line(fd, header);

    json_decref(header);
    return err;
}

/* The file, ours alone until it is closed: -EBUSY while it is another's. */
static int open_alone(const char *path, int flags)
{
    int fd =
        open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | flags, 0666);

    if (fd < 0)
        return -errno;
    if (!flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
        return fd; /* some file systems have no locks */
    close(fd);
    return -EBUSY;
}

/* Starts a file afresh with all rows so far. */
static int start_at(struct journal *j, const char *path)
{
    int fd = open_alone(path, O_CREAT), err;
    json_t *row;
    size_t i;

    if (fd < 0)
        return fd;
    err = ftruncate(fd, 0) ? -errno : write_header(fd, j->hash);
    json_array_foreach(j->rows, i, row) if (!err) err = write_line(fd, row);
    if (err) {
        close(fd);
        unlink(path);
        return err;
    }
    if (j->fd >= 0)
        close(j->fd);
    j->fd = fd;
    j->path = (char *)path;
    return 0;
}

/* What is in an existing file: -ENOENT none, -EEXIST not a journal, else
 * the hash in its header and its whole rows, and how many bytes they fill. */
static int read_journal(const char *path, char hash[17], json_t *rows,
                        size_t *good)
{
    char why[REASON_MAX];
    size_t len;
    char *text = file_read(path, &len, why), *line, *end;
    bool first = true;
    int err = 0;

    if (!text)
        return errno == ENOENT ? -ENOENT : -EEXIST;
    *good = 0;
    for (line = text; (end = memchr(line, '\n', text + len - line));
         line = end + 1) {
        json_t *value = json_loadb(line, end - line, 0, NULL);
        const char *magic, *config;

        if (first) {
            magic = json_string_value(json_object_get(value, "journal"));
            config = json_string_value(json_object_get(value, "config"));
            if (!magic || strcmp(magic, JOURNAL_MAGIC) || !config)
                err = -EEXIST;
            else
                strncpy(hash, config, 16);
        } else if (value) {
            json_array_append(rows, value);
        }
        json_decref(value);
        if (err || (!first && !value))
            break;
        first = false;
        *good = end + 1 - text;
    }
    /* An empty file, or a header that was cut off, was ours or will do. */
    if (first && !err && len && !strstr(text, "\"journal\""))
        err = -EEXIST;
    free(text);
    return err;
}

static int adopt(struct journal *j, const char *path, size_t good)
{
    int fd = open_alone(path, 0);

    if (fd < 0)
        return fd;
    if (ftruncate(fd, good)) {
        close(fd);
        return -errno;
    }
    j->fd = fd;
    j->path = (char *)path;
    return 0;
}

/* Looks at one of the two places. 1: adopted, the rows are in j->rows. 0: there
 * is nothing worth keeping. -EEXIST with why: hands off. */
static int look_at(struct journal *j, const char *path, bool resume,
                   char why[REASON_MAX])
{
    char hash[17] = "";
    json_t *rows = json_array();
    size_t good;
    int err = read_journal(path, hash, rows, &good);

    if (err == -EEXIST) {
        fail_why(why, err, "%s: exists and is not a Trapmark journal", path);
    } else if (!err && resume && *hash && strcmp(hash, j->hash)) {
        err = fail_why(why, -EEXIST,
                       "%s: belongs to a run with other options or another "
                       "guest; drop --resume to start afresh",
                       path);
    } else if (!err && resume && *hash && !adopt(j, path, good)) {
        json_array_extend(j->rows, rows);
        err = 1;
    } else {
        err = 0;
    }
    json_decref(rows);
    return err;
}

/* Wherever it can. Only another run's is an error: its result would be lost. */
static int start(struct journal *j, char why[REASON_MAX])
{
    int err = j->beside ? start_at(j, j->beside) : -ENOENT;

    if (err == -EBUSY)
        return fail_why(why, err,
                        "%s: another run is writing it; give -o another name",
                        j->beside);
    if (err)
        start_at(j, j->fallback);
    return 0;
}

struct journal *journal_open(const char *output, uint64_t hash, bool resume,
                             json_t *rows, int *err, char why[REASON_MAX])
{
    struct journal *j = xcalloc(1, sizeof(*j));
    struct stat st;
    uint64_t id = hash_bytes(hash, output, strlen(output));
    bool special =
        !strcmp(output, "-") || (!stat(output, &st) && !S_ISREG(st.st_mode));

    j->fd = -1;
    j->rows = json_array();
    snprintf(j->hash, sizeof(j->hash), "%016llx", (unsigned long long)hash);
    /* Nothing is put beside a device or a pipe. */
    if (!special)
        j->beside = xformat("%s.journal", output);
    j->fallback = xformat("%s/trapmark-%016llx.journal", temp_dir(),
                          (unsigned long long)id);
    *err = j->beside ? look_at(j, j->beside, resume, why) : 0;
    if (!*err)
        *err = look_at(j, j->fallback, resume, why);
    if (!*err)
        *err = start(j, why);
    if (*err < 0) {
        journal_close(j, false);
        return NULL;
    }
    *err = 0;
    json_array_extend(rows, j->rows);
    return j;
}

const char *journal_path(const struct journal *j)
{
    return j->path;
}

bool journal_moved(const struct journal *j)
{
    return j->path != j->beside;
}

int journal_append(struct journal *j, json_t *row)
{
    int err;

    json_array_append(j->rows, row);
    if (!j->path)
        return -EIO;
    err = write_line(j->fd, row);
    if (!err)
        return 0;
    if (j->path == j->fallback || start_at(j, j->fallback))
        return err;
    return 0;
}

void journal_close(struct journal *j, bool finished)
{
    if (j->fd >= 0)
        close(j->fd);
    if (finished && j->path)
        unlink(j->path);
    json_decref(j->rows);
    free(j->beside);
    free(j->fallback);
    free(j);
}
