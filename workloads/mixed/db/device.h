/* The database's device and its locks, as the guest's system calls give them.
 */
#ifndef TM_DB_DEVICE_H
#define TM_DB_DEVICE_H

#include "db.h"

/* Of the disk: behind what blkwrite uses. */
#define DB_REGION_OFFSET (4ull << 20)
#define DB_REGION_BYTES (8ull << 20)

extern const struct db_device guest_device;
extern const struct db_sync guest_sync;

/* `written` has a byte for each page of the region, in memory that all users of
 * the device share: where it notes what was written to. */
void device_note_writes(uint8_t *written);
/* Gives what was written to its contents of abi.h again. */
void device_restore(void);

#endif
