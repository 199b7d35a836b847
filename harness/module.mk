# The harness: the command line and everything around a measurement.
harness_SRCS += $(sort $(wildcard harness/*.c))

# Where an installed trapmark finds its guest image, and its plot scripts.
CFLAGS_harness/image.c = -DTM_LIBDIR='"$(libdir)"'
CFLAGS_harness/report_plot.c = -DTM_DATADIR='"$(datadir)"'
