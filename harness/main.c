/* The trapmark command: finds the subcommand and runs it. */
#include "cmd.h"
#include "util.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Adding a subcommand takes a row here and its function in cmd.h. */
static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"list", cmd_list, "show backends and benchmarks"},
    {"doctor", cmd_doctor, "show what this host can measure, and how well"},
    {"run", cmd_run, "measure benchmarks on backends"},
    {"report", cmd_report, "draw tables, plots and a page from result files"},
    {"audit", cmd_audit, "show which sensitive instructions a backend keeps"},
    {"lab", cmd_lab, "count exits of nested and shadow paging, anywhere"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
    fputs("Usage: trapmark COMMAND [OPTION...]\n"
          "Measures what virtualization costs.\n\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'trapmark COMMAND --help' tells about one command.\n"
          "Exit codes: 0 ok, 1 a benchmark failed, 2 bad usage or input, 77 "
          "nothing could run,\n130 interrupted.\n",
          out);
}

static const struct command *find_command(const char *name)
{
    const char *names[COMMANDS + 2];

    for (size_t i = 0; i < COMMANDS; i++) {
        if (!strcmp(commands[i].name, name))
            return &commands[i];
        names[i] = commands[i].name;
    }
    names[COMMANDS] = "help";
    names[COMMANDS + 1] = NULL;
    cli_unknown("command", name, names);
}

/* Output that never arrived is a failure, whatever the command says. */
static int finish(int status)
{
    errno = 0;
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    /* An earlier flush may have failed; its error is gone. */
    cli_say("standard output: %s",
            errno ? strerror(errno) : "could not be written");
    return status == EXIT_OK ? EXIT_FAILED : status;
}

/* A descriptor that the shell closed must not become a file of ours: messages
 * would land in it. What is opened instead fails as the closed one would. */
static void fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    const struct command *command;
    char *help[] = {argv[0], NULL, "--help", NULL};

    fill_standard_streams();
    /* For the width of characters in tables; numbers stay as in C. */
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8"))
        setlocale(LC_CTYPE, "C.UTF-8");
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
        puts("trapmark " TM_VERSION);
        return finish(EXIT_OK);
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
        (!strcmp(argv[1], "help") && argc == 2)) {
        print_help(stdout);
        return finish(EXIT_OK);
    }
    if (!strcmp(argv[1], "help")) {
        command = find_command(argv[2]);
        argv = help;
        argc = 3;
    } else if (argv[1][0] == '-') {
        cli_unknown("option", argv[1],
                    (const char *const[]){"--help", "--version", NULL});
    } else {
        command = find_command(argv[1]);
    }
    cli_name = argv[1] = xformat("trapmark %s", command->name);
    return finish(command->run(argc - 1, argv + 1));
}
