/* What this host is, from CPUID, /proc and /sys. */
#include "hostfacts.h"
#include "perf.h"
#include "resultfile.h"
#include "tsc.h"
#include "util.h"

#include <cpuid.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* CPU flags that decide what a VMM can do or what it costs. */
static const char *const telling_flags[] = {"vmx",
                                            "svm",
                                            "ept",
                                            "npt",
                                            "vpid",
                                            "nx",
                                            "pdpe1gb",
                                            "rdtscp",
                                            "pcid",
                                            "invpcid",
                                            "smep",
                                            "smap",
                                            "umip",
                                            "fsgsbase",
                                            "pku",
                                            "x2apic",
                                            "tsc_deadline_timer",
                                            "constant_tsc",
                                            "nonstop_tsc",
                                            "cpuid_fault",
                                            "hypervisor",
                                            "sse4_2",
                                            "avx2",
                                            "avx512f",
                                            "ibrs",
                                            "pti",
                                            NULL};

static void read_cpuid(struct host_facts *f)
{
    unsigned a, b, c, d, max = __get_cpuid_max(0x80000000, NULL);

    if (__get_cpuid(0, &a, &b, &c, &d)) {
        memcpy(f->vendor, &b, 4);
        memcpy(f->vendor + 4, &d, 4);
        memcpy(f->vendor + 8, &c, 4);
    }
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        f->stepping = a & 15;
        f->model_id = a >> 4 & 15;
        f->family = a >> 8 & 15;
        if (f->family == 15 || f->family == 6)
            f->model_id |= (a >> 16 & 15) << 4;
        if (f->family == 15)
            f->family += a >> 20 & 255;
        f->virtual_machine = c >> 31;
    }
    for (unsigned i = 0; max >= 0x80000004 && i < 3; i++) {
        unsigned r[4];

        __cpuid(0x80000002 + i, r[0], r[1], r[2], r[3]);
        memcpy(f->model + 16 * i, r, 16);
    }
    if (max >= 0x80000007) {
        __cpuid(0x80000007, a, b, c, d);
        f->tsc_invariant = d >> 8 & 1;
    }
    if (f->virtual_machine) {
        unsigned r[4];

        __cpuid(0x40000000, r[0], r[1], r[2], r[3]);
        memcpy(f->hypervisor, r + 1, 12);
    }
    /* Some brand strings are padded with spaces. */
    for (size_t n = strlen(f->model); n && f->model[n - 1] == ' '; n--)
        f->model[n - 1] = '\0';
}

static void read_flags(struct host_facts *f)
{
    char why[REASON_MAX], *line, *end, *save = NULL;
    size_t len, used = 0;
    char *info = file_read("/proc/cpuinfo", &len, why);

    line = info ? strstr(info, "\nflags") : NULL;
    if (line && (line = strchr(line, ':'))) {
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        for (char *flag = strtok_r(line + 1, " \t", &save); flag;
             flag = strtok_r(NULL, " \t", &save))
            for (const char *const *t = telling_flags; *t; t++)
                if (!strcmp(flag, *t) &&
                    used + strlen(flag) + 2 < sizeof(f->flags))
                    used +=
                        sprintf(f->flags + used, "%s%s", used ? " " : "", flag);
    }
    free(info);
}

void hostfacts_collect(struct host_facts *f)
{
    struct utsname name;

    memset(f, 0, sizeof(*f));
    read_cpuid(f);
    read_flags(f);
    if (!uname(&name))
        snprintf(f->kernel, sizeof(f->kernel), "%s", name.release);
    f->cores = sysconf(_SC_NPROCESSORS_ONLN);
    f->memory_mib =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) >>
        20;
    f->tsc_khz = tsc_khz();
    if (!file_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
                   f->governor, sizeof(f->governor)))
        *f->governor = '\0';
    if (!file_line("/sys/devices/system/cpu/smt/control", f->smt,
                   sizeof(f->smt)))
        *f->smt = '\0';
    kvm_probe_facts(&f->kvm);
    f->pmu = perf_pmu_available(f->pmu_why);
}

static json_t *flags_json(const char *flags)
{
    json_t *array = json_array();
    char *copy = xstrdup(flags), *save = NULL;

    for (char *flag = strtok_r(copy, " ", &save); flag;
         flag = strtok_r(NULL, " ", &save))
        json_array_append_new(array, json_string(flag));
    free(copy);
    return array;
}

static json_t *kvm_json(const struct kvm_facts *k)
{
    json_t *kvm = json_object();

    json_object_set_new(kvm, RF_AVAILABLE, json_boolean(k->available));
    result_set_text(kvm, RF_LABEL, k->label);
    if (!k->available) {
        result_set_text(kvm, RF_REASON, k->why);
        return kvm;
    }
    result_set_text(kvm, RF_MODULE, k->module);
    result_set_text(kvm, RF_PAGING, k->paging);
    result_set_text(kvm, RF_RING0, k->ring0);
    if (k->ring0_ratio > 0)
        result_set_real(kvm, RF_RING0_RATIO, k->ring0_ratio);
    return kvm;
}

json_t *hostfacts_json(const struct host_facts *f, const struct primitive *list)
{
    json_t *host = json_object(), *cpu = json_object(), *part;

    result_set_text(cpu, RF_VENDOR, f->vendor);
    result_set_text(cpu, RF_MODEL, f->model);
    json_object_set_new(cpu, RF_FAMILY, json_integer(f->family));
    json_object_set_new(cpu, RF_MODEL_ID, json_integer(f->model_id));
    json_object_set_new(cpu, RF_STEPPING, json_integer(f->stepping));
    json_object_set_new(cpu, RF_FLAGS, flags_json(f->flags));
    json_object_set_new(host, RF_CPU, cpu);
    result_set_text(host, RF_KERNEL, f->kernel);
    result_set_text(host, RF_HYPERVISOR, f->hypervisor);
    json_object_set_new(host, RF_CORES, json_integer(f->cores));
    json_object_set_new(host, RF_MEMORY_MIB, json_integer(f->memory_mib));
    json_object_set_new(host, RF_TSC_KHZ, json_integer(f->tsc_khz));
    result_set_text(host, RF_GOVERNOR, f->governor);
    result_set_text(host, RF_SMT, f->smt);
    json_object_set_new(host, RF_KVM, kvm_json(&f->kvm));
    part = json_object();
    json_object_set_new(part, RF_AVAILABLE, json_boolean(f->pmu));
    if (!f->pmu)
        result_set_text(part, RF_REASON, f->pmu_why);
    json_object_set_new(host, RF_PMU, part);
    if (!list)
        return host;
    part = json_object();
    for (int i = 0; i < PRIMITIVES; i++)
        result_set_real(part, list[i].name, list[i].ticks);
    json_object_set_new(host, RF_PRIMITIVES, part);
    return host;
}
