/* Descriptor tables and loads of segment registers. */
#include "seg.h"

#include "event.h"
#include "mem.h"

bool seg_read_desc(struct icpu *c, uint16_t sel, uint64_t *desc,
                   unsigned vector, unsigned ext)
{
    uint64_t base = c->gdtr.base, limit = c->gdtr.limit;

    if (sel & 4) {
        base = c->ldtr.base;
        limit = c->ldtr.limit;
    }
    if ((sel & 4 && c->ldtr.attr & SEG_UNUSABLE) || (sel | 7u) > limit) {
        raise_error(c, NULL, vector, (sel & ~3u) | ext);
        return false;
    }
    return mem_read_sys(c, base + (sel & ~7u), desc, 8);
}

bool seg_mark_accessed(struct icpu *c, uint16_t sel, uint64_t *desc)
{
    uint64_t base = sel & 4 ? c->ldtr.base : c->gdtr.base;
    uint8_t type;

    if (DESC_TYPE(*desc) & TYPE_ACCESSED)
        return true;
    *desc |= 1ull << 40;
    type = (uint8_t)(*desc >> 40);
    return mem_write_sys(c, base + (sel & ~7u) + 5, &type, 1);
}

void seg_set(struct x86_seg *s, uint16_t sel, uint64_t desc)
{
    s->sel = sel;
    s->base = (desc >> 16 & 0xffffff) | (desc >> 56) << 24;
    s->limit = (uint32_t)((desc & 0xffff) | (desc >> 32 & 0xf0000));
    s->attr = (uint32_t)(desc >> 40) & 0xf0ff;
    if (s->attr & SEG_G)
        s->limit = s->limit << 12 | 0xfff;
}

void seg_set_null(struct x86_seg *s, uint16_t sel)
{
    s->sel = sel;
    s->base = 0;
    s->limit = 0;
    s->attr = SEG_UNUSABLE;
}

static bool fault(struct icpu *c, unsigned vector, uint16_t sel)
{
    raise_error(c, NULL, vector, sel & ~3u);
    return false;
}

static bool load_ss(struct icpu *c, uint16_t sel)
{
    uint64_t desc;
    unsigned type;

    if (!(sel & ~3u)) {
        if (c->cpl == 3 || (sel & 3) != c->cpl)
            return fault(c, VEC_GP, 0);
        seg_set_null(&c->seg[SS], sel);
        c->seg[SS].attr |= (uint32_t)c->cpl << 5;
        return true;
    }
    if (!seg_read_desc(c, sel, &desc, VEC_GP, 0))
        return false;
    type = DESC_TYPE(desc);
    if ((sel & 3) != c->cpl || DESC_DPL(desc) != c->cpl || !DESC_S(desc) ||
        type & TYPE_CODE || !(type & TYPE_RW))
        return fault(c, VEC_GP, sel);
    if (!DESC_P(desc))
        return fault(c, VEC_SS, sel);
    if (!seg_mark_accessed(c, sel, &desc))
        return false;
    seg_set(&c->seg[SS], sel, desc);
    return true;
}

bool seg_load(struct icpu *c, unsigned sreg, uint16_t sel)
{
    uint64_t desc;
    unsigned type, rpl = sel & 3;

    if (c->cpl != 3)
        c->vm.events.count[EV_EXIT_DESC]++;
    if (sreg == SS)
        return load_ss(c, sel);
    if (!(sel & ~3u)) {
        seg_set_null(&c->seg[sreg], sel);
        c->seg_base[sreg] = 0;
        return true;
    }
    if (!seg_read_desc(c, sel, &desc, VEC_GP, 0))
        return false;
    type = DESC_TYPE(desc);
    if (!DESC_S(desc) || (type & TYPE_CODE && !(type & TYPE_RW)))
        return fault(c, VEC_GP, sel);
    if ((type & (TYPE_CODE | TYPE_CONFORMING)) !=
            (TYPE_CODE | TYPE_CONFORMING) &&
        (rpl > DESC_DPL(desc) || c->cpl > DESC_DPL(desc)))
        return fault(c, VEC_GP, sel);
    if (!DESC_P(desc))
        return fault(c, VEC_NP, sel);
    if (!seg_mark_accessed(c, sel, &desc))
        return false;
    seg_set(&c->seg[sreg], sel, desc);
    if (sreg == FS || sreg == GS)
        c->seg_base[sreg] = c->seg[sreg].base;
    return true;
}

void seg_drop_privileged(struct icpu *c)
{
    static const uint8_t regs[] = {ES, DS, FS, GS};

    for (unsigned k = 0; k < sizeof(regs); k++) {
        struct x86_seg *s = &c->seg[regs[k]];

        if (s->attr & SEG_UNUSABLE || SEG_DPL(s->attr) >= c->cpl)
            continue;
        if ((SEG_TYPE(s->attr) & (TYPE_CODE | TYPE_CONFORMING)) ==
            (TYPE_CODE | TYPE_CONFORMING))
            continue;
        seg_set_null(s, 0);
        c->seg_base[regs[k]] = 0;
    }
}
