/* What the harness needs beside struct backend to run another VMM.
 *
 * The process of a foreign VMM ends with the status that isa-debug-exit makes
 * of the guest's byte v, (v << 1) | 1: 33 for TM_EXIT_OK, 35 for TM_EXIT_PANIC.
 * 0 means that the guest reset without saying so (a triple fault, as the VMM is
 * started so as not to reboot). With anything else the VMM itself failed, and
 * the last line of its standard error says why. Its standard input must be at
 * end of file, not a terminal: the serial port would read it. */
#ifndef TM_FOREIGN_H
#define TM_FOREIGN_H

#include "../backend.h"

/* Writes the benchmark disk, TM_DISK_MIN bytes of tm_disk_word(), over the
 * beginning of a file, which is made if there is none. 0, or a negative errno
 * with why. */
int disk_write_image(const char *path, char why[REASON_MAX]);

#endif
