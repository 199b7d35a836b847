/* `trapmark doctor`: what this host can measure, and how well. */
#include "cmd.h"
#include "hostfacts.h"
#include "resultfile.h"
#include "table.h"
#include "util.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    if (key == 'j')
        *(bool *)state->input = true;
    else if (key == ARGP_KEY_ARG)
        cli_usage("unexpected '%s'", arg);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

/* ---- Advice ----------------------------------------------------------- */

/* Each looks at the facts and adds what follows from them. */
static void advise(json_t *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void advise(json_t *list, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_array_append_new(list, json_string(text));
}

static void advise_kvm(const struct host_facts *f, json_t *list)
{
    const struct kvm_facts *k = &f->kvm;
    char command[KVM_COMMAND_MAX];

    if (!k->available) {
        advise(list, "KVM can't be used: %s", k->why);
        return;
    }
    if (k->emulated_cpu)
        advise(list, "this processor is emulated (QEMU TCG): its exits can be "
                     "counted, its times are no hardware's");
    else if (!strcmp(k->ring0, "emulated"))
        advise(list,
               "KVM here emulates the guest's ring 0, %.0f times slower than "
               "ring 3: its figures are those of %s, not of hardware "
               "virtualization",
               k->ring0_ratio, k->module);
    if (!strcmp(k->paging, "shadow"))
        advise(list, "KVM uses shadow paging here: page-table writes and "
                     "context switches cost what nested paging would save");
    if (kvm_probe_other_paging(command))
        advise(list, "to compare with %s paging: %s",
               strcmp(k->paging, "shadow") ? "shadow" : "nested", command);
    if (!k->cpu_flag && strcmp(k->module, "kvm_pvm"))
        advise(list,
               "the CPU shows neither vmx nor svm: what drives %s is "
               "not this CPU's virtualization hardware",
               k->module);
}

static void advise_noise(const struct host_facts *f, json_t *list)
{
    if (*f->governor && strcmp(f->governor, "performance"))
        advise(list, "the frequency governor is %s: set it to performance",
               f->governor);
    if (!strcmp(f->smt, "on"))
        advise(list, "SMT is on: a busy sibling slows a measurement; switch it "
                     "off or keep the machine idle");
    if (f->virtual_machine)
        advise(list,
               "this host is a virtual machine (%s): its own host may "
               "take the CPU away; trust medians and intervals, not "
               "minima",
               *f->hypervisor ? f->hypervisor : "unnamed");
    if (!f->tsc_invariant)
        advise(list, "the TSC isn't invariant: ticks are not time here");
    if (f->cores < 2)
        advise(list, "one CPU: the harness disturbs what it measures");
}

static json_t *advice_json(const struct host_facts *f)
{
    json_t *list = json_array();

    advise_kvm(f, list);
    if (!f->pmu)
        advise(list, "no PMU: no cycles, instructions or cache misses; ticks "
                     "of the TSC and software events remain");
    advise_noise(f, list);
    return list;
}

/* ---- Printing --------------------------------------------------------- */

static void fact(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fact(const char *name, const char *format, ...)
{
    va_list args;

    printf("%-14s ", name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void print_kvm(const struct kvm_facts *k)
{
    if (!k->available) {
        fact("KVM", "not available: %s", k->why);
        return;
    }
    fact("KVM", "%s", k->label);
    fact("  module", "%s", k->module);
    fact("  paging", "%s", k->paging);
    if (k->ring0_ratio > 0)
        fact("  ring 0", "%s: a loop takes %.1f times its ring 3 time",
             k->ring0, k->ring0_ratio);
    else
        fact("  ring 0", "%s%s%s", k->ring0, *k->why ? ": " : "", k->why);
    fact("  exits", "%s%s",
         k->exits_by_reason ? "can be counted by reason (--kvm-trace on)"
                            : "can't be counted by reason: ",
         k->exits_by_reason ? "" : k->exits_why);
}

static void print_primitives(const struct host_facts *f,
                             const struct primitive *list)
{
    static const char *const headings[] = {"PRIMITIVE", ">TICKS", ">NS",
                                           "WHAT IT IS", NULL};
    struct table *t = table_new(headings);

    for (int i = 0; i < PRIMITIVES; i++) {
        char ticks[16], ns[16];

        if (isnan(list[i].ticks))
            continue;
        table_figure(list[i].ticks, ticks);
        table_figure(list[i].ticks * 1e6 / f->tsc_khz, ns);
        table_row(
            t, (const char *const[]){list[i].name, ticks, ns, list[i].meaning});
    }
    putchar('\n');
    table_print(t, stdout);
    table_free(t);
}

static void print_facts(const struct host_facts *f,
                        const struct primitive *list, const json_t *advice)
{
    json_t *line;
    size_t i;

    fact("CPU", "%s (%s, family %u, model %u, stepping %u)", f->model,
         f->vendor, f->family, f->model_id, f->stepping);
    fact("flags", "%s", f->flags);
    fact("kernel", "Linux %s", f->kernel);
    if (f->virtual_machine)
        fact("runs in", "a virtual machine%s%s",
             *f->hypervisor ? ", hypervisor " : "", f->hypervisor);
    fact("cores", "%u, SMT %s", f->cores, *f->smt ? f->smt : "unknown");
    fact("memory", "%llu MiB", (unsigned long long)f->memory_mib);
    fact("TSC", "%.3f MHz, %sinvariant", f->tsc_khz / 1e3,
         f->tsc_invariant ? "" : "not ");
    fact("governor", "%s", *f->governor ? f->governor : "none");
    fact("PMU", "%s", f->pmu ? "available" : f->pmu_why);
    print_kvm(&f->kvm);
    print_primitives(f, list);
    if (json_array_size(advice))
        puts("\nAdvice");
    json_array_foreach(advice, i, line)
        printf("  - %s\n", json_string_value(line));
}

int cmd_doctor(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"json", 'j', NULL, 0, "as JSON", 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc = "Show what this host can measure, and how well: CPU, KVM and "
               "what it really is, PMU, the cost of its primitives, advice.",
    };
    struct primitive primitives[PRIMITIVES];
    struct host_facts facts;
    json_t *advice, *host;
    bool json = false;

    cli_parse(&argp, argc, argv, &json);
    hostfacts_collect(&facts);
    primitives_measure(&facts, primitives);
    advice = advice_json(&facts);
    if (json) {
        host = hostfacts_json(&facts, primitives);
        json_object_set(host, RF_ADVICE, advice);
        json_dumpf(host, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(host);
    } else {
        print_facts(&facts, primitives, advice);
    }
    json_decref(advice);
    return EXIT_OK;
}
