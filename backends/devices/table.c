/* The devices of the machine, one row each. */
#include "devices.h"

/* Memory accesses look through the rows in this order: busiest first. */
const struct device_class *const device_table[] = {
    &device_lapic, &device_virtio, &device_ioapic,
    &device_pit,   &device_uart,   &device_pmtimer,
    &device_post,  &device_exit,   &device_doorbell,
    NULL,
};
