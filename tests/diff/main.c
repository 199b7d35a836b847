/* Runs random instruction streams on the bare CPU and on a backend. */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BATCH 512u
#define REPORTS 5   /* a batch */
#define FAILURES 20 /* end the run */

struct options {
    const struct backend *backend; /* NULL: the CPU against itself */
    uint64_t seed, instructions;
    unsigned chunk;      /* see guest_run() */
    enum case_ring ring; /* CASE_RING0, CASE_CHANGES: against interp */
    bool one;            /* just the stream with this seed */
    struct stream_mix mix;
};

struct run {
    const struct options *opt;
    struct stream *streams;
    struct case_input *in;
    struct case_output *cpu, *other;
    uint64_t executed, streams_run, failed, faults, units;
};

static const char *other_name(const struct options *o)
{
    return o->backend ? o->backend->name : "cpu2";
}

/* ---- One batch -------------------------------------------------------- */

static int run_cases(struct run *r, unsigned first, unsigned n, char *why)
{
    const char *options = guest_options, *paging = guest_paging;
    int err;

    if (r->opt->ring != CASE_RING3) {
        guest_options = guest_paging = NULL;
        err =
            guest_run(backend_find("interp"), 0, r->in, r->cpu, first, n, why);
        guest_options = options;
        guest_paging = paging;
    } else {
        err = native_run(r->in, r->cpu, first, n, why);
    }
    if (err)
        return err;
    if (!r->opt->backend)
        return native_run(r->in, r->other, first, n, why);
    return guest_run(r->opt->backend, r->opt->chunk, r->in, r->other, first, n,
                     why);
}

static bool outcome_equal(const struct run *r, unsigned slot, FILE *out)
{
    struct case_open open =
        stream_open_at(&r->streams[slot], case_rip(slot), r->cpu[slot].rip);

    return case_equal(&r->cpu[slot], &r->other[slot], &open, other_name(r->opt),
                      out);
}

/* ---- A mismatch ------------------------------------------------------- */

/* Whether the stream, in slot 0 now, still shows a difference of that kind:
 * stuck means that the backend could not finish it. */
static bool still_differs(struct run *r, bool stuck, char why[REASON_MAX])
{
    if (!stream_analyse(&r->streams[0]) ||
        !stream_assemble(&r->streams[0], case_rip(0), &r->in[0]))
        return false;
    if (run_cases(r, 0, 1, why))
        return false; /* strayed, without the instruction that was taken out */
    return (r->other[0].vector < 0) == stuck && !outcome_equal(r, 0, NULL);
}

/* Takes out every instruction that isn't needed to show the difference. */
static void minimise(struct run *r, bool stuck, char why[REASON_MAX])
{
    struct stream *s = &r->streams[0];
    struct stream saved;
    bool progress = true;

    while (progress) {
        progress = false;
        for (unsigned i = s->n; i-- > 0;) {
            saved = *s;
            if (stream_remove(s, i) && still_differs(r, stuck, why)) {
                progress = true;
                continue;
            }
            *s = saved;
        }
    }
    still_differs(r, stuck, why);
}

static void report(struct run *r, unsigned slot)
{
    uint64_t seed = r->streams[slot].seed;
    bool stuck = r->other[slot].vector < 0;
    char why[REASON_MAX] = "";

    printf("MISMATCH: stream seed 0x%llx, slot %u\n", (unsigned long long)seed,
           slot);
    r->streams[0] = r->streams[slot];
    r->in[0] = r->in[slot];
    if (!still_differs(r, stuck, why)) {
        printf("  seen only in its batch; not minimised:\n");
        stream_assemble(&r->streams[0], case_rip(slot), &r->in[0]);
        case_print_code(r->in[0].code, r->in[0].code_len, case_rip(slot),
                        stdout);
        outcome_equal(r, slot, stdout);
        return;
    }
    minimise(r, stuck, why);
    case_print_code(r->in[0].code, r->in[0].code_len, case_rip(0), stdout);
    printf("  stopped at 0x%llx with vector %d\n",
           (unsigned long long)r->cpu[0].rip, r->cpu[0].vector);
    if (stuck)
        printf("  %s: %s\n", other_name(r->opt), why);
    else
        outcome_equal(r, 0, stdout);
}

/* ---- The run ---------------------------------------------------------- */

static void generate(struct run *r, unsigned n)
{
    const struct options *o = r->opt;

    for (unsigned i = 0; i < n; i++) {
        struct rng rng = {o->seed + r->streams_run + i};
        uint64_t seed = o->one ? o->seed : rng_next(&rng);

        do {
            stream_generate(&r->streams[i], &r->in[i], seed++, &o->mix);
        } while (!stream_analyse(&r->streams[i]) ||
                 !stream_assemble(&r->streams[i], case_rip(i), &r->in[i]));
        r->in[i].ring = o->ring;
    }
}

