backend_SRCS += backends/foreign/qemu.c backends/foreign/argv.c \
	backends/foreign/status.c backends/foreign/disk.c
