backend_SRCS += $(addprefix backends/devices/, \
	table.c)
