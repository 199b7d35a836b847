backend_SRCS += backends/kvm/kvm.c backends/kvm/cpuid.c backends/kvm/state.c \
	backends/kvm/run.c backends/kvm/stats.c backends/kvm/trace.c \
	backends/kvm/insn.c backends/kvm/probe.c