static int run_batch(struct run *r, unsigned n)
{
    unsigned bad[REPORTS], bad_count = 0;
    char why[REASON_MAX] = "";
    int err;

    generate(r, n);
    err = run_cases(r, 0, n, why);
    if (err) {
        printf("streams from %llu of seed 0x%llx: %s\n",
               (unsigned long long)r->streams_run,
               (unsigned long long)r->opt->seed, why);
        return err;
    }
    for (unsigned i = 0; i < n; i++) {
        uint64_t end = case_rip(i) + r->streams[i].offset[r->streams[i].n];

        /* A backend that runs code natively counts no instructions. */
        r->executed +=
            r->other[i].retired ? r->other[i].retired : r->streams[i].n;
        r->faults += r->cpu[i].rip != end;
        r->units += r->other[i].units;
        if (outcome_equal(r, i, NULL))
            continue;
        r->failed++;
        if (bad_count < REPORTS)
            bad[bad_count++] = i;
    }
    r->streams_run += n;
    /* Slot 0 is overwritten by each report: the first of them last. */
    while (bad_count-- > 0)
        report(r, bad[bad_count]);
    return 0;
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: diff [-b BACKEND|cpu] [-n INSTRUCTIONS] [-s SEED]\n"
        "            [-1]               the stream with that seed only\n"
        "            [-k]               at CPL 0, against the interpreter:\n"
        "                               sensitive instructions, code and\n"
        "                               page tables that change\n"
        "            [-u]               the same at CPL 3\n"
        "            [-d]               at CPL 3 without sensitive ones\n"
        "            [-o OPTIONS]       for the backend\n"
        "            [-p POLICY]        its paging\n"
        "            [-c N]             leave run() every N instructions\n"
        "            [-m INT,SSE,X87]   per cent of each kind\n");
    return 2;
}

static bool parse_options(struct options *o, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "b:c:n:s:m:o:p:1kud")) >= 0) {
        switch (c) {
        case 'b':
            o->backend = backend_find(optarg);
            if (!o->backend && strcmp(optarg, "cpu"))
                return false;
            break;
        case 'c':
            o->chunk = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'n':
            o->instructions = strtoull(optarg, NULL, 0);
            break;
        case 's':
            o->seed = strtoull(optarg, NULL, 0);
            break;
        case 'm':
            if (sscanf(optarg, "%u,%u,%u", &o->mix.integer, &o->mix.sse,
                       &o->mix.x87) != 3)
                return false;
            break;
        case '1':
            o->one = true;
            break;
        case 'k':
            o->ring = CASE_RING0;
            o->mix.system = 15;
            o->mix.changes = 8;
            break;
        case 'u':
        case 'd':
            o->ring = CASE_CHANGES;
            o->mix.ring3 = true;
            o->mix.system = c == 'u' ? 10 : 0;
            o->mix.changes = 8;
            break;
        case 'o':
            guest_options = optarg;
            break;
        case 'p':
            guest_paging = optarg;
            break;
        default:
            return false;
        }
    }
    return optind == argc;
}

static bool run_all(struct run *r)
{
    const struct options *o = r->opt;

    if (!r->streams || !r->in || !r->cpu || !r->other) {
        fprintf(stderr, "diff: no memory\n");
        return false;
    }
    do {
        if (run_batch(r, o->one ? 1 : BATCH))
            return false;
    } while (!o->one && r->executed < o->instructions && r->failed < FAILURES);
    printf("diff %s: %llu streams passed, %llu failed (%llu instructions, ",
           other_name(o), (unsigned long long)(r->streams_run - r->failed),
           (unsigned long long)r->failed, (unsigned long long)r->executed);
    if (r->units)
        printf("%llu units, ", (unsigned long long)r->units);
    printf("%llu streams ended by a fault, seed 0x%llx)\n",
           (unsigned long long)r->faults, (unsigned long long)o->seed);
    return r->failed == 0;
}

int main(int argc, char **argv)
{
    struct options o = {.backend = backend_find("interp"),
                        .seed = 1,
                        .instructions = 200000,
                        .mix = {45, 25, 12}};
    struct run r = {.opt = &o};
    bool ok;

    if (!parse_options(&o, argc, argv))
        return usage();
    r.streams = calloc(BATCH, sizeof(*r.streams));
    r.in = calloc(BATCH, sizeof(*r.in));
    r.cpu = case_alloc(BATCH * sizeof(*r.cpu));
    r.other = case_alloc(BATCH * sizeof(*r.other));
    ok = run_all(&r);
    free(r.streams);
    free(r.in);
    return !ok;
}
