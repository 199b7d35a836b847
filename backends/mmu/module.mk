# Shadow paging.
backend_SRCS += $(addprefix backends/mmu/,shadow.c entries.c fill.c policy.c sink.c trace.c)
