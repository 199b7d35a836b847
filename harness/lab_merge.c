/* One result file of the lab's several. */
#include "lab.h"
#include "resultfile.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

/* Host members that are times of an emulated processor, or differ by part. */
static void clean_host(json_t *host)
{
    json_t *kvm = json_object_get(host, RF_KVM);
    const char *label = result_text(kvm, RF_LABEL);
    const char *comma = label ? strchr(label, ',') : NULL;

    json_object_del(host, RF_PRIMITIVES);
    json_object_del(kvm, RF_RING0_RATIO);
    json_object_del(kvm, RF_PAGING);
    if (comma && !strncmp(label, "KVM (kvm_amd: ", 14)) {
        char *both = xformat("KVM (kvm_amd: NPT or shadow paging%s", comma);

        result_set_text(kvm, RF_LABEL, both);
        free(both);
    }
}

static void add_names(json_t *to, const json_t *from)
{
    json_t *name, *have;
    size_t i, k;

    json_array_foreach(from, i, name)
    {
        bool known = false;

        json_array_foreach(to, k, have) known |= json_equal(name, have);
        if (!known)
            json_array_append(to, name);
    }
}

/* The same row is kept once: the first. */
static void add_runs(json_t *to, const json_t *from)
{
    static const char *const key[] = {RF_SUITE, RF_BENCH, RF_BACKEND, RF_PAGING,
                                      RF_PARAMS};
    json_t *run, *have;
    size_t i, k;

    json_array_foreach(from, i, run)
    {
        bool known = false;

        json_array_foreach(to, k, have)
        {
            bool same = true;

            for (size_t m = 0; m < sizeof(key) / sizeof(key[0]); m++)
                same &= json_equal(json_object_get(run, key[m]),
                                   json_object_get(have, key[m]));
            known |= same;
        }
        if (!known)
            json_array_append(to, run);
    }
}

json_t *lab_merge(const json_t *parts, const char *command)
{
    json_t *file = json_deep_copy(json_array_get(parts, 0)), *config, *part;
    size_t i;

    if (!file)
        return NULL;
    config = json_object_get(file, RF_CONFIG);
    for (i = 1; i < json_array_size(parts); i++) {
        json_t *more;

        part = json_array_get(parts, i);
        more = json_object_get(part, RF_CONFIG);
        add_names(json_object_get(config, RF_BENCHMARKS),
                  json_object_get(more, RF_BENCHMARKS));
        add_names(json_object_get(config, RF_SUITES),
                  json_object_get(more, RF_SUITES));
        add_runs(json_object_get(file, RF_RUNS),
                 json_object_get(part, RF_RUNS));
        add_names(json_object_get(file, RF_WARNINGS),
                  json_object_get(part, RF_WARNINGS));
    }
    result_set_text(config, RF_COMMAND, command);
    if (json_array_size(parts) > 1)
        clean_host(json_object_get(file, RF_HOST));
    return file;
}
