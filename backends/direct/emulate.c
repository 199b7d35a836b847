/* Emulation by the interpreter, and what it means for the shadow. */
#include "direct.h"

#include <string.h>

static void follow_writes(struct direct *d, unsigned cpl)
{
    const struct interp_write *w;
    unsigned n = interp_stepper_writes(d->stepper, &w);

    if (n == INTERP_WRITES) { /* there may be more */
        shadow_flush(d->shadow);
        return;
    }
    for (unsigned k = 0; k < n; k++)
        shadow_written(d->shadow, w[k].gpa, w[k].len, cpl);
}

static int finish(struct direct *d, unsigned cpl, int err,
                  const struct vm_exit *exit)
{
    const struct walk_regs regs = direct_walk_regs(d);
    gva_t gva;

    if (err)
        return err;
    follow_writes(d, cpl);
    switch (interp_stepper_flushed(d->stepper, &gva)) {
    case INTERP_FLUSH_PAGE:
        shadow_invlpg(d->shadow, gva);
        break;
    case INTERP_FLUSH_CR3:
        shadow_load_cr3(d->shadow, &regs);
        break;
    default:
        shadow_set_regs(d->shadow, &regs);
    }
    return exit->kind != EXIT_KICKED;
}

int direct_step(struct direct *d, struct vm_exit *exit)
{
    unsigned cpl = direct_cpl(d);
    int err;

    d->st.fx = d->host.regs.fx;
    err = interp_step(d->stepper, &d->st, 1, exit);
    d->host.regs.fx = d->st.fx;
    return finish(d, cpl, err, exit);
}

int direct_deliver(struct direct *d, int vector, bool trap, bool has_error,
                   uint32_t error, struct vm_exit *exit)
{
    const struct interp_event event = {vector, trap, has_error, error};
    int err;

    if (vector >= 0 &&
        direct_fast_deliver(d, (unsigned)vector, trap, has_error, error))
        return 0;
    err = interp_deliver(d->stepper, &d->st, &event, exit);
    return finish(d, 0, err, exit);
}
