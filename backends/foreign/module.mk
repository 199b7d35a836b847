backend_SRCS += backends/foreign/qemu.c backends/foreign/argv.c \
	backends/foreign/disk.c
