/* MOVS, STOS, LODS, CMPS, SCAS with their repeat prefixes. */
#include "event.h"
#include "mem.h"
#include "select.h"

/*
 * One handler, told by i->rm which instruction, i->scale the log2 of the element
 * size and i->reg the repeat prefix. A repeated instruction works element by
 * element on the architectural registers, so that a fault or an interruption
 * finds them right, and RIP still on the instruction; it retires once. Runs of
 * MOVS and STOS within a page go to the host's own string instruction.
 */
enum { MOVS, STOS, LODS, CMPS, SCAS };

/* Elements before the loop looks up again for ATTN_*. */
#define SLICE 4096u

struct string {
    struct icpu *c;
    const struct insn *i;
    unsigned size;
    uint64_t mask; /* of the address size */
    int64_t step;
};

static uint64_t reg(const struct string *s, unsigned r)
{
    return s->c->gpr[r] & s->mask;
}

static void set_reg(struct string *s, unsigned r, uint64_t v)
{
    s->c->gpr[r] = v & s->mask; /* 32-bit results zero-extend */
}

static gva_t source(const struct string *s)
{
    return reg(s, RSI) + s->c->seg_base[s->i->seg & EA_SEG];
}

static bool read_at(struct string *s, gva_t va, unsigned seg, uint64_t *v)
{
    void *p;

    if (!tlb_read(s->c, va, s->size, &p)) {
        p = mem_slow(s->c, s->i, va, s->size, seg, 0);
        if (!p)
            return false;
    }
    *v = bytes_load(p, s->size);
    return true;
}

static bool write_at(struct string *s, gva_t va, uint64_t v)
{
    void *p;

    if (tlb_write(s->c, va, s->size, &p)) {
        bytes_store(p, s->size, v);
        return true;
    }
    p = mem_slow(s->c, s->i, va, s->size, ES,
                 MEM_WRITE | (s->i->reg ? MEM_REP : 0));
    if (!p)
        return false;
    bytes_store(p, s->size, v);
    mem_commit(s->c);
    return true;
}

static void compare(struct string *s, uint64_t a, uint64_t b)
{
    unsigned shift = 64 - 8 * s->size;
    uint16_t fl;

    if (shift == 0) {
        asm("cmp %2, %1\n\t" FLAGS_OUT : "=a"(fl) : "r"(a), "r"(b) : "cc");
    } else if (shift == 32) {
        asm("cmp %k2, %k1\n\t" FLAGS_OUT : "=a"(fl) : "r"(a), "r"(b) : "cc");
    } else if (shift == 48) {
        asm("cmp %w2, %w1\n\t" FLAGS_OUT : "=a"(fl) : "r"(a), "r"(b) : "cc");
    } else {
        asm("cmp %b2, %b1\n\t" FLAGS_OUT : "=a"(fl) : "r"(a), "r"(b) : "cc");
    }
    s->c->fl = fl;
}

static bool one(struct string *s)
{
    struct icpu *c = s->c;
    uint64_t a, b;

    switch (s->i->rm) {
    case MOVS:
        if (!read_at(s, source(s), s->i->seg, &a) ||
            !write_at(s, reg(s, RDI), a))
            return false;
        break;
    case STOS:
        if (!write_at(s, reg(s, RDI), c->gpr[RAX]))
            return false;
        break;
    case LODS:
        if (!read_at(s, source(s), s->i->seg, &a))
            return false;
        if (s->size == 4)
            c->gpr[RAX] = a;
        else
            bytes_store(&c->gpr[RAX], s->size, a);
        break;
    case CMPS:
        if (!read_at(s, source(s), s->i->seg, &a) ||
            !read_at(s, reg(s, RDI), ES, &b))
            return false;
        compare(s, a, b);
        break;
    default:
        if (!read_at(s, reg(s, RDI), ES, &b))
            return false;
        compare(s, c->gpr[RAX], b);
    }
    if (s->i->rm != STOS && s->i->rm != SCAS)
        set_reg(s, RSI, reg(s, RSI) + (uint64_t)s->step);
    if (s->i->rm != LODS)
        set_reg(s, RDI, reg(s, RDI) + (uint64_t)s->step);
    return true;
}

/* As many elements of a forward MOVS or STOS as lie in the current pages and are
 * plain RAM: how many were done, 0 if it must go the slow way. */
