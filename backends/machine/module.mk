backend_SRCS += $(addprefix backends/machine/, \
	board.c boot.c bus.c clock.c elf.c line.c machine.c ram.c region.c \
	run.c state.c)
