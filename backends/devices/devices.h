/* The device classes that device_table[] is made of. */
#ifndef TM_DEVICES_H
#define TM_DEVICES_H

#include "../machine/board.h"

extern const struct device_class device_lapic, device_ioapic, device_pit,
    device_pmtimer, device_uart, device_post, device_exit, device_doorbell,
    device_virtio;

#endif
