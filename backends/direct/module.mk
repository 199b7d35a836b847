# Trap-and-emulate.
backend_SRCS += $(addprefix backends/direct/,direct.c emulate.c fast.c trap.c)
