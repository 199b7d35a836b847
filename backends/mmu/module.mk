# Shadow paging.
backend_SRCS += $(addprefix backends/mmu/,shadow.c entries.c fill.c options.c policy.c sink.c space.c trace.c visible.c)

# Nested paging; the interpreter calls it as it calls the page walk.
backend_SRCS += backends/mmu/nested.c
CFLAGS_backends/mmu/nested.c = -mgeneral-regs-only
