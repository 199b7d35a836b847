/* Translation of a unit: fetch, decode, emit. */
#include "emit.h"

#include <x86intrin.h>

#define AHEAD 3 /* units translated before they are asked for */

/* ---- Where code comes from ----------------------------------------------- */

static bool walk_code(struct bt *bt, gva_t pc, enum bt_mode mode,
                      struct walk_result *r)
{
    struct walk_regs regs = bt_walk_regs(bt);

    return gva_canonical(pc) &&
           !x86_walk(bt->vm.ram, &regs, pc,
                     WALK_EXEC | (mode == BT_USER ? WALK_USER : 0), r) &&
           ram_ptr(bt->vm.ram, r->gpa & ~0xfffull, 4096);
}

static void note_code_page(struct bt *bt, gva_t va, const struct walk_result *r)
{
    va &= ~0xfffull;
    for (unsigned k = 0; k < bt->ncode_pages; k++)
        if (bt->code_pages[k].gva == va)
            return;
    if (bt->ncode_pages == BT_CODE_PAGES) {
        bt->flush = true; /* before the next unit */
        return;
    }
    bt->code_pages[bt->ncode_pages++] =
        (struct bt_code_page){va, r->gpa & ~0xfffull, r->global};
}

static void drop_code_page(struct bt *bt, unsigned k)
{
    const struct bt_code_page p = bt->code_pages[k];

    bt->code_pages[k] = bt->code_pages[--bt->ncode_pages];
    for (uint32_t n = bt->page_frags[p.gpa >> 12]; n;
         n = bt_page_next(bt, n, p.gpa)) {
        struct bt_frag *f = &bt->frags[n];
        gva_t last = f->pc + f->off[f->n] - 1;

        if (f->mode == BT_KERNEL &&
            ((f->pc & ~0xfffull) == p.gva || (last & ~0xfffull) == p.gva))
            bt_frag_kill(bt, f);
    }
}

static bool still_there(struct bt *bt, const struct bt_code_page *p)
{
    struct walk_result r;

    return walk_code(bt, p->gva, BT_KERNEL, &r) && r.gpa == p->gpa;
}

void bt_revalidate(struct bt *bt, bool globals)
{
    for (unsigned k = bt->ncode_pages; k-- > 0;)
        if ((globals || !bt->code_pages[k].global) &&
            !still_there(bt, &bt->code_pages[k]))
            drop_code_page(bt, k);
    bt_table_clear(bt, BT_USER);
    bt_dtlb_clear(bt);
}

void bt_revalidate_page(struct bt *bt, gva_t va)
{
    va &= ~0xfffull;
    for (unsigned k = 0; k < bt->ncode_pages; k++) {
        if (bt->code_pages[k].gva != va)
            continue;
        if (!still_there(bt, &bt->code_pages[k]))
            drop_code_page(bt, k);
        break;
    }
    if (va < SHADOW_USER_HIGH)
        bt_table_clear(bt, BT_USER);
    bt_dtlb_clear(bt);
}

/* ---- The unit
 * ----------------------------------------------------------------- */

/* Where the unit before falls through to this one, its closing jump goes. */
static void elide_jump(struct bt *bt, gva_t pc, enum bt_mode mode)
{
    const struct bt_exit *e = &bt->exits[bt->tail_exit];

    if (bt->tail && bt->opt.chain && e->target == pc && e->mode == mode &&
        !bt->frags[bt->tail].dead && e->patch + 4 == bt->code &&
        (mode == BT_KERNEL || !((pc ^ e->pc) & ~0xfffull))) {
        bt->code -= 5;
        bt->frags[bt->tail].end -= 5;
        bt->exits[bt->tail_exit].patch = 0;
    }
}

/* Decode at i->pc. False: it isn't an instruction, or ends in the next page,
 * which only the first of a unit may. */
static bool decode(struct emit *e, struct unit_insn *i)
{
    struct bt *bt = e->bt;
    const uint8_t *ram = bt->vm.ram->host;
    unsigned at = i->pc & 4095, room = 4096 - at;
    struct walk_result r;

    if (room > sizeof(i->bytes))
        room = sizeof(i->bytes);
    memset(i->bytes, 0, sizeof(i->bytes));
    memcpy(i->bytes, ram + e->f->page + at, room);
    if (!x86_decode(i->bytes, room, i->pc, &i->x))
        return true;
    if (e->insn || room == sizeof(i->bytes) ||
        !walk_code(bt, i->pc + room, e->mode, &r))
        return false;
    memcpy(i->bytes + room, ram + r.gpa, sizeof(i->bytes) - room);
    if (x86_decode(i->bytes, sizeof(i->bytes), i->pc, &i->x))
        return false;
    e->f->page2 = r.gpa & ~0xfffull;
    if (e->mode == BT_KERNEL)
        note_code_page(bt, i->pc + room, &r);
    return true;
}

