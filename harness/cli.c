/* What all subcommands share on the command line: options and error lines. */
#include "cmd.h"
#include "suggest.h"
#include "util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *cli_name = "trapmark";

static void say(const char *format, va_list args)
{
    fflush(stdout);
    fprintf(stderr, "%s: ", cli_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void cli_say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
}

void cli_usage(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    exit(EXIT_USAGE);
}

void cli_unknown(const char *what, const char *name, const char *const *names)
{
    const char *nearest = suggest_name(name, names);

    if (nearest)
        cli_usage("unknown %s '%s'; did you mean '%s'?", what, name, nearest);
    cli_usage("unknown %s '%s'", what, name);
}

/* A heading of the help has words, but neither name nor key. */
static bool is_end(const struct argp_option *o)
{
    return !o->name && !o->key && !o->doc;
}

/* The option that a word without its dashes names: exactly, or as the only one
 * it is the beginning of. */
static const struct argp_option *find_long(const struct argp_option *options,
                                           const char *word, size_t len)
{
    const struct argp_option *found = NULL;
    unsigned count = 0;

    for (const struct argp_option *o = options; !is_end(o); o++) {
        if (!o->name || strncmp(o->name, word, len))
            continue;
        if (strlen(o->name) == len)
            return o;
        found = o;
        count++;
    }
    return count == 1 ? found : NULL;
}

static void unknown_long(const struct argp_option *options, const char *word,
                         size_t len)
{
    const char **names = NULL;
    size_t count = 0;
    char *shown = xformat("--%.*s", (int)len, word);

    for (const struct argp_option *o = options; !is_end(o); o++) {
        if (!o->name)
            continue;
        names = xrealloc(names, (count + 3) * sizeof(*names));
        names[count++] = xformat("--%s", o->name);
    }
    names = xrealloc(names, (count + 2) * sizeof(*names));
    names[count++] = "--help";
    names[count] = NULL;
    cli_unknown("option", shown, names);
}

/* Whether the next word is the option's value. */
static bool check_long(const struct argp_option *options, const char *word)
{
    static const struct argp_option own[] = {
        {"help", '?', NULL, 0, NULL, 0}, {"usage", -1, NULL, 0, NULL, 0}, {0}};
    size_t len = strcspn(word, "=");
    const struct argp_option *o = find_long(options, word, len);

    if (!o)
        o = find_long(own, word, len);
    if (!o)
        unknown_long(options, word, len);
    if (word[len] && !o->arg)
        cli_usage("option '--%s' takes no value", o->name);
    return o->arg && !word[len];
}

static bool check_short(const struct argp_option *options, const char *word)
{
    for (; *word; word++) {
        const struct argp_option *o = options;

        if (*word == '?')
            continue;
        while (!is_end(o) && o->key != *word)
            o++;
        if (is_end(o))
            cli_usage("unknown option '-%c'; --help lists them", *word);
        if (o->arg)
            return !word[1];
    }
    return false;
}

void cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    const struct argp_option none = {0};
    const struct argp_option *options = argp->options ? argp->options : &none;

    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        char *word = argv[i];
        bool value;

        if (word[0] != '-' || !word[1])
            continue;
        if (!strcmp(word, "-h"))
            argv[i] = word = "--help";
        value = word[1] == '-' ? check_long(options, word + 2)
                               : check_short(options, word + 1);
        if (value && ++i >= argc)
            cli_usage("option '%s' needs a value", word);
    }
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(argp, argc, argv, 0, NULL, input);
}

uint64_t cli_number(const char *option, const char *text, uint64_t min,
                    uint64_t max)
{
    uint64_t value;

    if (!parse_number(text, min, max, &value))
        cli_usage("--%s takes a number from %llu to %llu, not '%s'", option,
                  (unsigned long long)min, (unsigned long long)max, text);
    return value;
}

void cli_check_list(const char *option, const char *list)
{
    if (list && !list[strspn(list, ",")])
        cli_usage("--%s names nothing", option);
}

void cli_check_output(const char *path)
{
    struct stat st;

    if (!*path)
        cli_usage("--output names nothing");
    if (!stat(path, &st) && S_ISDIR(st.st_mode))
        cli_usage("--output %s: is a directory; name a file in it", path);
    if (stat(path, &st) && errno == ENOTDIR)
        cli_usage("--output %s: %s", path, strerror(errno));
}

char *cli_join(int argc, char **argv)
{
    char *line = xstrdup(argv[0]);

    for (int i = 1; i < argc; i++) {
        bool plain =
            argv[i][0] && !strpbrk(argv[i], " \t\n'\"\\$`*?[]()<>|&;!");
        char *more = xformat(plain ? "%s %s" : "%s '%s'", line, argv[i]);

        free(line);
        line = more;
    }
    return line;
}
