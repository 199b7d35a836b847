/* The backend "bt": user code runs directly, kernel code from a translation
 * cache that adapts to what it does. */
#include "bt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int probe(char why[REASON_MAX])
{
    return host_probe(why);
}

static const char *paging(void)
{
    return shadow_policies[0];
}

/* The unit that was left last, or that is interrupted. */
static const struct bt_frag *last_unit(struct bt *bt, bool in_guest)
{
    uint64_t off = bt->cpu->host.regs.rip - BT_CACHE;

    if (!in_guest && bt->cpu->host.trap.kind == HOST_LEFT)
        return &bt->frags[bt->exits[bt->cpu->exit].frag];
    return off < BT_CACHE_SIZE ? bt_frag_at(bt, (uint32_t)off) : NULL;
}

/* For a crash of the VMM itself. */
static void report(void *opaque, int fd, bool in_guest)
{
    static const char *const kinds[] = {"exception", "syscall", "kick"};
    static const char *const exits[] = {
        [BT_EXIT_JUMP] = "jump",       [BT_EXIT_RETURN] = "return",
        [BT_EXIT_MISS] = "miss",       [BT_EXIT_STEP] = "step",
        [BT_EXIT_STORE] = "store",     [BT_EXIT_IRQ] = "irq",
        [BT_EXIT_SYSCALL] = "syscall", [BT_EXIT_SYSRET] = "sysret"};
    struct bt *bt = opaque;
    const struct bt_frag *f = last_unit(bt, in_guest);
    char text[256];
    int n;

    if (in_guest)
        bt_precise(bt);
    n = snprintf(text, sizeof(text), "guest rip %#llx cpl %u",
                 (unsigned long long)bt->cpu->rip, bt->cpl);
    if (f && f->n)
        n += snprintf(text + n, sizeof(text) - (size_t)n,
                      " unit %#llx in the cache at %#llx",
                      (unsigned long long)f->pc,
                      (unsigned long long)bt_host(f->begin));
    n += snprintf(text + n, sizeof(text) - (size_t)n,
                  "; cr3 %#llx, %u units; last exits:",
                  (unsigned long long)bt->s.cr3, bt->nfrags - 1);
    if (write(fd, text, (size_t)n) < 0)
        return;
    for (unsigned k = 1; k <= BT_LAST && k <= bt->nlast; k++) {
        const struct bt_last *l = &bt->last[(bt->nlast - k) % BT_LAST];
        const struct bt_exit *e = &bt->exits[l->exit];
        bool left = l->kind == HOST_LEFT;

        n = snprintf(text, sizeof(text), "%s %s at %#llx", k > 1 ? "," : "",
                     left ? exits[e->kind] : kinds[l->kind],
                     (unsigned long long)(left ? e->pc : l->rip));
        if (write(fd, text, (size_t)n) < 0)
            return;
    }
}

static void destroy(struct vm *vm)
{
    struct bt *bt = (struct bt *)vm;

    if (bt->attached)
        host_detach(&bt->cpu->host);
    if (bt->cpu)
        bt_cache_destroy(bt);
    if (bt->shadow)
        shadow_destroy(bt->shadow);
    if (bt->stepper)
        interp_stepper_destroy(bt->stepper);
}

static int create(struct vm *vm, char why[REASON_MAX])
{
    struct bt *bt = (struct bt *)vm;
    struct shadow_config config = {
        .ram = vm->ram,
        .events = &vm->events,
        .policy = vm->paging,
        .delta = SHADOW_DELTA,
    };
    int err;

    err = bt_options_parse(bt, vm->options, why);
    if (!err)
        err = paging_options_parse(vm->options, &config.options, why);
    if (err)
        return err;
    bt->missed = BT_DIRECTLY;
    bt_dtlb_clear(bt);
    bt->stepper = interp_stepper_create(vm, why);
    if (!bt->stepper)
        return -ENOMEM;
    bt->shadow = shadow_create(&config, why);
    err = bt->shadow ? bt_cache_create(bt, why) : -EBUSY;
    if (!err)
        err = host_attach(&bt->cpu->host, vm->tsc_khz, why);
    if (err) {
        destroy(vm);
        return err;
    }
    bt->attached = true;
    bt->cpu->host.report = report;
    bt->cpu->host.opaque = bt;
    bt->cpu->sys_flags = 2;
    return 0;
}

static int get_state(struct vm *vm, struct x86_state *s)
{
    struct bt *bt = (struct bt *)vm;

    bt_store_state(bt);
    bt->s.fx = bt->cpu->host.regs.fx;
    *s = bt->s;
    return 0;
}

static int set_state(struct vm *vm, const struct x86_state *s)
{
    struct bt *bt = (struct bt *)vm;
    const struct walk_regs regs = {s->cr0, s->cr3, s->cr4, s->efer};

    if (!(s->efer & EFER_LMA) || !(s->seg[CS].attr & SEG_L))
        return -ENOTSUP; /* only 64-bit code */
    bt->s = *s;
    bt->cpu->host.regs.fx = s->fx;
    bt_load_state(bt);
    if (vm->bus && vm->bus->set_tpr)
        vm->bus->set_tpr(vm->bus->opaque, s->cr8);
    bt_follow_post(bt);
    /* RAM may have been written, too. */
    bt_cache_flush(bt);
    bt_dtlb_clear(bt);
    shadow_flush(bt->shadow);
    shadow_set_regs(bt->shadow, &regs);
    return 0;
}

static void kick(struct vm *vm)
{
    __atomic_fetch_or(&vm->attention, ATTN_KICK, __ATOMIC_RELEASE);
    host_kick(&((struct bt *)vm)->cpu->host);
}

static void ram_written(struct vm *vm, gpa_t gpa, uint64_t len)
{
    struct bt *bt = (struct bt *)vm;

    shadow_written(bt->shadow, gpa, len, 0);
    bt_cache_written(bt, gpa, len);
    bt_dtlb_clear(bt);
    interp_stepper_ram_written(bt->stepper, gpa, len);
}

extern const struct backend backend_bt;
const struct backend backend_bt = {
    .name = "bt",
    .summary = "binary translation of the kernel, direct execution of users",
    .class = BACKEND_VCPU,
    .caps = CAP_SANDBOX,
    .probe = probe,
    .paging = paging,
    .policies = shadow_policies,
    .vm_size = sizeof(struct bt),
    .create = create,
    .destroy = destroy,
    .get_state = get_state,
    .set_state = set_state,
    .run = bt_run,
    .kick = kick,
    .ram_written = ram_written,
};
