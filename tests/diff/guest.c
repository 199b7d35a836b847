/* Runs cases on a backend, in a bare machine with the same addresses. */
#include "case.h"

#include "backends/machine/machine.h"
#include "backends/x86/walk.h"

#include <errno.h>
#include <string.h>

/* Guest physical layout. */
#define RAM_SIZE (8ull << 20)
#define GPA_TABLES 0x1000u /* PML4, PDPT, PD, then one PT a region */
#define TABLES 8
#define GPA_SCRATCH 0x10000u /* tables that machine_long_mode() writes */
#define GPA_DATA 0x20000u
#define GPA_STACK 0x30000u
#define GPA_TSS 0x40000u
#define GPA_CODE 0x200000u
#define TSS (CASE_STACK + 0x100000) /* supervisor only */

#define CASE_STEPS 100000 /* more than any case executes */

const char *guest_options, *guest_paging;

static uint64_t *table(struct vm *vm, unsigned n)
{
    return ram_ptr(vm->ram, GPA_TABLES + n * 4096ull, 4096);
}

static void map_region(struct vm *vm, unsigned pt, uint64_t va, gpa_t gpa,
                       unsigned pages, uint64_t attr)
{
    table(vm, 2)[va >> 21 & 511] =
        (GPA_TABLES + pt * 4096ull) | PTE_P | PTE_W | PTE_U;
    for (unsigned i = 0; i < pages; i++)
        table(vm, pt)[(va >> 12 & 511) + i] =
            (gpa + i * 4096ull) | attr | PTE_P | PTE_A | PTE_D;
}

static void build_tables(struct vm *vm)
{
    memset(table(vm, 0), 0, TABLES * 4096);
    table(vm, 0)[0] = (GPA_TABLES + 4096) | PTE_P | PTE_W | PTE_U;
    table(vm, 1)[0] = (GPA_TABLES + 8192) | PTE_P | PTE_W | PTE_U;
    map_region(vm, 3, CASE_CODE, GPA_CODE, CASE_SLOT * CASE_SLOTS / 4096,
               PTE_U);
    map_region(vm, 4, CASE_DATA, GPA_DATA, CASE_RW_SIZE / 4096,
               PTE_U | PTE_W | PTE_NX);
    map_region(vm, 4, CASE_DATA + CASE_RW_SIZE, GPA_DATA + CASE_RW_SIZE,
               CASE_RO_SIZE / 4096, PTE_U | PTE_NX);
    map_region(vm, 5, CASE_STACK, GPA_STACK, CASE_STK_SIZE / 4096,
               PTE_U | PTE_W | PTE_NX);
    map_region(vm, 5, TSS, GPA_TSS, 1, PTE_W | PTE_NX);
}

/* For code that writes to itself and to its tables. */
static void map_changes(struct vm *vm)
{
    map_region(vm, 6, CASE_ALIAS, GPA_CODE, CASE_SLOT * CASE_SLOTS / 4096,
               PTE_U | PTE_W | PTE_NX);
    map_region(vm, 7, CASE_TABLES, GPA_TABLES, TABLES, PTE_U | PTE_W | PTE_NX);
}

/* The state that registers and memory of a case go into. At CPL 3 selectors are
 * as a Linux process has them. */
static void start_state(struct machine *m, struct x86_state *s, int cpl)
{
    machine_long_mode(m, s, GPA_SCRATCH, cpl);
    s->cr3 = GPA_TABLES;
    s->tr.base = TSS;
    if (cpl == 0)
        return;
    s->seg[CS].sel = 0x33;
    s->seg[SS].sel = 0x2b;
    s->seg[DS].sel = s->seg[ES].sel = s->seg[FS].sel = s->seg[GS].sel = 0;
    s->seg[GS].base = CASE_GS_BASE;
}

static void load_case(struct vm *vm, struct x86_state *s, unsigned slot,
                      const struct case_input *in)
{
    memcpy(s->gpr, in->gpr, sizeof(s->gpr));
    s->rip = case_rip(slot);
    s->rflags = (in->rflags & CASE_FLAGS) | FL_IF | 2;
    s->fx = in->fx;
    memcpy(ram_ptr(vm->ram, GPA_DATA, CASE_RW_SIZE), in->mem.data,
           CASE_RW_SIZE);
    memcpy(ram_ptr(vm->ram, GPA_STACK, CASE_STK_SIZE), in->mem.stack,
           CASE_STK_SIZE);
}

