/* Tables for people, on libsmartcols. */
#include "table.h"
#include "util.h"

#include <langinfo.h>
#include <libsmartcols.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct table {
    struct libscols_table *scols;
    unsigned columns;
};

static void check(int failed)
{
    if (failed) {
        fputs("trapmark: libsmartcols failed\n", stderr);
        exit(1);
    }
}

struct table *table_new(const char *const *headings)
{
    struct table *t = xcalloc(1, sizeof(*t));

    t->scols = scols_new_table();
    check(!t->scols);
    for (; *headings; headings++) {
        bool right = **headings == '>';

        check(!scols_table_new_column(t->scols, *headings + right, 0,
                                      right ? SCOLS_FL_RIGHT : 0));
        t->columns++;
    }
    return t;
}

void table_row(struct table *t, const char *const *cells)
{
    struct libscols_line *line = scols_table_new_line(t->scols, NULL);

    check(!line);
    for (unsigned i = 0; i < t->columns; i++)
        check(scols_line_set_data(line, i, cells[i] ? cells[i] : ""));
}

void table_print(struct table *t, FILE *out)
{
    char *text;

    /* Through a string: columns keep their width whatever the terminal's is, so
     * that a table looks alike in a terminal and in a log. */
    scols_table_enable_maxout(t->scols, 0);
    scols_table_set_termforce(t->scols, SCOLS_TERMFORCE_NEVER);
    check(scols_print_table_to_string(t->scols, &text));
    for (char *line = text, *end; *line; line = end) {
        size_t len;

        end = strchrnul(line, '\n');
        len = end - line;
        while (len && line[len - 1] == ' ')
            len--;
        fprintf(out, "%.*s\n", (int)len, line);
        if (*end)
            end++;
    }
    free(text);
}

void table_free(struct table *t)
{
    scols_unref_table(t->scols);
    free(t);
}

const char *table_figure(double value, char text[16])
{
    static const struct {
        double from, unit;
        const char *suffix;
    } scale[] = {{1e9, 1e9, "G"}, {1e7, 1e6, "M"}, {1e5, 1e3, "k"}};
    double size = fabs(value);
    const char *suffix = "";
    int places;

    for (size_t i = 0; i < sizeof(scale) / sizeof(scale[0]); i++)
        if (size >= scale[i].from) {
            value /= scale[i].unit;
            size /= scale[i].unit;
            suffix = scale[i].suffix;
            break;
        }
    places = size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
    snprintf(text, 16, "%.*f%s", places, value, suffix);
    return strcmp(text, "-0.00") ? text : "0.00";
}

const char *table_plus_minus(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") ? "+-" : "\302\261";
}

char *table_measured(double median, double low, double high, bool noisy)
{
    double percent = (high - low) / 2 / fabs(median) * 100;
    char number[16], spread[16] = ">999%";

    table_figure(median, number);
    if (fabs(median) < 1)
        return xformat("%s%s", noisy ? "~" : "", number);
    if (percent <= 999)
        snprintf(spread, sizeof(spread), "%.*f%%", percent < 9.95 ? 1 : 0,
                 percent);
    /* Of one width, so that figures stand below each other. */
    return xformat("%s%s %s%-5s", noisy ? "~" : "", number, table_plus_minus(),
                   spread);
}

char *table_ratio(double ratio, bool noisy)
{
    char number[16];

    return xformat("%s%sx", noisy ? "~" : "", table_figure(ratio, number));
}
