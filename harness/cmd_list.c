/* `trapmark list`: backends and benchmarks. */
#include "cmd.h"
#include "image.h"
#include "resultfile.h"
#include "table.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list_options {
    bool json;
    const char *guest, *initrd;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct list_options *o = state->input;

    switch (key) {
    case 'j':
        o->json = true;
        break;
    case 'g':
        o->guest = arg;
        break;
    case 'i':
        o->initrd = arg;
        break;
    case ARGP_KEY_ARG:
        cli_usage("unexpected '%s'", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static void list_flags(unsigned flags, char text[32])
{
    snprintf(text, 32, "%s%s%s", flags & TM_BENCH_PAPER ? "paper " : "",
             flags & TM_BENCH_NATIVE ? "native " : "",
             flags & TM_BENCH_NEEDS_DISK ? "disk " : "");
}

static void print_backends(void)
{
    static const char *const headings[] = {"BACKEND", "AVAILABLE", "SUMMARY",
                                           NULL};
    struct table *t = table_new(headings);

    for (size_t i = 0; backends[i]; i++) {
        char why[REASON_MAX] = "";
        bool yes = !backends[i]->probe(why);

        table_row(t,
                  (const char *const[]){backends[i]->name, yes ? "yes" : "no",
                                        backends[i]->summary});
    }
    table_print(t, stdout);
    table_free(t);
    for (size_t i = 0; backends[i]; i++) {
        const char *const *p = backends[i]->policies;

        if (!p)
            continue;
        printf("%s --paging:", backends[i]->name);
        for (; *p; p++)
            printf(" %s%s", *p, p == backends[i]->policies ? " (default)" : "");
        putchar('\n');
    }
    for (size_t i = 0; backends[i]; i++) {
        char why[REASON_MAX] = "";

        if (backends[i]->probe(why))
            printf("%s is not available: %s\n", backends[i]->name, why);
    }
}

static void print_grids(const struct image *image)
{
    const char *head = "\nA row for each point of a grid (-p NAME=V,.. takes "
                       "other values):\n";

    for (size_t i = 0; i < image->benches.count; i++) {
        const struct tm_note_bench *n = &image->benches.v[i].note;

        if (!*n->grid || (n->flags & TM_BENCH_HIDDEN))
            continue;
        printf("%s  %-14s %s\n", head, n->name, n->grid);
        head = "";
    }
}

static void print_benches(const struct image *image)
{
    static const char *const headings[] = {
        "BENCHMARK", "SUITE", "ONE OPERATION IS", "FLAGS", "SUMMARY", NULL};
    struct table *t = table_new(headings);

    for (size_t i = 0; i < image->benches.count; i++) {
        const struct tm_note_bench *n = &image->benches.v[i].note;
        char flags[32];

        if (n->flags & TM_BENCH_HIDDEN)
            continue;
        list_flags(n->flags, flags);
        table_row(t, (const char *const[]){n->name, n->suite, n->op, flags,
                                           n->summary});
    }
    putchar('\n');
    table_print(t, stdout);
    table_free(t);
    print_grids(image);
    puts("\npaper: one of Adams & Agesen's; native: also runs as a process; "
         "disk: needs a disk");
}

static json_t *backends_json(void)
{
    json_t *list = json_array();

    for (size_t i = 0; backends[i]; i++) {
        json_t *b = json_object();
        char why[REASON_MAX] = "";
        bool yes = !backends[i]->probe(why);

        result_set_text(b, RF_NAME, backends[i]->name);
        result_set_text(b, "summary", backends[i]->summary);
        json_object_set_new(b, RF_AVAILABLE, json_boolean(yes));
        if (!yes)
            result_set_text(b, RF_REASON, why);
        if (backends[i]->policies) {
            json_t *policies = json_array();

            for (const char *const *p = backends[i]->policies; *p; p++)
                json_array_append_new(policies, json_string(*p));
            json_object_set_new(b, "policies", policies);
        }
        json_object_set_new(
            b, RF_DETERMINISTIC,
            json_boolean(backends[i]->caps & CAP_DETERMINISTIC));
        json_array_append_new(list, b);
    }
    return list;
}

static json_t *benches_json(const struct image *image)
{
    json_t *list = json_array();

    for (size_t i = 0; i < image->benches.count; i++) {
        const struct tm_note_bench *n = &image->benches.v[i].note;
        json_t *b = json_object();

        result_set_text(b, RF_NAME, n->name);
        result_set_text(b, RF_SUITE, n->suite);
        result_set_text(b, RF_OP, n->op);
        result_set_text(b, "grid", n->grid);
        result_set_text(b, "summary", n->summary);
        json_object_set_new(b, "paper",
                            json_boolean(n->flags & TM_BENCH_PAPER));
        json_object_set_new(b, "native",
                            json_boolean(n->flags & TM_BENCH_NATIVE));
        json_object_set_new(b, "disk",
                            json_boolean(n->flags & TM_BENCH_NEEDS_DISK));
        json_object_set_new(b, "hidden",
                            json_boolean(n->flags & TM_BENCH_HIDDEN));
        json_array_append_new(list, b);
    }
    return list;
}

int cmd_list(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"json", 'j', NULL, 0, "as JSON", 0},
        {"guest", 'g', "FILE", 0, "another guest kernel", 0},
        {"initrd", 'i', "FILE", 0, "another initrd", 0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc =
            "Show backends, available or why not, and the guest's benchmarks.",
    };
    struct list_options o = {0};
    char why[REASON_MAX];
    struct image image;
    json_t *all;

    cli_parse(&argp, argc, argv, &o);
    if (image_open(&image, o.guest, o.initrd, why)) {
        if (!o.json)
            print_backends();
        cli_say("%s", why);
        return EXIT_USAGE;
    }
    if (!o.json) {
        print_backends();
        print_benches(&image);
    } else {
        all = json_object();
        json_object_set_new(all, RF_BACKENDS, backends_json());
        json_object_set_new(all, RF_BENCHMARKS, benches_json(&image));
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    }
    image_close(&image);
    return EXIT_OK;
}
