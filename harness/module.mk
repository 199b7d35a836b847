# The harness: the command line and everything around a measurement.
harness_SRCS += $(sort $(wildcard harness/*.c))

# Where an installed trapmark finds its guest image.
CFLAGS_harness/image.c = -DTM_LIBDIR='"$(libdir)"'
