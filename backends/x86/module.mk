# Decoder, flags and page walker, shared by the backends.
backend_SRCS += backends/x86/decode.c backends/x86/walk.c

# The interpreter calls it with the guest's FPU state in the host's registers.
CFLAGS_backends/x86/walk.c = -mgeneral-regs-only
