# Kernel-mode microbenchmarks: linked into the guest kernel by guest/module.mk.

# Objects, never an archive: nothing refers to a benchmark but its table entry.
microbench_SRCS := $(sort $(wildcard microbench/*.c))
