# Kernel-mode microbenchmarks: linked into the guest kernel by guest/module.mk.

# Objects, never an archive: nothing refers to a benchmark but its table entry.
microbench_SRCS := $(sort $(wildcard microbench/*.c))

# The kcompute family also as native processes, from the kernel's own objects.
# Functions begin on cache lines: what a loop costs must not depend on where the
# guest's linker and the host's put it.
kcompute_BENCHES := k-int k-branch k-indirect k-call k-stream k-chase k-once k-smc
kcompute_ELFS    := $(addprefix $(O)/native/,$(kcompute_BENCHES))
all_TARGETS      += $(kcompute_ELFS)
native_BINS      += $(kcompute_ELFS)

$(patsubst %,$(O)/guest/k/microbench/%.o,$(kcompute_BENCHES)): \
	kernel_CFLAGS += -falign-functions=64
CFLAGS_microbench/k-branch.c := -fno-jump-tables

kcompute_native_OBJS := $(O)/host/workloads/native/kernel.o

$(kcompute_ELFS): $(O)/native/%: $(O)/guest/k/microbench/%.o \
		$(kcompute_native_OBJS) $$(native_OBJS) workloads/native/benchmarks.ld
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SAN) -no-pie -o $@ $(filter %.o,$^) \
		-Wl,-T,workloads/native/benchmarks.ld

-include $(kcompute_native_OBJS:.o=.d)
