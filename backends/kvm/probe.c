/* The truth probe: reads what the host says of its KVM and measures whether
 * ring 0 really runs. */
#include "probe.h"
#include "kvm.h"

#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

extern const struct backend backend_kvm;

/* ---- What files say ---------------------------------------------------- */

static bool cpu_has(const char *flag)
{
    FILE *f = fopen("/proc/cpuinfo", "re");
    char line[8192];
    bool found = false;

    if (!f)
        return false;
    while (!found && fgets(line, sizeof(line), f)) {
        if (strncmp(line, "flags", 5))
            continue;
        for (char *s, *word = strtok_r(line, " \t\n", &s); word && !found;
             word = strtok_r(NULL, " \t\n", &s))
            found = !strcmp(word, flag);
        break; /* all processors are alike */
    }
    fclose(f);
    return found;
}

static bool module_loaded(const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/sys/module/%s", name);
    return access(path, F_OK) == 0;
}

/* A module that is built in has its directory even where it found no such
 * hardware, so the CPU's flag counts as well. */
const char *kvm_probe_module(void)
{
    if (module_loaded("kvm_intel") && cpu_has("vmx"))
        return "kvm_intel";
    if (module_loaded("kvm_amd") && cpu_has("svm"))
        return "kvm_amd";
    return module_loaded("kvm_pvm") ? "kvm_pvm" : "unknown";
}

/* 'Y', 'N', or 0 where it can't be read. */
static char parameter(const char *path)
{
    FILE *f = fopen(path, "re");
    int c;

    if (!f)
        return 0;
    c = fgetc(f);
    fclose(f);
    return c == 'Y' || c == '1' ? 'Y' : c == 'N' || c == '0' ? 'N' : 0;
}

static const char *paging_of(const char *module)
{
    char on;

    if (!strcmp(module, "kvm_pvm"))
        return "shadow"; /* it has no other */
    if (!strcmp(module, "kvm_intel")) {
        on = parameter("/sys/module/kvm_intel/parameters/ept");
        return on == 'Y' ? "ept" : on == 'N' ? "shadow" : "unknown";
    }
    if (!strcmp(module, "kvm_amd")) {
        on = parameter("/sys/module/kvm_amd/parameters/npt");
        return on == 'Y' ? "npt" : on == 'N' ? "shadow" : "unknown";
    }
    return "unknown";
}

const char *kvm_probe_paging(void)
{
    return paging_of(kvm_probe_module());
}

bool kvm_probe_other_paging(char command[KVM_COMMAND_MAX])
{
    const char *module = kvm_probe_module();
    const char *paging = paging_of(module);

    if (!strcmp(paging, "unknown") || !strcmp(module, "kvm_pvm"))
        return false;
    snprintf(command, KVM_COMMAND_MAX, "modprobe -r %s && modprobe %s %s=%d",
             module, module, !strcmp(module, "kvm_amd") ? "npt" : "ept",
             !strcmp(paging, "shadow"));
    return true;
}

void kvm_probe_say_paging(char text[REASON_MAX])
{
    const char *paging = kvm_probe_paging();
    char command[KVM_COMMAND_MAX];
    bool other = kvm_probe_other_paging(command);

    snprintf(
        text, REASON_MAX, "this host's KVM does %s paging%s%s",
        !strcmp(paging, "ept") || !strcmp(paging, "npt") ? "nested" : paging,
        other ? "; for the other: " : " and no other", other ? command : "");
}

static bool inside_vm(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c >> 31);
}

static bool on_tcg(void)
{
    char signature[13] = "";
    unsigned a;

    if (!inside_vm())
        return false;
    __cpuid(0x40000000, a, *(unsigned *)signature, *(unsigned *)(signature + 4),
            *(unsigned *)(signature + 8));
    return !strcmp(signature, "TCGTCGTCGTCG");
}

/* ---- What a vCPU shows -------------------------------------------------- */

#define RAM_SIZE (2u << 20)
#define CODE_GPA 0x1000
#define RESULT_GPA 0x2000
#define TABLES_GPA 0x10000
#define PORT_TRIP 0x10 /* nothing happens */
#define PORT_DONE 0x11 /* the program has ended */
#define LOOPS 1500
#define TRIPS 200
#define ROUNDS 5
#define PATIENCE 400000000ull /* ticks, for one program */
#define EMULATED_RATIO 20     /* above it, nobody would call it running */

/* Guest code: ECX rounds of something, ticks to [RDI]. No fences: not every KVM
 * emulates them, and what is timed is long. */