static void close_unit(struct emit *e, gva_t pc, gva_t next)
{
    struct bt *bt = e->bt;

    bt->tail_exit = emit_branch(e, -1, pc, next);
    bt->tail = (uint32_t)(e->f - bt->frags);
}

static void begin_unit(struct emit *e, enum bt_way way)
{
    struct bt *bt = e->bt;
    struct bt_frag *f = e->f;

    if (way == BT_DIRECTLY && (e->mode == BT_KERNEL || f->page2 == BT_NO_PAGE))
        elide_jump(bt, f->pc, e->mode);
    bt->tail = 0;
    f->begin = f->body = bt->code;
    e->p = bt->rw + bt->code;
    if (way != BT_DIRECTLY)
        emit_head(e, f, way);
    f->inner = emit_off(e);
}

static unsigned emit_unit(struct emit *e, gva_t pc, unsigned limit,
                          enum bt_way way)
{
    struct bt_frag *f = e->f;
    struct unit_insn i = {.pc = pc};
    enum emitted how = EMIT_NEXT;

    for (e->insn = 0; e->insn < limit; e->insn++) {
        if (e->insn && (((i.pc ^ pc) & ~0xfffull) || i.pc - pc > 200))
            break;
        if (!decode(e, &i))
            break;
        if (!e->insn) {
            begin_unit(e, way);
        }
        f->off[e->insn] = (uint8_t)(i.pc - pc);
        emit_mark(e, e->insn, 0);
        how = emit_insn(e, &i);
        i.pc += i.x.len;
        if (how == EMIT_END) {
            e->insn++;
            break;
        }
    }
    f->n = (uint8_t)e->insn;
    f->off[f->n] = (uint8_t)(i.pc - pc);
    if (!f->n)
        return 0;
    if (how == EMIT_NEXT) {
        emit_mark(e, e->insn, 0);
        emit_settle(e);
    }
    /* Room for what bt_frag_kill() may put there. */
    while (emit_off(e) - f->inner < (f->late ? EMIT_KILL : 5))
        emit8(e, 0x90);
    if (how == EMIT_NEXT)
        close_unit(e, pc + f->off[f->n - 1], i.pc);
    f->end = emit_off(e);
    return f->n;
}

static struct bt_frag *translate(struct bt *bt, gva_t pc, enum bt_mode mode,
                                 const struct walk_result *r, enum bt_way way)
{
    struct event_counters *ev = &bt->vm.events;
    uint64_t begin = __rdtsc();
    struct bt_frag *f;
    struct emit e = {.bt = bt, .mode = mode};
    unsigned n;

    if (!bt_cache_room(bt) || bt->flush) {
        bt_cache_flush(bt);
        ev->count[EV_BT_FLUSH]++;
    }
    f = &bt->frags[bt->nfrags];
    memset(f, 0, sizeof(*f));
    f->pc = pc;
    f->mode = (uint8_t)mode;
    f->page = r->gpa & ~0xfffull;
    f->page2 = BT_NO_PAGE;
    f->map = bt->nmaps;
    e.f = f;
    e.seg = mode == BT_KERNEL ? 0x65 : 0;
    n = emit_unit(&e, pc, bt->opt.unit, way);
    if (!n)
        return NULL;
    ev->count[EV_BT_BYTES] += f->end - bt->code;
    bt->code = f->end;
    bt->nfrags++;
    if (mode == BT_KERNEL)
        note_code_page(bt, pc, r);
    bt_cache_add(bt, f);
    ev->count[EV_BT_TRANSLATE]++;
    ev->count[EV_BT_INSN] += n;
    ev->ticks[EV_BT_TRANSLATE] += __rdtsc() - begin;
    return f;
}

/* What a unit falls through to will be wanted soon, and follows it best at
 * once: the way straight on then has no jumps. */
static void translate_ahead(struct bt *bt, enum bt_mode mode, gpa_t page)
{
    for (unsigned k = 0; k < AHEAD && bt->tail && bt->opt.chain; k++) {
        gva_t pc = bt->exits[bt->tail_exit].target;
        struct walk_result r;

        if (!bt_cache_room(bt) || bt->flush || bt_find(bt, pc, mode, page) ||
            !walk_code(bt, pc, mode, &r) || (r.gpa & ~0xfffull) != page ||
            !translate(bt, pc, mode, &r, BT_DIRECTLY))
            break;
    }
}

struct bt_frag *bt_fragment(struct bt *bt, gva_t pc, enum bt_way way)
{
    enum bt_mode mode = bt_mode(bt);
    struct walk_result r;
    struct bt_frag *f;

    if (mode == BT_KERNEL) {
        f = bt_find(bt, pc, mode, 0);
        if (f)
            return f;
    }
    if (!walk_code(bt, pc, mode, &r))
        return NULL;
    if (mode == BT_USER) {
        f = bt_find(bt, pc, mode, r.gpa & ~0xfffull);
        if (f && bt_user_whole(bt, f))
            return f;
    }
    f = translate(bt, pc, mode, &r, way);
    if (f)
        translate_ahead(bt, mode, f->page);
    return f;
}
