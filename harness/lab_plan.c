/* What the lab runs, and in which order. */
#include "lab.h"
#include "report.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

/* Beside the paper's: exits that nested paging saves and some that nothing
 * saves. */
static bool in_quick(const struct tm_note_bench *b)
{
    static const char *const more[] = {"forkwait",  "trace-fault", "cr3-write",
                                       "invlpg",    "cpuid",       "hypercall",
                                       "mmio-read", NULL};
    const char *const *name = more;

    while (*name && strcmp(*name, b->name))
        name++;
    return (b->flags & TM_BENCH_PAPER) || *name;
}

/* hlt-timer may sleep for ever on emulated SVM: QEMU 7.2's VMRUN doesn't load
 * the VMCB's interrupt shadow (APM volume 2, 15.21.5). After an exit between
 * STI and HLT the timer's interrupt comes before HLT, which then waits for
 * another. */
static bool in_micro(const struct tm_note_bench *b)
{
    return !strcmp(b->suite, "micro") && strcmp(b->name, "hlt-timer");
}

/* TLB misses exit nowhere and take long here. */
static bool in_paging(const struct tm_note_bench *b)
{
    return !strcmp(b->suite, "paging") && strcmp(b->name, "tlb-chase");
}

static bool in_work(const struct tm_note_bench *b)
{
    static const char *const some[] = {
        "shell", "gc", "blkread-rand", "net-rr-64", "timer-1khz", NULL};
    const char *const *name = some;

    while (*name && strcmp(*name, b->name))
        name++;
    return *name;
}

/* Runs of trapmark, each under nested and under shadow paging. What matters
 * most comes first, in case time runs out. */
static const struct pass {
    const char *name;
    bool (*wanted)(const struct tm_note_bench *);
} passes[] = {
    {"paper", in_quick},
    {"micro", in_micro},
    {"paging", in_paging},
    {"work", in_work},
};
_Static_assert(sizeof(passes) / sizeof(passes[0]) == LAB_PASSES,
               "as lab.h says");

char *lab_list(const struct lab_request *o, const struct image *image,
               unsigned pass)
{
    struct text t = {0};

    if (pass && (o->quick || o->benches))
        return NULL;
    if (o->benches)
        return xstrdup(o->benches);
    for (size_t i = 0; i < image->benches.count; i++) {
        const struct tm_note_bench *b = &image->benches.v[i].note;
        unsigned first = 0;

        while (first < pass && !passes[first].wanted(b))
            first++;
        if (first == pass && passes[pass].wanted(b) &&
            !(b->flags & TM_BENCH_HIDDEN))
            text_add(&t, "%s%s", t.len ? "," : "", b->name);
    }
    return t.text;
}

char *lab_plan(const struct lab_request *o, const struct image *image,
               const struct lab_modules *modules)
{
    struct text plan = {0};
    bool loaded = false;

    for (size_t i = 0; i + 1 < modules->count; i++)
        text_add(&plan, "load /modules/%s.ko\n", modules->v[i].name);
    for (unsigned p = 0; p < LAB_PASSES; p++) {
        char *list = lab_list(o, image, p);

        for (int npt = 1; list && npt >= 0; npt--) {
            if (loaded)
                text_add(&plan, "unload kvm_amd\n");
            loaded = true;
            text_add(&plan, "load /modules/kvm_amd.ko npt=%d\n", npt);
            text_add(&plan, "run %s-%s -b kvm " LAB_BATCHES " -t %s\n",
                     o->benches ? "chosen" : passes[p].name,
                     npt ? "nested" : "shadow", list);
        }
        free(list);
    }
    return plan.text;
}