static uint64_t run(struct string *s, uint64_t count)
{
    struct icpu *c = s->c;
    gva_t to = reg(s, RDI), from = source(s);
    uint64_t n = (PAGE_SIZE - (to & (PAGE_SIZE - 1))) / s->size, left;
    void *d, *src = NULL;

    if (s->step < 0 || !tlb_write(c, to, s->size, &d))
        return 0;
    if (s->i->rm == MOVS) {
        uint64_t m = (PAGE_SIZE - (from & (PAGE_SIZE - 1))) / s->size;

        if (!tlb_read(c, from, s->size, &src))
            return 0;
        if (m < n)
            n = m;
    }
    if (n > count)
        n = count;
    left = n;
    /* Element by element in order, as overlaps demand. */
    if (s->i->rm == STOS && s->size == 8)
        asm volatile("rep stosq"
                     : "+D"(d), "+c"(left)
                     : "a"(c->gpr[RAX])
                     : "memory");
    else if (s->i->rm == STOS && s->size == 4)
        asm volatile("rep stosl"
                     : "+D"(d), "+c"(left)
                     : "a"(c->gpr[RAX])
                     : "memory");
    else if (s->i->rm == STOS && s->size == 2)
        asm volatile("rep stosw"
                     : "+D"(d), "+c"(left)
                     : "a"(c->gpr[RAX])
                     : "memory");
    else if (s->i->rm == STOS)
        asm volatile("rep stosb"
                     : "+D"(d), "+c"(left)
                     : "a"(c->gpr[RAX])
                     : "memory");
    else if (s->size == 8)
        asm volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(left)::"memory");
    else if (s->size == 4)
        asm volatile("rep movsl" : "+D"(d), "+S"(src), "+c"(left)::"memory");
    else if (s->size == 2)
        asm volatile("rep movsw" : "+D"(d), "+S"(src), "+c"(left)::"memory");
    else
        asm volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(left)::"memory");
    if (s->i->rm == MOVS)
        set_reg(s, RSI, reg(s, RSI) + n * s->size);
    set_reg(s, RDI, reg(s, RDI) + n * s->size);
    return n;
}

static void string_insn(struct icpu *c, const struct insn *i)
{
    struct string s = {
        .c = c,
        .i = i,
        .size = 1u << i->scale,
        .mask = i->seg & EA_ADDR32 ? 0xffffffff : ~0ull,
        .step = c->rflags & FL_DF ? -(1ll << i->scale) : 1ll << i->scale,
    };
    bool trace = c->rflags & FL_TF;
    unsigned slice = 0;
    uint64_t count, n;

    if (!i->reg) {
        if (!one(&s))
            return;
        NEXT;
    }
    while ((count = reg(&s, RCX))) {
        n = i->rm <= STOS && !trace ? run(&s, count) : 0;
        if (!n) {
            if (!one(&s))
                return;
            n = 1;
        }
        set_reg(&s, RCX, count - n);
        if (i->rm >= CMPS && ((c->fl & FL_ZF << 8) != 0) != (i->reg == 0xf3))
            break;
        if (unlikely(trace && count != n)) {
            /* Single step stops after each element. */
            sync_before(c, i);
            c->dr[6] |= 0x4000;
            return raise_trap(c, VEC_DB);
        }
        slice += (unsigned)n;
        /* Stop between elements: the registers say where to go on. */
        if (unlikely(slice >= SLICE && c->vm.attention && count != n))
            return sync_before(c, i);
    }
    NEXT;
}

bool select_string(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    static const struct {
        uint16_t op;
        uint8_t kind, log2;
    } table[] = {
        {ZYDIS_MNEMONIC_MOVSB, MOVS, 0}, {ZYDIS_MNEMONIC_MOVSW, MOVS, 1},
        {ZYDIS_MNEMONIC_MOVSD, MOVS, 2}, {ZYDIS_MNEMONIC_MOVSQ, MOVS, 3},
        {ZYDIS_MNEMONIC_STOSB, STOS, 0}, {ZYDIS_MNEMONIC_STOSW, STOS, 1},
        {ZYDIS_MNEMONIC_STOSD, STOS, 2}, {ZYDIS_MNEMONIC_STOSQ, STOS, 3},
        {ZYDIS_MNEMONIC_LODSB, LODS, 0}, {ZYDIS_MNEMONIC_LODSW, LODS, 1},
        {ZYDIS_MNEMONIC_LODSD, LODS, 2}, {ZYDIS_MNEMONIC_LODSQ, LODS, 3},
        {ZYDIS_MNEMONIC_CMPSB, CMPS, 0}, {ZYDIS_MNEMONIC_CMPSW, CMPS, 1},
        {ZYDIS_MNEMONIC_CMPSD, CMPS, 2}, {ZYDIS_MNEMONIC_CMPSQ, CMPS, 3},
        {ZYDIS_MNEMONIC_SCASB, SCAS, 0}, {ZYDIS_MNEMONIC_SCASW, SCAS, 1},
        {ZYDIS_MNEMONIC_SCASD, SCAS, 2}, {ZYDIS_MNEMONIC_SCASQ, SCAS, 3},
    };

    if (!x->string)
        return false;
    for (unsigned k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
        if (x->op != table[k].op)
            continue;
        /* Segment and address size only: the operands are implicit. */
        i->seg = DS | (x->addrsize == 4 ? EA_ADDR32 : 0);
        if (x->zi.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_FS)
            i->seg = (uint8_t)((i->seg & ~EA_SEG) | FS);
        else if (x->zi.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_GS)
            i->seg = (uint8_t)((i->seg & ~EA_SEG) | GS);
        i->rm = table[k].kind;
        i->scale = table[k].log2;
        i->reg = x->rep;
        ch->fn = string_insn;
        ch->faults = true;
        ch->counted = x->rep != 0;
        return true;
    }
    return false;
}
