/* Compares two outcomes of a case and prints what differs. */
#include "case.h"

#include <string.h>

#include <Zydis/Zydis.h>

static const char *const gpr_names[16] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

/* One comparison in progress: equal goes false at the first difference, and the
 * others are only looked for where there is somebody to tell. */
struct diff {
    FILE *out;
    const char *b_name;
    bool equal;
};

static void check(struct diff *d, const char *what, uint64_t a, uint64_t b)
{
    if (a == b)
        return;
    d->equal = false;
    if (d->out)
        fprintf(d->out, "  %-8s cpu 0x%016llx  %s 0x%016llx\n", what,
                (unsigned long long)a, d->b_name, (unsigned long long)b);
}

static void print_bytes(FILE *out, const uint8_t *p, unsigned n)
{
    while (n--)
        fprintf(out, "%02x", p[n]);
}

/* A register of n bytes, most significant first. */
static void check_bytes(struct diff *d, const char *what, int index,
                        const uint8_t *a, const uint8_t *b, unsigned n)
{
    if (!memcmp(a, b, n))
        return;
    d->equal = false;
    if (!d->out)
        return;
    fprintf(d->out, "  %s%-*d cpu ", what, (int)(8 - strlen(what)), index);
    print_bytes(d->out, a, n);
    fprintf(d->out, "  %s ", d->b_name);
    print_bytes(d->out, b, n);
    fputc('\n', d->out);
}

static void check_memory(struct diff *d, uint64_t va, const uint8_t *a,
                         const uint8_t *b, unsigned size)
{
    unsigned shown = 0;

    if (!memcmp(a, b, size))
        return;
    d->equal = false;
    for (unsigned i = 0; d->out && i < size && shown < 8; i += 8) {
        uint64_t va64, vb64;

        memcpy(&va64, a + i, 8);
        memcpy(&vb64, b + i, 8);
        if (va64 == vb64)
            continue;
        fprintf(d->out, "  [0x%llx] cpu 0x%016llx  %s 0x%016llx\n",
                (unsigned long long)va + i, (unsigned long long)va64, d->b_name,
                (unsigned long long)vb64);
        shown++;
    }
}

/* The x87 instruction and operand pointers depend on the CPU model (SDM vol. 1,
 * 8.1.8) and are not compared. */
static void check_fx(struct diff *d, const struct x86_fx *a,
                     const struct x86_fx *b)
{
    check(d, "fcw", a->fcw, b->fcw);
    check(d, "fsw", a->fsw, b->fsw);
    check(d, "ftw", a->ftw, b->ftw);
    check(d, "mxcsr", a->mxcsr, b->mxcsr);
    for (int i = 0; i < 8; i++)
        check_bytes(d, "st", i, a->st[i], b->st[i], 10);
    for (int i = 0; i < 16; i++)
        check_bytes(d, "xmm", i, a->xmm[i], b->xmm[i], 16);
}

bool case_equal(const struct case_output *a, const struct case_output *b,
                const struct case_open *open, const char *b_name, FILE *out)
{
    struct diff d = {.out = out, .b_name = b_name, .equal = true};
    uint64_t flags = ~(open->undefined | FL_RF);

    check(&d, "vector", (uint64_t)(int64_t)a->vector,
          (uint64_t)(int64_t)b->vector);
    if (a->vector != VEC_PF ||
        !(open->which_operand ||
          (open->which_byte && a->cr2 - b->cr2 + 512 <= 1024))) {
        check(&d, "error", a->error, b->error);
        check(&d, "cr2", a->cr2, b->cr2);
    }
    check(&d, "rip", a->rip, b->rip);
    check(&d, "rflags", a->rflags & flags, b->rflags & flags);
    for (int i = 0; i < 16; i++)
        check(&d, gpr_names[i], a->gpr[i], b->gpr[i]);
    check_fx(&d, &a->fx, &b->fx);
    check_memory(&d, CASE_DATA, a->mem.data, b->mem.data, CASE_RW_SIZE);
    check_memory(&d, CASE_STACK, a->mem.stack, b->mem.stack, CASE_STK_SIZE);
    return d.equal;
}

void case_print_code(const uint8_t *code, size_t len, uint64_t rip, FILE *out)
{
    ZydisDisassembledInstruction in;
    size_t off = 0;

    while (off < len) {
        unsigned n = 1;

        fprintf(out, "  0x%llx  ", (unsigned long long)rip + off);
        if (ZYAN_SUCCESS(ZydisDisassembleIntel(ZYDIS_MACHINE_MODE_LONG_64,
                                               rip + off, code + off, len - off,
                                               &in)))
            n = in.info.length;
        else
            strcpy(in.text, "(bad)");
        for (unsigned i = 0; i < 15; i++)
            fprintf(out, i < n ? "%02x" : "  ", code[off + i]);
        fprintf(out, "  %s\n", in.text);
        off += n;
    }
}
