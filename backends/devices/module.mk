backend_SRCS += $(addprefix backends/devices/, \
	disk.c disk_undo.c ioapic.c lapic.c lapic_msr.c lapic_timer.c net_peer.c \
	peer_http.c peer_tcp.c pit.c ports.c table.c uart.c virtio_blk.c \
	virtio_mmio.c virtio_net.c virtq.c)
