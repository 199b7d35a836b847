/* A backtracking regular expression engine: what the regex workload runs. */
#ifndef TM_RX_H
#define TM_RX_H

#include "../../guest/lib/lib.h"

/* Patterns: literals . [] [^] \d \w \s ^ $ () | * + ? {m} {m,} {m,n}, and ?
 * after a repetition for the shortest. The first match is the leftmost one; of
 * those there, the first that is found with alternatives and repetitions tried
 * in order, as Perl does. */
#define RX_CODE_MAX 128
#define RX_SETS_MAX 16
#define RX_GROUPS_MAX 8
#define RX_STACK_MAX 1024
#define RX_REPEAT_MAX 64

/* Where a pattern is split, x is tried first. Jumps are relative, so that a
 * piece of code can be moved and repeated. */
enum rx_op {
    RX_CHAR, /* c */
    RX_ANY,
    RX_SET, /* sets[c] */
    RX_BEGIN,
    RX_END,
    RX_SAVE, /* the place, as bound c of the groups */
    RX_JUMP, /* x */
    RX_SPLIT,
    RX_MATCH,
};

struct rx_inst {
    uint8_t op, c;
    int16_t x, y;
};

struct rx_program {
    struct rx_inst code[RX_CODE_MAX];
    uint64_t sets[RX_SETS_MAX][4];
    unsigned len, set_count, group_count;
    const char *at;    /* what is left of the pattern */
    const char *error; /* the first one, or NULL */
};

/* Begin and end of the match and of each group; RX_NOWHERE for a group that has
 * no part in it. */
struct rx_found {
    uint32_t bound[2 * RX_GROUPS_MAX];
};
#define RX_NOWHERE UINT32_MAX

/* What is wrong with the pattern, or NULL. The program needs no release. */
const char *rx_compile(struct rx_program *p, const char *pattern);

/* 1: found the first match in the len bytes at s. 0: there is none. -1: it
 * takes more retreats at a time than RX_STACK_MAX. Not reentrant. */
int rx_search(const struct rx_program *p, const char *s, uint32_t len,
              struct rx_found *found);

#endif
