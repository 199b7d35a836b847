/* The table of a hypervisor's exits: benchmarks down, paging modes across. */
#ifndef TM_EXITS_H
#define TM_EXITS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct exits_line {
    char *bench;
    char **cell; /* a text for each column */
    char *work;  /* of the VMM's page tables under shadow paging, or "" */
};

/* Rows whose exits KVM counted by reason: those of the lab, and of hosts with
 * real VT-x or SVM. */
struct exits {
    char **columns; /* of paging: "nested", "shadow" */
    unsigned ncolumns;
    struct exits_line *lines; /* as in the file */
    unsigned nlines;
    bool unsync;       /* a store to a traced table was seen to be let go */
    const char *label; /* what this KVM is; borrowed from the file */
};

/* What the columns say, for a reader; and what is to be known where unsync. */
extern const char exits_legend[], exits_unsync[];

/* From one result file, which is borrowed until exits_free. */
void exits_collect(struct exits *e, const json_t *file);
void exits_free(struct exits *e);

/* Title, table and legend; nothing where there are no such rows. */
void exits_print(const struct exits *e, FILE *out);

#endif
