/* What every plot's data share: TSV fields and the notes below the picture. */
#include "report_tsv.h"
#include "util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Characters that fit on a line of notes at 1200 px. */
#define NOTE_WIDTH 172

FILE *tsv_open(const char *prefix, const char *name)
{
    char *path = xformat("%s.%s.tsv", prefix, name);
    FILE *f = fopen(path, "w");

    free(path);
    return f;
}

void tsv_field(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '"')
            fputc('\'', f);
        else
            fputc((unsigned char)*text < ' ' ? ' ' : *text, f);
    }
}

bool tsv_close(FILE *f)
{
    bool ok = !ferror(f);

    return !fclose(f) && ok;
}

void tsv_note(struct text *notes, const char *head, struct text *list)
{
    if (list->len)
        text_add(notes, "%s%s\n", head, list->text);
    free(list->text);
    *list = (struct text){0};
}

/* Writes one paragraph in lines of at most NOTE_WIDTH bytes. */
static int wrap(FILE *f, const char *text, size_t len)
{
    int lines = 0;

    while (len) {
        size_t take = len;

        if (take > NOTE_WIDTH) {
            take = NOTE_WIDTH;
            while (take > NOTE_WIDTH / 2 && text[take] != ' ')
                take--;
            /* Never inside a UTF-8 character. */
            while (take > 1 && (text[take] & 0xc0) == 0x80)
                take--;
        }
        for (size_t i = 0; i < take; i++) {
            char one[2] = {text[i], '\0'};

            tsv_field(f, one);
        }
        fputc('\n', f);
        lines++;
        text += take;
        len -= take;
        while (len && *text == ' ') {
            text++;
            len--;
        }
    }
    return lines;
}

int tsv_notes(const char *prefix, struct text *notes)
{
    FILE *f = tsv_open(prefix, "notes");
    char *line = notes->text;
    int lines = 0;

    if (f) {
        while (line && *line) {
            char *end = strchrnul(line, '\n');

            lines += wrap(f, line, end - line);
            line = *end ? end + 1 : end;
        }
        if (!tsv_close(f))
            f = NULL;
    }
    free(notes->text);
    *notes = (struct text){0};
    return f ? lines : -EIO;
}

void tsv_note_series(const struct report *r, unsigned series,
                     const struct report_pick *picks, struct text *list)
{
    struct text benches = {0};

    report_list(r, picks, NULL, &benches);
    if (benches.len)
        text_add(list, "%s%s: %s", list->len ? "; " : "",
                 r->series[series].label, benches.text);
    free(benches.text);
}

void tsv_note_missing(const struct report *r, const char *suite,
                      struct text *notes)
{
    static const char *const heads[] = {
        [ROW_SKIPPED] = "Skipped on ",
        [ROW_FAILED] = "Failed on ",
        [ROW_TIMEOUT] = "Timed out on ",
    };

    for (unsigned status = ROW_SKIPPED; status <= ROW_TIMEOUT; status++) {
        struct text list = {0};

        for (unsigned s = 0; s < r->nseries; s++) {
            struct report_pick *picks = xcalloc(r->nbenches, sizeof(*picks));
            unsigned lost = 0, all = 0;

            for (unsigned i = 0; i < r->nrows; i++) {
                const struct report_row *row = &r->rows[i];
                const struct report_bench *b = &r->benches[row->bench];

                if (row->series != s || (suite && strcmp(b->suite, suite)))
                    continue;
                all++;
                picks[row->bench].known = true;
                picks[row->bench].picked = row->status == status;
                lost += row->status == status;
            }
            if (lost > 2 && lost == all)
                text_add(&list, "%s%s: everything", list.len ? "; " : "",
                         r->series[s].label);
            else
                tsv_note_series(r, s, picks, &list);
            free(picks);
        }
        tsv_note(notes, heads[status], &list);
    }
}

void tsv_note_kvm(const struct report *r, struct text *notes)
{
    struct text list = {0};

    for (unsigned i = 0; i < r->nfiles; i++) {
        const char *label = report_kvm_label(r, i);

        if (!label)
            continue;
        text_list(&list, "%s", label);
        if (r->nfiles > 1)
            text_add(&list, " (%s)", r->files[i].name);
    }
    tsv_note(notes, "KVM here: ", &list);
}
