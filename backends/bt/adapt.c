/* Adaptation: accesses that keep trapping become callouts, and go back. */
#include "bt.h"

#define FAULTS 8 /* traps until an access is simulated */
#define FAULTS_MAX 4096
#define QUIET 64 /* emulations without need until it goes back */

static unsigned slot(gva_t pc)
{
    return (unsigned)((pc ^ pc >> 12) % BT_ADAPT_SIZE);
}

/* One entry a slot: a newcomer takes the place of one that isn't simulated. */
struct bt_adapt *bt_adapt_find(struct bt *bt, gva_t pc)
{
    struct bt_adapt *a = &bt->adapt[slot(pc)];

    return a->pc == pc ? a : NULL;
}

bool bt_simulated(struct bt *bt, gva_t pc)
{
    const struct bt_adapt *a = bt_adapt_find(bt, pc);

    return a && a->simulate;
}

/* Translate anew whatever has the instruction. */
static void drop_units(struct bt *bt, const struct bt_frag *f, gva_t pc)
{
    uint32_t n = bt->page_frags[f->page >> 12];

    for (; n; n = bt_page_next(bt, n, f->page)) {
        struct bt_frag *g = &bt->frags[n];

        if (g->mode == f->mode && g->pc <= pc && pc - g->pc < g->off[g->n])
            bt_frag_kill(bt, g);
    }
}

void bt_adapt_fault(struct bt *bt, struct bt_frag *f)
{
    gva_t pc = bt->cpu->rip;
    struct bt_adapt *a = &bt->adapt[slot(pc)];

    if (!bt->opt.adaptive)
        return;
    if (a->pc != pc) {
        if (a->simulate)
            return;
        *a = (struct bt_adapt){.pc = pc, .limit = FAULTS};
    }
    if (++a->faults < a->limit)
        return;
    a->simulate = true;
    a->quiet = 0;
    bt->vm.events.count[EV_BT_RETRANSLATE]++;
    drop_units(bt, f, pc);
}

void bt_adapt_quiet(struct bt *bt, const struct bt_exit *e)
{
    struct bt_adapt *a = bt_adapt_find(bt, e->pc);

    if (!a || !a->simulate || ++a->quiet < QUIET)
        return;
    a->simulate = false;
    a->faults = 0;
    /* The next time it takes longer. */
    a->limit =
        a->limit * 2 < FAULTS_MAX ? (uint16_t)(a->limit * 2) : FAULTS_MAX;
    bt->vm.events.count[EV_BT_REVERT]++;
    drop_units(bt, &bt->frags[e->frag], e->pc);
}

void bt_adapt_trapped(struct bt *bt, const struct bt_exit *e)
{
    struct bt_adapt *a = bt_adapt_find(bt, e->pc);

    if (a)
        a->quiet = 0;
}

void bt_dtlb_clear(struct bt *bt)
{
    for (unsigned k = 0; k < BT_DTLB_SIZE; k++)
        bt->dtlb[k].page = ~0ull;
}
