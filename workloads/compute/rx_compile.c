/* Compiles regular expressions into code for the backtracking matcher. */
#include "rx.h"

static bool rx_alternatives(struct rx_program *p);

static void rx_fail(struct rx_program *p, const char *error)
{
    if (!p->error)
        p->error = error;
    p->at = ""; /* ends every loop over the pattern */
}

/* Makes room for n instructions. */
static bool rx_room(struct rx_program *p, unsigned n)
{
    if (p->len + n <= RX_CODE_MAX)
        return true;
    rx_fail(p, "the pattern is too long");
    return false;
}

static void rx_emit(struct rx_program *p, enum rx_op op, unsigned c)
{
    if (rx_room(p, 1))
        p->code[p->len++] = (struct rx_inst){(uint8_t)op, (uint8_t)c, 0, 0};
}

/* A split in front of what begins at `start` and ends with the code: into it
 * and around it, `extra` instructions further. */
static void rx_split(struct rx_program *p, unsigned start, unsigned extra,
                     bool shortest)
{
    int16_t around;

    if (!rx_room(p, 1))
        return;
    for (unsigned i = p->len++; i > start; i--)
        p->code[i] = p->code[i - 1];
    around = (int16_t)(p->len - start + extra);
    p->code[start] = (struct rx_inst){RX_SPLIT, 0, shortest ? around : 1,
                                      shortest ? 1 : around};
}

/* Back to `start`, or on. */
static void rx_loop(struct rx_program *p, unsigned start, bool shortest)
{
    int16_t back = (int16_t)((int)start - (int)p->len);

    rx_emit(p, RX_SPLIT, 0);
    if (p->error)
        return;
    p->code[p->len - 1].x = shortest ? 1 : back;
    p->code[p->len - 1].y = shortest ? back : 1;
}

static void rx_copy(struct rx_program *p, unsigned start, unsigned n)
{
    if (!rx_room(p, n))
        return;
    for (unsigned i = 0; i < n; i++)
        p->code[p->len++] = p->code[start + i];
}

static void rx_add(uint64_t *set, unsigned first, unsigned last)
{
    for (unsigned c = first; c <= last; c++)
        set[c / 64] |= 1ull << c % 64;
}

/* Adds what \c stands for; false: a single character. */
static bool rx_add_class(uint64_t *set, char c)
{
    if (c == 'd' || c == 'w')
        rx_add(set, '0', '9');
    if (c == 'w') {
        rx_add(set, 'a', 'z');
        rx_add(set, 'A', 'Z');
        rx_add(set, '_', '_');
    }
    if (c == 's') {
        rx_add(set, '\t', '\r');
        rx_add(set, ' ', ' ');
    }
    return c == 'd' || c == 'w' || c == 's';
}

static uint64_t *rx_new_set(struct rx_program *p)
{
    if (p->set_count == RX_SETS_MAX) {
        rx_fail(p, "too many sets");
        return NULL;
    }
    rx_emit(p, RX_SET, p->set_count);
    return p->error ? NULL : p->sets[p->set_count++];
}

/* After the bracket. */
static void rx_set(struct rx_program *p)
{
    uint64_t *set = rx_new_set(p);
    bool negated = *p->at == '^';
    const char *first;

    if (!set)
        return;
    p->at += negated;
    for (first = p->at; *p->at && (*p->at != ']' || p->at == first); p->at++) {
        unsigned low = (uint8_t)*p->at;

        if (low == '\\' && p->at[1]) {
            low = (uint8_t) * ++p->at;
            if (rx_add_class(set, (char)low))
                continue;
        }
        if (p->at[1] == '-' && p->at[2] && p->at[2] != ']') {
            p->at += 2;
            rx_add(set, low, (uint8_t)*p->at);
        } else {
            rx_add(set, low, low);
        }
    }
    if (!*p->at) {
        rx_fail(p, "a bracket isn't closed");
        return;
    }
    p->at++;
    for (unsigned i = 0; negated && i < 4; i++)
        set[i] = ~set[i];
}

static bool rx_group(struct rx_program *p)
{
    unsigned group = p->group_count++;
    bool empty;

    if (group >= RX_GROUPS_MAX) {
        rx_fail(p, "too many groups");
        return true;
    }
    rx_emit(p, RX_SAVE, 2 * group);
    empty = rx_alternatives(p);
    rx_emit(p, RX_SAVE, 2 * group + 1);
    if (*p->at == ')')
        p->at++;
    else
        rx_fail(p, "a group isn't closed");
    return empty;
}

