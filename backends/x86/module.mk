# Decoder, flags and page walker, shared by the backends.
backend_SRCS += backends/x86/decode.c backends/x86/walk.c \
	backends/x86/walk_cache.c

# The interpreter calls the walk with the guest's FPU state in the host's registers.
CFLAGS_backends/x86/walk.c = -mgeneral-regs-only
CFLAGS_backends/x86/walk_cache.c = -mgeneral-regs-only
