backend_SRCS += $(addprefix backends/devices/, \
	disk.c ioapic.c lapic.c lapic_msr.c lapic_timer.c pit.c ports.c table.c \
	uart.c virtio_blk.c virtio_mmio.c virtq.c)
