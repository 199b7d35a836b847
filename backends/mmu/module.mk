# Shadow paging by the host's mmap.
backend_SRCS += $(addprefix backends/mmu/,shadow.c entries.c fill.c trace.c)