/* Returns whether it can match the empty text, like those below. */
static bool rx_atom(struct rx_program *p)
{
    char c = *p->at++;
    uint64_t class[4] = {0};

    switch (c) {
    case '.':
        rx_emit(p, RX_ANY, 0);
        return false;
    case '[':
        rx_set(p);
        return false;
    case '(':
        return rx_group(p);
    case '^':
    case '$':
        rx_emit(p, c == '^' ? RX_BEGIN : RX_END, 0);
        return true;
    case '*':
    case '+':
    case '?':
    case '{':
        rx_fail(p, "there is nothing to repeat");
        return true;
    case '\\':
        c = *p->at;
        if (!c) {
            rx_fail(p, "a backslash ends the pattern");
            return true;
        }
        p->at++;
        if (rx_add_class(class, c)) {
            uint64_t *set = rx_new_set(p);

            if (set)
                memcpy(set, class, sizeof(class));
            return false;
        }
        break;
    }
    rx_emit(p, RX_CHAR, (uint8_t)c);
    return false;
}

static unsigned rx_number(struct rx_program *p, unsigned otherwise)
{
    unsigned n = 0;

    if (*p->at < '0' || *p->at > '9')
        return otherwise;
    for (; *p->at >= '0' && *p->at <= '9' && n <= RX_REPEAT_MAX; p->at++)
        n = 10 * n + (unsigned)(*p->at - '0');
    return n;
}

/* The bounds of a repetition; false: there is none. *most 0: no limit. */
static bool rx_bounds(struct rx_program *p, unsigned *least, unsigned *most)
{
    char c = *p->at;

    if (c != '*' && c != '+' && c != '?' && c != '{')
        return false;
    p->at++;
    *least = c == '+';
    *most = c == '?';
    if (c != '{')
        return true;
    *most = *least = rx_number(p, 0);
    if (*p->at == ',') {
        p->at++;
        *most = rx_number(p, 0);
        if (*most && *most < *least)
            rx_fail(p, "the bounds of a repetition are reversed");
    } else if (!*most) {
        rx_fail(p, "a repetition has no bounds");
    }
    if (*least > RX_REPEAT_MAX || *most > RX_REPEAT_MAX)
        rx_fail(p, "a repetition is too long");
    else if (*p->at != '}')
        rx_fail(p, "a brace isn't closed");
    else
        p->at++;
    return true;
}

/* An atom and its repetition: the least times it must be there, then a loop, or
 * what may be there each in a split of its own around all that follows. */
static bool rx_piece(struct rx_program *p)
{
    unsigned start = p->len, n, least, most;
    bool empty = rx_atom(p), shortest;

    n = p->len - start;
    if (p->error || !rx_bounds(p, &least, &most) || p->error)
        return empty;
    shortest = *p->at == '?';
    p->at += shortest;
    if (!most && empty) {
        rx_fail(p, "what repeats without limit can be empty");
        return true;
    }
    for (unsigned i = 1; i < least; i++)
        rx_copy(p, start, n);
    if (!most && least) {
        rx_loop(p, p->len - n, shortest);
    } else if (!most) {
        rx_split(p, start, 1, shortest);
        rx_emit(p, RX_JUMP, 0);
        if (!p->error)
            p->code[p->len - 1].x = (int16_t) - (int)(n + 1);
    } else {
        /* The atom is there once: as the first of these, without the least. */
        unsigned extra = most - least, first = least ? least : 1;

        for (unsigned i = first; i < most; i++)
            rx_copy(p, start, n);
        for (unsigned i = 1; i <= extra && !p->error; i++)
            rx_split(p, start + (most - i) * n, 0, shortest);
    }
    return empty || !least;
}

static bool rx_alternatives(struct rx_program *p)
{
    unsigned start = p->len, jump;
    bool empty = true;

    while (*p->at && *p->at != '|' && *p->at != ')')
        empty &= rx_piece(p);
    if (*p->at != '|')
        return empty;
    p->at++;
    rx_split(p, start, 1, false);
    jump = p->len;
    rx_emit(p, RX_JUMP, 0);
    empty |= rx_alternatives(p);
    if (!p->error)
        p->code[jump].x = (int16_t)(p->len - jump);
    return empty;
}

const char *rx_compile(struct rx_program *p, const char *pattern)
{
    memset(p, 0, sizeof(*p));
    p->at = pattern;
    p->group_count = 1; /* the whole match */
    rx_alternatives(p);
    if (*p->at)
        rx_fail(p, "a group is closed that was never open");
    rx_emit(p, RX_MATCH, 0);
    return p->error;
}
