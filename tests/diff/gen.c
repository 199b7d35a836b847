/* Builds a random stream, one group of instructions after the other. */
#include "gen.h"

#include <string.h>

#define TRIES 8 /* instances of a form until one is accepted */

const uint8_t gen_pointers[6] = {RBX, RBP, RSI, RDI, R12, R13};

/* ---- Adding instructions ---------------------------------------------- */

static bool writes_reserved(const ZydisDecodedInstruction *in,
                            const ZydisDecodedOperand *ops, unsigned may_write)
{
    for (unsigned i = 0; i < in->operand_count; i++) {
        ZydisRegister reg;

        if (ops[i].type != ZYDIS_OPERAND_TYPE_REGISTER ||
            !(ops[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            continue;
        reg = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64,
                                               ops[i].reg.value);
        if (ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_GPR64 &&
            GEN_RESERVED & ~may_write & 1u << ZydisRegisterGetId(reg))
            return true;
    }
    return false;
}

bool gen_add(struct gen *g, const struct stream_insn *si, unsigned may_write)
{
    struct stream *s = g->s;
    struct stream_insn *to = &s->insns[s->n];
    ZydisDecodedInstruction in;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];

    if (s->n >= STREAM_MAX ||
        ZYAN_FAILED(ZydisDecoderDecodeFull(form_decoder(), si->bytes, si->len,
                                           &in, ops)) ||
        in.length != si->len ||
        writes_reserved(&in, ops, may_write | g->may_write))
        return false;
    *to = *si;
    stream_flags_of(to, &in, ops);
    if (to->reads & g->undefined)
        return false;
    if (!to->maybe)
        g->undefined &= (uint16_t)~to->writes;
    g->undefined |= to->undefines;
    s->n++;
    return true;
}

bool gen_bytes(struct gen *g, const void *bytes, unsigned len,
               unsigned may_write)
{
    struct stream_insn si = {.len = (uint8_t)len};

    memcpy(si.bytes, bytes, len);
    return gen_add(g, &si, may_write);
}

void gen_load(struct gen *g, unsigned reg, uint32_t value)
{
    uint8_t b[6], n = 0;

    if (reg >= 8)
        b[n++] = 0x41;
    b[n++] = (uint8_t)(0xb8 | (reg & 7));
    memcpy(b + n, &value, 4);
    gen_bytes(g, b, n + 4u, 1u << reg);
    g->value[reg] = value;
}

void gen_load_signed(struct gen *g, unsigned reg, int32_t value)
{
    uint8_t b[7] = {(uint8_t)(0x48 | reg >> 3), 0xc7,
                    (uint8_t)(0xc0 | (reg & 7))};

    memcpy(b + 3, &value, 4);
    gen_bytes(g, b, 7, 1u << reg);
    g->value[reg] = (uint64_t)(int64_t)value;
}

void gen_define_flags(struct gen *g)
{
    GEN(g, 0x48, 0x39, (uint8_t)(0xc0 | rng_below(&g->rng, 64)));
}

uint32_t gen_address(struct gen *g, unsigned size)
{
    unsigned align = rng_percent(&g->rng, 60) ? 16 : 1;
    unsigned kind = rng_below(&g->rng, 1000);
    unsigned inside = CASE_RW_SIZE - (size < 4096 ? size : 0);
    uint32_t off;

    if (size == 16 || size == 512)
        align = rng_percent(&g->rng, g->mix.integer ? 97 : 85) ? 16 : 1;
    if (size == 0)
        size = 1;
    if (kind < 910)
        off = rng_below(&g->rng, inside + 1) & -align;
    else if (kind < 965) /* from one page into the next */
        off = 4096 - rng_below(&g->rng, size + 1);
    else if (kind < 975) /* read-only */
        off = (CASE_RW_SIZE + rng_below(&g->rng, CASE_RO_SIZE - size)) & -align;
    else if (kind < 982) /* into it */
        off = CASE_RW_SIZE - rng_below(&g->rng, size + 1);
    else if (kind < 988) /* off its end */
        off = CASE_RW_SIZE + CASE_RO_SIZE - rng_below(&g->rng, size + 1);
    else if (kind < 994) /* before the start */
        off = 0u - rng_below(&g->rng, size + 1);
    else
        return (uint32_t)CASE_STACK +
               (rng_below(&g->rng, 4096 - size) & -align);
    return (uint32_t)CASE_DATA + off;
}

/* ---- The stream ------------------------------------------------------- */

static void move_pointer(struct gen *g)
{
    unsigned reg = gen_pointers[rng_below(&g->rng, sizeof(gen_pointers))];

    if (rng_percent(&g->rng, 20))
        gen_load_signed(g, R14, (int32_t)rng_below(&g->rng, 600) - 300);
    else
        gen_load(g, reg, gen_address(g, 16));
}

static void add_group(struct gen *g)
{
    unsigned pick = rng_below(&g->rng, 100);
    const struct form_group *groups;
    enum form_class class;
    unsigned n;

    if (rng_percent(&g->rng, g->mix.system)) {
        gen_system(g);
        return;
    }
    if (rng_percent(&g->rng, g->mix.changes)) {
        gen_changes(g);
        return;
    }
    if (pick < g->mix.integer) {
        class = FORM_INT;
    } else if (pick < g->mix.integer + g->mix.sse) {
        class = FORM_SSE;
    } else if (pick < g->mix.integer + g->mix.sse + g->mix.x87) {
        class = FORM_X87;
    } else {
        /* Not where a branch may skip it. */
        if (rng_percent(&g->rng, 30) && g->pending < 0)
            move_pointer(g);
        else
            gen_control(g);
        return;
    }
    n = form_groups(class, &groups);
    groups += rng_below(&g->rng, n);
    for (unsigned i = 0, was = g->s->n; i < TRIES && g->s->n == was; i++)
        gen_form(g, &groups->forms[rng_below(&g->rng, groups->count)]);
}

static void resolve_pending(struct gen *g)
{
    if (g->pending < 0)
        return;
    g->s->insns[g->pending].target = (uint16_t)g->s->n;
    g->undefined |= g->join;
    g->pending = -1;
}

/* Register values and memory, with pointers where the generator wants them. */
static void begin(struct gen *g, struct stream *s, struct case_input *in,
                  uint64_t seed, const struct stream_mix *mix)
{
    *g = (struct gen){.s = s, .rng = {seed}, .mix = *mix, .pending = -1};
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    stream_fill_input(in, &g->rng);
    for (unsigned i = 0; i < sizeof(gen_pointers); i++)
        in->gpr[gen_pointers[i]] = gen_address(g, 16);
    in->gpr[R14] = (uint64_t)rng_below(&g->rng, 600) - 300;
    in->gpr[RSP] = CASE_STACK + 2048 + (rng_below(&g->rng, 64) & -8u);
    if (rng_percent(&g->rng, 10))
        in->gpr[RSP] += rng_below(&g->rng, 16);
    memcpy(g->value, in->gpr, sizeof(g->value));
}

void stream_generate(struct stream *s, struct case_input *in, uint64_t seed,
                     const struct stream_mix *mix)
{
    struct gen g;
    unsigned groups;

    begin(&g, s, in, seed, mix);
    groups = 10 + rng_below(&g.rng, 50);
    for (unsigned i = 0; i < groups && s->n + 20 < STREAM_MAX; i++) {
        if (g.pending >= 0 && g.left-- == 0)
            resolve_pending(&g);
        add_group(&g);
    }
    resolve_pending(&g);
    stream_analyse(s);
}

void stream_of_form(struct stream *s, struct case_input *in,
                    const struct form *f, uint64_t seed)
{
    static const struct stream_mix none;
    struct gen g;

    begin(&g, s, in, seed, &none);
    g.may_write = GEN_RESERVED; /* nothing follows */
    /* Some instances are refused. */
    for (unsigned i = 0; i < 10 * TRIES && s->n == 0; i++)
        gen_form(&g, f);
    stream_analyse(s);
}

void stream_base_input(struct case_input *in, uint64_t seed)
{
    static const struct stream_mix none;
    static struct stream s;
    struct gen g;

    begin(&g, &s, in, seed, &none);
    in->gpr[RSP] &= -8ull;
    for (unsigned i = 0; i < sizeof(gen_pointers); i++)
        in->gpr[gen_pointers[i]] = CASE_DATA + 256 + 512 * i;
    in->fx.fcw = 0x37f;
    in->fx.mxcsr = 0x1f80;
}
