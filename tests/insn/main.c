/* Runs every instruction form and the hand-written cases on CPU and backend. */
#include "insn.h"
#include "tests/diff/forms.h"
#include "tests/diff/stream.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS_CASE 4
#define ROUNDS_FORM 24
#define REPORTS 40

extern const struct insn_case __start_insn_cases[], __stop_insn_cases[];

/* One slot of a batch: what runs there and what is known about its end. */
struct slot {
    const struct insn_case *hand; /* NULL: a form */
    const char *name;
    unsigned round;
    struct stream stream; /* of a form */
};

static struct {
    const struct backend *backend;
    struct slot *slots;
    struct case_input *in;
    struct case_output *cpu, *other;
    unsigned n; /* slots filled */
    uint64_t passed, failed, seed;
    unsigned reported;
    const char *last; /* name reported last */
    const char *only; /* substring of the names to run, or NULL */
} run;

/* ---- Judging ---------------------------------------------------------- */

static bool is_backend_only(const struct insn_case *c)
{
    return c && c->flags & (INSN_BACKEND_ONLY | INSN_RING0);
}

static bool as_expected(const struct insn_case *c, const char *who,
                        const struct case_output *o, unsigned slot, FILE *out)
{
    bool ok = o->vector == (int)c->vector && o->error == c->error;

    if (c->flags & INSN_BACKEND_ONLY && c->vector == VEC_UD)
        ok = ok && o->rip == case_rip(slot);
    if (!ok && out)
        fprintf(out, "  %s: vector %d error 0x%x at +%llu, expected %u 0x%x\n",
                who, o->vector, o->error,
                (unsigned long long)(o->rip - case_rip(slot)), c->vector,
                c->error);
    return ok;
}

static bool judge(unsigned i, FILE *out)
{
    const struct slot *s = &run.slots[i];
    const struct case_output *cpu = &run.cpu[i], *other = &run.other[i];
    const struct insn_case *c = s->hand;
    struct case_open open;
    bool ok = true;

    if (c) {
        if (!is_backend_only(c))
            ok = as_expected(c, "cpu", cpu, i, out);
        ok = as_expected(c, run.backend->name, other, i, out) && ok;
        if (is_backend_only(c))
            return ok;
        open.undefined = c->undefined;
        open.which_byte = c->flags & INSN_ANY_BYTE;
    } else {
        open = stream_open_at(&s->stream, case_rip(i), cpu->rip);
    }
    return case_equal(cpu, other, &open, run.backend->name, out) && ok;
}

static void print_failure(unsigned i, const char *why)
{
    const struct case_input *in = &run.in[i];

    printf("FAILED: %s (round %u)\n", run.slots[i].name, run.slots[i].round);
    case_print_code(in->code, in->code_len, case_rip(i), stdout);
    if (run.other[i].vector < 0)
        printf("  %s: %s\n", run.backend->name, why);
    else
        judge(i, stdout);
}

/* ---- Running ---------------------------------------------------------- */

/* All but the cases that are for the backend alone. */
static int run_cpu(char why[REASON_MAX])
{
    unsigned i = 0, first;
    int err = 0;

    while (i < run.n && !err) {
        while (i < run.n && is_backend_only(run.slots[i].hand))
            i++;
        first = i;
        while (i < run.n && !is_backend_only(run.slots[i].hand))
            i++;
        if (i > first)
            err = native_run(run.in, run.cpu, first, i - first, why);
    }
    return err;
}

static bool flush(void)
{
    char why[REASON_MAX] = "";
    int err = run_cpu(why);

    if (!err)
        err = guest_run(run.backend, 0, run.in, run.other, 0, run.n, why);
    if (err) {
        printf("insn: %s\n", why);
        return false;
    }
    for (unsigned i = 0; i < run.n; i++) {
        if (judge(i, NULL)) {
            run.passed++;
            continue;
        }
        run.failed++;
        /* One round of each name is enough to read. */
        if (run.reported < REPORTS && run.last != run.slots[i].name) {
            run.reported++;
            run.last = run.slots[i].name;
            print_failure(i, why);
        }
    }
    run.n = 0;
    return true;
}

static struct slot *next_slot(const char *name, unsigned round)
{
    struct slot *s;

    if (run.n == CASE_SLOTS && !flush())
        return NULL;
    s = &run.slots[run.n];
    s->hand = NULL;
    s->name = name;
    s->round = round;
    return s;
}

static bool is_wanted(const char *name)
{
    return !run.only || strstr(name, run.only);
}

/* ---- The cases -------------------------------------------------------- */

static bool run_hand_written(void)
{
    for (const struct insn_case *c = __start_insn_cases; c < __stop_insn_cases;
         c++) {
        size_t len;

        if (c->flags & INSN_END || !is_wanted(c->name))
            continue;
        len = (size_t)(c[1].code - c->code);
        for (unsigned round = 0; round < ROUNDS_CASE; round++) {
            struct slot *s = next_slot(c->name, round);
            struct case_input *in;

            if (!s)
                return false;
            in = &run.in[run.n++];
            s->hand = c;
            stream_base_input(in, run.seed + round);
            memcpy(in->code, c->code, len);
            memcpy(in->code + len, "\x0f\x0b", 2);
            in->code_len = (uint32_t)len + 2;
            in->ring = c->flags & INSN_RING0 ? CASE_RING0 : CASE_RING3;
        }
    }
    return flush();
}

static bool run_forms(void)
{
    for (int class = 0; class < FORM_CLASSES; class ++) {
        const struct form_group *groups;
        unsigned n = form_groups(class, &groups);

        for (unsigned k = 0; k < n * ROUNDS_FORM; k++) {
            const struct form_group *g = &groups[k / ROUNDS_FORM];
            const char *name = ZydisMnemonicGetString(g->forms->mnemonic);

            for (unsigned f = 0; f < g->count && is_wanted(name); f++) {
                struct slot *s = next_slot(name, k % ROUNDS_FORM);

                if (!s)
                    return false;
                stream_of_form(&s->stream, &run.in[run.n], &g->forms[f],
                               run.seed + k * 4096ull + f);
                if (s->stream.n == 0 ||
                    !stream_assemble(&s->stream, case_rip(run.n),
                                     &run.in[run.n]))
                    continue;
                run.in[run.n++].ring = CASE_RING3;
            }
        }
    }
    return flush();
}

static bool run_all(void)
{
    if (!run.slots || !run.in || !run.cpu || !run.other) {
        fprintf(stderr, "insn: no memory\n");
        return false;
    }
    if (!run_hand_written() || !run_forms())
        return false;
    printf("insn %s: %llu passed, %llu failed\n", run.backend->name,
           (unsigned long long)run.passed, (unsigned long long)run.failed);
    return run.failed == 0;
}

int main(int argc, char **argv)
{
    bool ok;

    run.backend = backend_find(argc > 1 ? argv[1] : "interp");
    run.only = argc > 2 ? argv[2] : NULL;
    run.seed = 1;
    if (!run.backend) {
        fprintf(stderr, "usage: insn [BACKEND [SUBSTRING]]\n");
        return 2;
    }
    run.slots = calloc(CASE_SLOTS, sizeof(*run.slots));
    run.in = calloc(CASE_SLOTS, sizeof(*run.in));
    run.cpu = case_alloc(CASE_SLOTS * sizeof(*run.cpu));
    run.other = case_alloc(CASE_SLOTS * sizeof(*run.other));
    ok = run_all();
    free(run.slots);
    free(run.in);
    return !ok;
}
