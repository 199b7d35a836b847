backend_SRCS += backends/native/native.c
