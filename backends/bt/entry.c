/* Indirect jumps, calls and returns: through a table to an entry of the unit,
 * which makes sure that it was meant.
 *
 * The low bits of the target choose the table's entry; the unit compares the
 * whole. No guest flag may change, and the registers that this takes have to
 * come back from memory. One that the guest doesn't write in a loop would be
 * stored and loaded in turns, each waiting for the other. So a unit that begins
 * with an entry goes on without them, and loads what it needs when it does. And
 * calls and returns compare differently: with RAX for calls, where LAHF and
 * SAHF keep the flags; with RCX for returns, where RAX holds the result, and
 * LOOP compares without flags. (JRCXZ would, too, but is taken where the target
 * is right, and predicted badly.)
 *
 * Both have the table's address in RDX, for the jump's target not to come
 * through memory: with the latency of a store and a load before it, the host
 * predicted half of the calls wrong. */
#include "emit.h"

const uint8_t bt_spilled[BT_WAYS] = {FIX_RAX | FIX_RDX, FIX_RCX | FIX_RDX};
static const uint8_t target_reg[BT_WAYS] = {RAX, RCX};

/* Is the address too long for an immediate? */
static bool is_wide(gva_t pc, enum bt_way way)
{
    return !fits32((int64_t)(way == BT_BY_JUMP ? pc : 1 - pc));
}

void emit_table_jump(struct emit *e, enum bt_way way)
{
    unsigned reg = target_reg[way];

    emit_cpu64(e, 0x8d, RDX, /* lea */
               (uintptr_t)e->bt->tables[e->mode][way].to);
    emit8(e, 0x0f), emit8(e, 0xb7), emit8(e, 0xc0 | reg << 3 | reg); /* movzx */
    emit8(e, 0xff), emit8(e, 0x24), emit8(e, 0xc2 | reg << 3);       /* jmp */
}

/* ---- Entries ------------------------------------------------------------- */

/* Being written: its marks count from `begin`. */
struct layout {
    struct emit *e;
    struct bt_entry *to;
    const uint8_t *begin;
};

static void mark(struct layout *l, unsigned fix)
{
    struct bt_entry *t = l->to;

    assert(t->nmarks < sizeof(t->marks) / sizeof(t->marks[0]));
    t->marks[t->nmarks].at = (uint8_t)(l->e->p - l->begin);
    t->marks[t->nmarks++].fix = (uint8_t)fix;
}

static void jump_back(struct emit *e, unsigned opcode, const uint8_t *to)
{
    emit8(e, opcode);
    emit8(e, (uint8_t)(to - (e->p + 1)));
}

/* cmp dword [at], v */
static void compare32(struct emit *e, uint64_t at, uint32_t v)
{
    emit8(e, 0x81), emit8(e, 0x3d);
    emit_rip(e, at, 4);
    emit32(e, v);
}

/* AX holds the flags, as SETO AL and LAHF left them. */
static void unpack_flags(struct layout *l)
{
    mark(l, bt_spilled[BT_BY_JUMP] | FIX_FLAGS);
    emit8(l->e, 0x04), emit8(l->e, 0x7f); /* add al, 0x7f */
    mark(l, bt_spilled[BT_BY_JUMP] | FIX_FLAGS7);
    emit8(l->e, 0x9e); /* sahf */
    mark(l, bt_spilled[BT_BY_JUMP]);
}

static void by_jump(struct layout *l, struct bt_frag *f, bool wide)
{
    struct emit *e = l->e;
    const uint8_t *other = e->p;

    unpack_flags(l);
    emit_jmp(e, e->bt->miss[BT_BY_JUMP]);
    f->entry[BT_BY_JUMP] = emit_off(e);
    emit8(e, 0x0f), emit8(e, 0x90), emit8(e, 0xc0); /* seto al */
    emit8(e, 0x9f);                                 /* lahf */
    mark(l, bt_spilled[BT_BY_JUMP] | FIX_FLAGS);
    if (wide) {
        compare32(e, CPU(target), (uint32_t)f->pc);
        jump_back(e, 0x75, other); /* jne */
        compare32(e, CPU(target) + 4, (uint32_t)(f->pc >> 32));
    } else {
        emit8(e, 0x48);
        compare32(e, CPU(target), (uint32_t)f->pc);
    }
    jump_back(e, 0x75, other);
    unpack_flags(l);
}