static void take_result(struct vm *vm, const struct vm_exit *exit,
                        const struct x86_state *s, struct case_output *out)
{
    memcpy(out->gpr, s->gpr, sizeof(out->gpr));
    out->rip = s->rip;
    out->rflags = s->rflags;
    out->fx = s->fx;
    out->vector = exit->vector;
    out->error = exit->has_error ? exit->error : 0;
    out->cr2 = exit->vector == VEC_PF ? s->cr2 : 0;
    memcpy(out->mem.data, ram_ptr(vm->ram, GPA_DATA, CASE_RW_SIZE),
           CASE_RW_SIZE);
    memcpy(out->mem.stack, ram_ptr(vm->ram, GPA_STACK, CASE_STK_SIZE),
           CASE_STK_SIZE);
}

/* Run until something else than the instruction limit ends it. */
static int run_chunks(struct vm *vm, unsigned chunk, struct vm_exit *exit)
{
    uint64_t end = vm->retired + CASE_STEPS;
    int err;

    do {
        vm->limit = chunk ? vm->retired + chunk : end;
        err = vm->backend->run(vm, exit);
    } while (!err && exit->kind == EXIT_KICKED && vm->retired < end);
    return err;
}

/* 0, or negative errno and why. */
static int run_case(struct vm *vm, unsigned chunk, struct x86_state *s,
                    unsigned slot, const struct case_input *in,
                    struct case_output *out, char why[REASON_MAX])
{
    const struct backend *b = vm->backend;
    struct vm_exit exit = {.kind = EXIT_ERROR};
    uint64_t before = vm->retired;
    uint64_t units = vm->events.count[EV_BT_TRANSLATE];
    int err;

    *out = (struct case_output){.vector = -1};
    load_case(vm, s, slot, in);
    if (in->ring != CASE_RING3) {
        build_tables(vm);
        map_changes(vm);
        if (b->ram_written)
            b->ram_written(vm, GPA_TABLES, TABLES * 4096);
    }
    err = b->set_state(vm, s);
    if (!err)
        err = run_chunks(vm, chunk, &exit);
    if (!err && exit.kind == EXIT_EXCEPTION) {
        err = b->get_state(vm, s);
        if (!err)
            take_result(vm, &exit, s, out);
        out->retired = vm->retired - before;
        out->units = vm->events.count[EV_BT_TRANSLATE] - units;
        return err;
    }
    out->rip = exit.rip;
    snprintf(why, REASON_MAX, "case %u ended with exit %d at 0x%llx: %.160s",
             slot, exit.kind, (unsigned long long)exit.rip, exit.why);
    return err ? err : -EPROTO;
}

int guest_run(const struct backend *backend, unsigned chunk,
              const struct case_input *in, struct case_output *out,
              unsigned first, unsigned n, char why[REASON_MAX])
{
    struct machine *m = machine_create_bare_with(
        backend, RAM_SIZE, false, guest_paging, guest_options, why);
    struct x86_state start[3], s; /* by enum case_ring */
    struct vm *vm;

    if (!m)
        return -EINVAL;
    vm = machine_vm(m);
    vm->trap_exceptions = true;
    vm->deadline = UINT64_MAX;
    for (unsigned i = first; i < first + n; i++)
        memcpy(ram_ptr(vm->ram, GPA_CODE + (uint64_t)i * CASE_SLOT, CASE_SLOT),
               in[i].code, in[i].code_len);
    case_fill_ro(ram_ptr(vm->ram, GPA_DATA + CASE_RW_SIZE, CASE_RO_SIZE));
    /* No I/O permission bitmap: it begins behind the TSS. */
    *(uint16_t *)ram_ptr(vm->ram, GPA_TSS + 0x66, 2) = 0x68;
    start_state(m, &start[CASE_RING0], 0);
    start_state(m, &start[CASE_RING3], 3);
    start[CASE_CHANGES] = start[CASE_RING3];
    start[CASE_CHANGES].seg[FS].base = CASE_FS_BASE;
    build_tables(vm);
    for (unsigned i = first; i < first + n; i++) {
        s = start[in[i].ring];
        run_case(vm, chunk, &s, i, &in[i], &out[i], why);
    }
    machine_destroy(m);
    return 0;
}
