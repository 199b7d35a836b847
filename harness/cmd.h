/* The subcommands, and what they share on the command line. */
#ifndef TM_CMD_H
#define TM_CMD_H

#include <argp.h>
#include <stdint.h>

/* Exit codes: promises to scripts. */
#define EXIT_OK 0
#define EXIT_FAILED 1 /* a benchmark failed, an output wasn't written */
#define EXIT_USAGE 2  /* bad usage or unreadable input */
#define EXIT_INTERRUPTED 130
#define EXIT_NOTHING 77 /* nothing could run */

/* Each gets its own arguments, argv[0] being "trapmark NAME"; returns the exit
 * code. */
int cmd_list(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_lab(int argc, char **argv);

/* argp_parse, with two differences: a wrong option is one line that suggests
 * the nearest, exit code 2; and -h is --help. --help exits with 0. */
void cli_parse(const struct argp *argp, int argc, char **argv, void *input);

/* One line on stderr, "trapmark NAME: ...", and exit code 2. */
void cli_usage(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));
/* The same for a name that isn't among names (NULL-terminated), with the
 * nearest of them. what: "benchmark", "backend", ... */
void cli_unknown(const char *what, const char *name, const char *const *names)
    __attribute__((noreturn));

/* The value of --option; a usage error where it isn't from min to max. */
uint64_t cli_number(const char *option, const char *text, uint64_t min,
                    uint64_t max);
/* A usage error where the list given to --option holds no name; NULL: it wasn't
 * given. */
void cli_check_list(const char *option, const char *list);

/* cli_usage for an --output that no result can ever be written to. All else may
 * have changed by the time there is one. */
void cli_check_output(const char *path);

/* "trapmark NAME: ..." on stderr, without exit. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The command line as one string, quoted where a shell would need it; to be
 * asked for before argp reorders argv. malloc'ed. */
char *cli_join(int argc, char **argv);

/* "NAME" or, once a subcommand runs, "trapmark NAME": argv[0]'s successor. */
extern const char *cli_name;

#endif