static void by_return(struct layout *l, struct bt_frag *f, bool wide)
{
    struct emit *e = l->e;
    const uint8_t *other = e->p;

    mark(l, bt_spilled[BT_BY_RETURN]);
    emit_jmp(e, e->bt->miss[BT_BY_RETURN]);
    f->entry[BT_BY_RETURN] = emit_off(e);
    emit_load(e, RCX, CPU(target));
    if (wide) {
        emit_save(e, RAX, CPU_SPILL(SPILL_RAX));
        mark(l, bt_spilled[BT_BY_RETURN] | FIX_RAX);
        emit_imm(e, RAX, 1 - f->pc);
        emit_add(e, RCX, RAX);
        emit_load(e, RAX, CPU_SPILL(SPILL_RAX));
        mark(l, bt_spilled[BT_BY_RETURN]);
    } else {
        emit_add_rcx(e, (uint32_t)(1 - f->pc));
    }
    jump_back(e, 0xe2, other); /* loop: RCX was not 1 */
}

/* It leads on into what is emitted next, with the registers still spilled.
 * Before f->entry comes what doesn't match. */
static void emit_entry(struct emit *e, struct bt_frag *f, enum bt_way way)
{
    bool wide = is_wide(f->pc, way);
    struct bt_entry *t = &e->bt->entries[way][wide];
    struct layout l = {e, t, e->p};

    t->nmarks = 0;
    if (way == BT_BY_JUMP)
        by_jump(&l, f, wide);
    else
        by_return(&l, f, wide);
    t->matched = (uint8_t)(e->p - l.begin);
    t->size = t->matched + BT_SPILLING;
    t->lead = (uint8_t)(f->entry[way] - (uint32_t)(l.begin - e->bt->rw));
}

/* The host predicts an indirect jump by where the ones before it went. What
 * jumps lead to begins a cache line: so the host tells eight targets apart in
 * half the time of any other place tried (Zen 3). */
static void align(struct emit *e, enum bt_way way, uint32_t before)
{
    const uint32_t lead = 8; /* bt_entry's */

    if (way == BT_BY_JUMP)
        e->p += -(emit_off(e) + before + lead) & 63;
}

void emit_head(struct emit *e, struct bt_frag *f, enum bt_way way)
{
    uint8_t *around;

    align(e, way, BT_SPILLING + 2);
    f->body = emit_off(e);
    emit_spilled(e, 0x89, bt_spilled[way]);
    emit8(e, 0xeb), around = e->p, emit8(e, 0);
    emit_entry(e, f, way);
    emit_here(e, around);
    e->late = f->late = bt_spilled[way];
}

#define ENTRY_STUBS 8

void bt_entry_add(struct bt *bt, struct bt_frag *f, enum bt_way way)
{
    struct emit e = {.bt = bt};

    e.p =
        emit_stubs(bt, ENTRY_STUBS, (uint32_t)(f - bt->frags) | BT_OWNER_FRAG);
    align(&e, way, 0);
    emit_entry(&e, f, way);
    emit_spilled(&e, 0x8b, bt_spilled[way]);
    emit_jmp(&e, f->body);
    assert(emit_off(&e) <= bt->stubs + ENTRY_STUBS * BT_STUB);
}

#define WAY_STUBS 3

uint32_t bt_table_way(struct bt *bt, struct bt_exit *x)
{
    struct emit e = {.bt = bt, .mode = x->mode};

    e.p = emit_stubs(bt, WAY_STUBS, (uint32_t)(x - bt->exits) | BT_OWNER_EXIT);
    x->table = emit_off(&e);
    emit_spilled(&e, 0x89, bt_spilled[BT_BY_JUMP]);
    assert(emit_off(&e) == x->table + BT_SPILLING);
    emit_imm(&e, RAX, x->target);
    emit_save(&e, RAX, CPU(target));
    emit_table_jump(&e, BT_BY_JUMP);
    assert(emit_off(&e) <= bt->stubs + WAY_STUBS * BT_STUB);
    return x->table;
}

const struct bt_entry *bt_entry_at(const struct bt *bt, const struct bt_frag *f,
                                   uint32_t off, uint32_t *begin)
{
    for (unsigned way = 0; way < BT_WAYS; way++) {
        bool wide = is_wide(f->pc, way);
        const struct bt_entry *t = &bt->entries[way][wide];

        *begin = f->entry[way] - t->lead;
        if (f->entry[way] && off - *begin < t->size)
            return t;
    }
    return NULL;
}

uint32_t bt_return_to(struct bt *bt, struct bt_frag *f)
{
    const struct bt_entry *t = bt->entries[BT_BY_RETURN];

    if (f->late == bt_spilled[BT_BY_RETURN])
        return f->inner;
    if (!f->entry[BT_BY_RETURN])
        bt_entry_add(bt, f, BT_BY_RETURN);
    t += is_wide(f->pc, BT_BY_RETURN);
    return f->entry[BT_BY_RETURN] - t->lead + t->matched;
}
