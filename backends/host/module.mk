# Guest code in this process: signals, entry and exit.
backend_SRCS += $(addprefix backends/host/,host.c signals.c entry.S)
CFLAGS_backends/host/host.c := -mfsgsbase
