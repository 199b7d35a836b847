/* regex: a backtracking matcher runs six patterns over the lines of a log, the
 * class of perlbmk: an interpreter of patterns that tries and retreats. */
#include "../../guest/lib/bench.h"
#include "rx.h"

#define RX_LINES 24
#define RX_LINE_MAX 160

enum {
    RX_ADDRESS,
    RX_PAGE,
    RX_ERROR,
    RX_MAIL,
    RX_IMAGE,
    RX_PARTS,
    RX_PATTERNS
};

static const char *const rx_patterns[RX_PATTERNS] = {
    [RX_ADDRESS] = "^([0-9]{1,3}\\.){3}[0-9]{1,3} ",
    [RX_PAGE] = "\"(GET|POST) ([^ \"]+)\\.html ",
    [RX_ERROR] = "\" 5\\d\\d ",
    [RX_MAIL] = "[\\w.]+@[a-z0-9]+(\\.[a-z]+)+",
    [RX_IMAGE] = "(/[a-z]+)*?/([a-z]+)\\.(png|jpe?g) ",
    /* Ambiguous: a line that doesn't end with d is tried in many ways. */
    [RX_PARTS] = " (a|ab|c|bc)+d$",
};

static struct rx_program rx_programs[RX_PATTERNS];
static char rx_lines[RX_LINES][RX_LINE_MAX];
static uint32_t rx_lengths[RX_LINES];
/* Lines that match: as they were made, and as they were found. */
static unsigned rx_planted[RX_PATTERNS], rx_counts[RX_PATTERNS];

/* Appends to the line. */
static void rx_text(unsigned line, const char *text)
{
    while (*text && rx_lengths[line] < RX_LINE_MAX)
        rx_lines[line][rx_lengths[line]++] = *text++;
}

static void rx_digits(unsigned line, unsigned n)
{
    char digits[12];

    fmt_snprintf(digits, sizeof(digits), "%u", n);
    rx_text(line, digits);
}

static void rx_make_request(unsigned line, uint64_t *r)
{
    static const char *const methods[] = {"GET", "POST", "HEAD"};
    static const char *const dirs[] = {"/static", "/shop", "/a", "/archive"};
    static const char *const files[] = {"/index.html", "/logo.png",  "/me.jpeg",
                                        "/run.cgi",    "/photo.jpg", "/x.gif"};
    unsigned method = random_next(r) % 3, file = random_next(r) % 6;

    rx_text(line, "\"");
    rx_text(line, methods[method]);
    rx_text(line, " ");
    for (unsigned n = random_next(r) % 4; n; n--)
        rx_text(line, dirs[random_next(r) % 4]);
    rx_text(line, files[file]);
    rx_text(line, " HTTP/1.1\"");
    rx_planted[RX_PAGE] += method < 2 && file == 0;
    rx_planted[RX_IMAGE] += file == 1 || file == 2 || file == 4;
}

static void rx_make_line(unsigned line, uint64_t *r)
{
    static const char *const users[] = {"ann", "bob_7", "c.d.e", "zoe"};
    static const char *const parts[] = {"a", "ab", "c", "bc"};
    unsigned status = 100 * (2 + random_next(r) % 4) + random_next(r) % 10;
    unsigned user = random_next(r) % 4;
    bool mail = random_next(r) >> 40 & 1, ends = random_next(r) >> 40 & 1;

    rx_lengths[line] = 0;
    for (unsigned i = 0; i < 4; i++) {
        rx_digits(line, (unsigned)(random_next(r) >> 56));
        rx_text(line, i < 3 ? "." : " - ");
    }
    rx_planted[RX_ADDRESS]++;
    rx_text(line, users[user]);
    rx_text(line, mail ? "@mail.example.org " : "@ ");
    rx_planted[RX_MAIL] += mail;
    rx_make_request(line, r);
    rx_text(line, " ");
    rx_digits(line, status);
    rx_planted[RX_ERROR] += status >= 500;
    rx_text(line, " ");
    for (unsigned i = 0; i < 7; i++)
        rx_text(line, parts[random_next(r) % 4]);
    rx_text(line, ends ? "d" : "e");
    rx_planted[RX_PARTS] += ends;
}

static const char *regex_init(void)
{
    uint64_t r = 7;

    for (unsigned i = 0; i < RX_PATTERNS; i++) {
        const char *error = rx_compile(&rx_programs[i], rx_patterns[i]);

        rx_planted[i] = 0;
        if (error)
            return error;
    }
    for (unsigned i = 0; i < RX_LINES; i++)
        rx_make_line(i, &r);
    return NULL;
}

static uint64_t rx_run(uint64_t sum)
{
    for (unsigned i = 0; i < RX_PATTERNS; i++) {
        rx_counts[i] = 0;
        for (unsigned line = 0; line < RX_LINES; line++) {
            struct rx_found found;

            if (rx_search(&rx_programs[i], rx_lines[line], rx_lengths[line],
                          &found) != 1)
                continue;
            rx_counts[i]++;
            for (unsigned k = 0; k < 2 * RX_GROUPS_MAX; k++)
                sum = mix64(sum, found.bound[k]);
        }
    }
    return sum;
}

static void regex_kernel(uint64_t n)
{
    while (n--)
        rx_run(0);
}

/* Where every match and group begins and ends. */
static uint64_t regex_checksum(void)
{
    return rx_run(0);
}

static const char *regex_verify(void)
{
    for (unsigned i = 0; i < RX_PATTERNS; i++)
        if (rx_counts[i] != rx_planted[i])
            return "a pattern matches other lines than were made for it";
    return NULL;
}

DEFINE_BENCHMARK(regex, "regex", "compute", "6 patterns over 24 lines",
                 "Backtracking regular expressions over a log", TM_BENCH_NATIVE,
                 .init = regex_init, .kernel = regex_kernel,
                 .checksum = regex_checksum, .verify = regex_verify);
