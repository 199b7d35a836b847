/* The benchmark table, read from ELF notes without a boot. */
#ifndef TM_NOTES_H
#define TM_NOTES_H

#include "../backends/backend.h"
#include "../guest/abi/abi.h"
#include "grid.h"

struct bench_info {
    struct tm_note_bench note; /* strings checked: terminated, printable */
    struct grid grid;          /* of the note; empty where it has none */
    bool user;                 /* a user program of the initrd */
};

struct bench_list {
    struct bench_info *v;
    size_t count;
};

/* Appends the benchmarks of one ELF image in memory; what names it in messages.
 * -EINVAL with why: not an x86-64 ELF, truncated, no ABI note or another ABI
 * version, a malformed note, a name that the list already has. */
int notes_read_elf(struct bench_list *list, const void *elf, size_t len,
                   bool user, const char *what, char why[REASON_MAX]);

/* The same for every bin/ member of a newc cpio archive. A member that
 * isn't an ELF file is an error too. */
int notes_read_initrd(struct bench_list *list, const void *cpio, size_t len,
                      const char *what, char why[REASON_MAX]);

void bench_list_free(struct bench_list *list);

#endif