#define PROGRAM(name, body)                                                    \
    extern const char probe_##name[], probe_##name##_end[];                    \
    __asm__(".pushsection .rodata\n"                                           \
            "probe_" #name ": rdtsc\n"                                         \
            "mov %eax, %ebx\n"                                                 \
            "1: " body "dec %ecx\n"                                            \
            "jnz 1b\n"                                                         \
            "rdtsc\n"                                                          \
            "sub %ebx, %eax\n"                                                 \
            "mov %eax, (%rdi)\n"                                               \
            "mov $0x11, %edx\n"                                                \
            "out %al, %dx\n"                                                   \
            "2: jmp 2b\n"                                                      \
            "probe_" #name "_end: .popsection\n")
PROGRAM(loop, "");
PROGRAM(trip, "mov $0x10, %edx\n out %al, %dx\n");

static uint64_t bus_read(void *opaque, uint16_t port, unsigned size)
{
    (void)opaque;
    (void)port;
    (void)size;
    return ~0ull;
}

static void bus_write(void *opaque, uint16_t port, unsigned size, uint64_t v)
{
    (void)size;
    (void)v;
    if (port == PORT_DONE)
        kvm_kick(opaque);
}

static uint64_t bus_mmio_read(void *opaque, gpa_t gpa, unsigned size)
{
    (void)opaque;
    (void)gpa;
    (void)size;
    return ~0ull;
}

static void bus_mmio_write(void *opaque, gpa_t gpa, unsigned size, uint64_t v)
{
    (void)opaque;
    (void)gpa;
    (void)size;
    (void)v;
}

static uint64_t bus_now(void *opaque)
{
    (void)opaque;
    return __rdtsc();
}

/* Identity-maps [0, 2 MiB), for user mode too. */
static void make_tables(uint8_t *ram)
{
    uint64_t *table = (uint64_t *)(ram + TABLES_GPA);

    memset(table, 0, 3 * 4096);
    table[0] = (TABLES_GPA + 0x1000) | 7;
    table[512] = (TABLES_GPA + 0x2000) | 7;
    table[1024] = 0x87; /* 2 MiB page, user, writable, present */
}

static void make_state(struct x86_state *s, int cpl)
{
    const uint32_t dpl = cpl << 5;
    const struct x86_seg data = {
        .limit = 0xffffffff,
        .sel = 0x10 | cpl,
        .attr = 3 | SEG_S | dpl | SEG_P | SEG_DB | SEG_G,
    };

    for (int i = 0; i < SREG_COUNT; i++)
        s->seg[i] = data;
    s->seg[CS].sel = 0x08 | cpl;
    s->seg[CS].attr = 11 | SEG_S | dpl | SEG_P | SEG_L | SEG_G;
    s->ldtr = (struct x86_seg){.attr = SEG_UNUSABLE};
    s->tr = (struct x86_seg){.sel = 0x18, .limit = 0x67, .attr = 11 | SEG_P};
    s->gdtr.limit = s->idtr.limit = 0; /* any exception ends in shutdown */
    s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    s->cr3 = TABLES_GPA;
    s->cr4 = CR4_PAE;
    s->efer = EFER_LME | EFER_LMA;
    s->rip = CODE_GPA;
    s->rflags = FL_IOPL; /* port writes at CPL 3 too */
    s->gpr[RSP] = TABLES_GPA;
    s->gpr[RDI] = RESULT_GPA;
}

/* Ticks that one program took, or 0 with why. */
static uint32_t run_program(struct vm *vm, const char *begin, const char *end,
                            int cpl, uint32_t rounds, char why[REASON_MAX])
{
    struct x86_state s;
    struct vm_exit exit;
    uint32_t ticks = 0;

    memcpy(vm->ram->host + CODE_GPA, begin, end - begin);
    memcpy(vm->ram->host + RESULT_GPA, &ticks, sizeof(ticks));
    if (kvm_get_state(vm, &s)) {
        snprintf(why, REASON_MAX, "KVM doesn't give the vCPU's state");
        return 0;
    }
    make_state(&s, cpl);
    s.gpr[RCX] = rounds;
    if (kvm_set_state(vm, &s)) {
        snprintf(why, REASON_MAX, "KVM refuses a 64-bit state at CPL %d", cpl);
        return 0;
    }
    vm->deadline = __rdtsc() + PATIENCE;
    kvm_run(vm, &exit);
    memcpy(&ticks, vm->ram->host + RESULT_GPA, sizeof(ticks));
    if (exit.kind == EXIT_KICKED && ticks)
        return ticks;
    snprintf(why, REASON_MAX, "a loop at CPL %d did not end: %.200s", cpl,
             exit.kind == EXIT_TIMER ? "too slow" : exit.why);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Median of several, per round; 0 with why. The first run, which fills shadow
 * tables, is left out. */
static double measure(struct vm *vm, const char *begin, const char *end,
                      int cpl, uint32_t rounds, char why[REASON_MAX])
{
    uint32_t ticks[ROUNDS];

    if (!run_program(vm, begin, end, cpl, rounds, why))
        return 0;
    for (int i = 0; i < ROUNDS; i++) {
        ticks[i] = run_program(vm, begin, end, cpl, rounds, why);
        if (!ticks[i])
            return 0;
    }
    qsort(ticks, ROUNDS, sizeof(ticks[0]), by_value);
    return (double)ticks[ROUNDS / 2] / rounds;
}

static void measure_all(struct vm *vm, struct kvm_facts *f)
{
    double user, kernel;

    user = measure(vm, probe_loop, probe_loop_end, 3, LOOPS, f->why);
    kernel =
        user ? measure(vm, probe_loop, probe_loop_end, 0, LOOPS, f->why) : 0;
    if (kernel) {
        f->ring0_ratio = kernel / user;
        f->ring0 = f->ring0_ratio < EMULATED_RATIO ? "hardware" : "emulated";
    }
    f->exit_ticks = measure(vm, probe_trip, probe_trip_end, 0, TRIPS, f->why);
}

static int with_vm(struct kvm_facts *f)
{
    struct guest_ram ram = {.size = RAM_SIZE, .fd = -1};
    struct kvm_vm *k = calloc(1, sizeof(*k));
    const struct vm_bus bus = {
        .opaque = k,
        .io_read = bus_read,
        .io_write = bus_write,
        .mmio_read = bus_mmio_read,
        .mmio_write = bus_mmio_write,
        .now = bus_now,
    };
    int err = -ENOMEM;

    ram.host = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!k || ram.host == MAP_FAILED) {
        snprintf(f->why, REASON_MAX, "out of memory");
        goto out;
    }
    make_tables(ram.host);
    k->vm.backend = &backend_kvm;
    k->vm.ram = &ram;
    k->vm.bus = &bus;
    k->vm.limit = UINT64_MAX;
    err = backend_kvm.create(&k->vm, f->why);
    if (err)
        goto out;
    f->available = true;
    f->exits_by_reason = !kvm_trace_open(k, f->exits_why);
    kvm_trace_close(k); /* what follows is timed */
    measure_all(&k->vm, f);
    backend_kvm.destroy(&k->vm);
out:
    if (ram.host != MAP_FAILED)
        munmap(ram.host, RAM_SIZE);
    free(k);
    return err;
}

/* ---- What is said of it -------------------------------------------------- */

/* "Hardware" needs all three: a module that drives the CPU's extension, the
 * CPU's word that it has one, and ring 0 at full speed. In a VM even that may
 * be another program's work, so there the label says no more than "direct". */
static void make_label(struct kvm_facts *f)
{
    const char *paging = !strcmp(f->paging, "ept")      ? "EPT"
                         : !strcmp(f->paging, "npt")    ? "NPT"
                         : !strcmp(f->paging, "shadow") ? "shadow paging"
                                                        : "paging unknown";
    const char *ring0 = "ring 0 unknown";

    if (!f->available) {
        snprintf(f->label, sizeof(f->label), "no KVM");
        return;
    }
    if (f->emulated_cpu)
        ring0 = !strcmp(f->module, "kvm_amd")     ? "emulated SVM (QEMU TCG)"
                : !strcmp(f->module, "kvm_intel") ? "emulated VT-x (QEMU TCG)"
                                                  : "QEMU TCG";
    else if (!strcmp(f->ring0, "emulated"))
        ring0 = "ring 0 emulated";
    else if (!strcmp(f->ring0, "hardware"))
        ring0 = f->cpu_flag && !f->nested_host ? "ring 0 in hardware"
                                               : "ring 0 direct";
    snprintf(f->label, sizeof(f->label), "KVM (%s: %s, %s%s)",
             strcmp(f->module, "unknown") ? f->module : "module unknown",
             paging, ring0,
             f->nested_host && f->cpu_flag && !f->emulated_cpu ? ", inside a VM"
                                                               : "");
}

static struct kvm_facts cached;
static int cached_error;

static void probe_once(void)
{
    cached.module = kvm_probe_module();
    cached.paging = paging_of(cached.module);
    cached.cpu_flag = cpu_has("vmx") || cpu_has("svm");
    cached.nested_host = inside_vm();
    cached.emulated_cpu = on_tcg();
    cached.ring0 = "unknown";
    cached_error = backend_kvm.probe(cached.why);
    if (!cached_error)
        cached_error = with_vm(&cached);
    if (cached.emulated_cpu && cached.ring0_ratio > 0)
        cached.ring0 = "emulated"; /* as fast as ring 3, which is, too */
    make_label(&cached);
}

int kvm_probe_facts(struct kvm_facts *facts)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, probe_once);
    *facts = cached;
    return cached_error;
}
