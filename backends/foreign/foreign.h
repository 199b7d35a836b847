/* What the harness needs beside struct backend to run another VMM. */
#ifndef TM_FOREIGN_H
#define TM_FOREIGN_H

#include "../backend.h"

/* How the VMM's process ended. */
enum foreign_end {
    FOREIGN_OK,    /* the guest powered off with TM_EXIT_OK */
    FOREIGN_PANIC, /* with TM_EXIT_PANIC; its panic line says why */
    FOREIGN_DIED   /* anything else: the VMM failed, or the guest died */
};

/* Reads a status of waitpid(). A status other than FOREIGN_OK puts one line
 * into why; for FOREIGN_DIED that is the last line of what the VMM wrote to
 * stderr (errors, may be NULL), or how the process ended where it wrote
 * nothing. */
enum foreign_end foreign_end_of(int wait_status, const char *errors,
                                char why[REASON_MAX]);

/* Writes the benchmark disk, TM_DISK_MIN bytes of tm_disk_word(), to a new
 * file. 0, or a negative errno with why and no file left behind. */
int disk_write_image(const char *path, char why[REASON_MAX]);

#endif
