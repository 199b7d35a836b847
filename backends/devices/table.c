/* The devices of the machine, one row each. */
#include "devices.h"

const struct device_class *const device_table[] = {
    NULL,
};
