/* IN, OUT, INS, OUTS. */
#include "block.h"
#include "fx.h"
#include "system.h"

/* CPL <= IOPL, or the TSS's bitmap has zeros for all ports touched. */
static bool allowed(struct icpu *c, uint16_t port, unsigned size)
{
    uint16_t map, bits;

    if (c->cpl <= (c->rflags & FL_IOPL) >> 12)
        return true;
    if (c->tr.limit >= 103) {
        if (!mem_read_sys(c, c->tr.base + 102, &map, 2))
            return false;
        if (map + port / 8 + 1u <= c->tr.limit) {
            if (!mem_read_sys(c, c->tr.base + map + port / 8, &bits, 2))
                return false;
            if (!(bits >> port % 8 & ((1u << size) - 1)))
                return true;
        }
    }
    raise_error(c, NULL, VEC_GP, 0);
    return false;
}

static uint64_t port_in(struct icpu *c, uint16_t port, unsigned size)
{
    sync_retired(c, NULL);
    fx_leave(c);
    return c->vm.bus->io_read(c->vm.bus->opaque, port, size);
}

static void port_out(struct icpu *c, uint16_t port, unsigned size, uint64_t v)
{
    sync_retired(c, NULL);
    fx_leave(c);
    c->vm.bus->io_write(c->vm.bus->opaque, port, size, v);
}

/* i->rm: 1 where the port is in imm, else in DX; i->scale: log2 of the size. */
static uint16_t port_of(const struct icpu *c, const struct insn *i)
{
    return i->rm ? (uint8_t)i->imm : (uint16_t)c->gpr[RDX];
}

static void in(struct icpu *c, const struct insn *i)
{
    uint16_t port = port_of(c, i);
    uint64_t v;

    sync_before(c, i);
    if (!allowed(c, port, 1u << i->scale))
        return;
    v = port_in(c, port, 1u << i->scale);
    if (i->scale == 0)
        SET8(RAX * 8, v);
    else
        write_sized(c, RAX * 8, i->scale, v);
    done(c, i);
    cut_budget(c);
}

static void out(struct icpu *c, const struct insn *i)
{
    uint16_t port = port_of(c, i);
    unsigned size = 1u << i->scale;

    sync_before(c, i);
    if (!allowed(c, port, size))
        return;
    port_out(c, port, size, c->gpr[RAX] & (~0ull >> (64 - 8 * size)));
    done(c, i);
    cut_budget(c);
}

/* INS and OUTS, one element; i->reg: repeat prefix, i->imm: 1 for OUTS. One
 * element of a repetition an iteration of the run loop: it isn't worth more. */
static void string_io(struct icpu *c, const struct insn *i)
{
    uint64_t mask = i->seg & EA_ADDR32 ? 0xffffffff : ~0ull;
    unsigned size = 1u << i->scale, r = i->imm ? RSI : RDI;
    uint64_t at = c->gpr[r] & mask, v;
    gva_t va = at + (i->imm ? c->seg_base[i->seg & EA_SEG] : 0);
    uint8_t *p;

    sync_before(c, i);
    if (!allowed(c, (uint16_t)c->gpr[RDX], size))
        return;
    if (i->reg && !(c->gpr[RCX] & mask))
        return done(c, i);
    p = mem_slow(c, NULL, va, size, i->imm ? i->seg : ES,
                 i->imm ? 0 : MEM_WRITE);
    if (!p)
        return;
    if (i->imm) {
        v = 0;
        for (unsigned k = 0; k < size; k++)
            v |= (uint64_t)p[k] << 8 * k;
        port_out(c, (uint16_t)c->gpr[RDX], size, v);
    } else {
        v = port_in(c, (uint16_t)c->gpr[RDX], size);
        for (unsigned k = 0; k < size; k++)
            p[k] = (uint8_t)(v >> 8 * k);
        mem_commit(c);
    }
    c->gpr[r] = (at + (c->rflags & FL_DF ? -(uint64_t)size : size)) & mask;
    if (i->reg)
        c->gpr[RCX] = (c->gpr[RCX] - 1) & mask;
    if (!i->reg || !(c->gpr[RCX] & mask))
        done(c, i);
    cut_budget(c);
}

bool select_port(const struct x86_insn *x, struct insn *i, struct choice *ch)
{
    const struct x86_opnd *a = &x->opnd[0], *b = &x->opnd[1];

    switch (x->op) {
    case ZYDIS_MNEMONIC_IN:
        i->rm = b->kind == OPND_IMM;
        i->imm = b->imm;
        i->scale = (uint8_t)size_index(a->size);
        ch->fn = in;
        break;
    case ZYDIS_MNEMONIC_OUT:
        i->rm = a->kind == OPND_IMM;
        i->imm = a->imm;
        i->scale = (uint8_t)size_index(b->size);
        ch->fn = out;
        break;
    case ZYDIS_MNEMONIC_INSB:
    case ZYDIS_MNEMONIC_INSW:
    case ZYDIS_MNEMONIC_INSD:
        i->imm = 0;
        i->scale = x->op == ZYDIS_MNEMONIC_INSB   ? 0
                   : x->op == ZYDIS_MNEMONIC_INSW ? 1
                                                  : 2;
        i->reg = x->rep;
        ch->fn = string_io;
        break;
    case ZYDIS_MNEMONIC_OUTSB:
    case ZYDIS_MNEMONIC_OUTSW:
    case ZYDIS_MNEMONIC_OUTSD:
        i->imm = 1;
        i->scale = x->op == ZYDIS_MNEMONIC_OUTSB   ? 0
                   : x->op == ZYDIS_MNEMONIC_OUTSW ? 1
                                                   : 2;
        i->reg = x->rep;
        ch->fn = string_io;
        break;
    default:
        return false;
    }
    ch->ends = ch->faults = true;
    return true;
}
