/* Matches compiled regular expressions, with a stack of places to retreat to.
 */
#include "rx.h"

/* What to return to: another place in the program, or, with `bound` not
 * RX_NOWHERE, just an earlier value of that bound to put back. */
struct rx_retreat {
    uint32_t pc, at, bound;
};

/* 1: a match begins at `at`. 0: none does. -1: it takes too many retreats. */
static int rx_match_at(const struct rx_program *p, const char *s, uint32_t len,
                       uint32_t at, struct rx_found *found)
{
    static struct rx_retreat stack[RX_STACK_MAX];
    unsigned depth = 0;
    uint32_t pc = 0;

    for (unsigned i = 0; i < 2 * RX_GROUPS_MAX; i++)
        found->bound[i] = RX_NOWHERE;
    found->bound[0] = at;
    for (;;) {
        const struct rx_inst *in = &p->code[pc];
        uint8_t c = at < len ? (uint8_t)s[at] : 0;
        bool ok = true;

        switch ((enum rx_op)in->op) {
        case RX_CHAR:
            ok = at < len && c == in->c;
            at++;
            break;
        case RX_ANY:
            ok = at < len;
            at++;
            break;
        case RX_SET:
            ok = at < len && (p->sets[in->c][c / 64] >> c % 64 & 1);
            at++;
            break;
        case RX_BEGIN:
            ok = at == 0;
            break;
        case RX_END:
            ok = at == len;
            break;
        case RX_SAVE:
        case RX_SPLIT:
            if (depth == RX_STACK_MAX)
                return -1;
            if (in->op == RX_SAVE) {
                stack[depth++] =
                    (struct rx_retreat){pc, found->bound[in->c], in->c};
                found->bound[in->c] = at;
                break;
            }
            stack[depth++] =
                (struct rx_retreat){pc + (uint32_t)in->y, at, RX_NOWHERE};
            pc += (uint32_t)in->x;
            continue;
        case RX_JUMP:
            pc += (uint32_t)in->x;
            continue;
        case RX_MATCH:
            found->bound[1] = at;
            return 1;
        }
        pc++;
        if (ok)
            continue;
        for (;;) {
            if (!depth)
                return 0;
            depth--;
            if (stack[depth].bound == RX_NOWHERE)
                break;
            found->bound[stack[depth].bound] = stack[depth].at;
        }
        pc = stack[depth].pc;
        at = stack[depth].at;
    }
}

int rx_search(const struct rx_program *p, const char *s, uint32_t len,
              struct rx_found *found)
{
    for (uint32_t at = 0; at <= len; at++) {
        int r = rx_match_at(p, s, len, at, found);

        if (r)
            return r;
    }
    return 0;
}
