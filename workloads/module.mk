# Guest user programs, and the compute workloads as native processes.
#
# A workload is compiled once, with the guest's flags; the native process is
# linked from the same object, so both execute the same code.

compute_WORKLOADS := sort sha256 matmul lzcomp json regex btree chess bytecode \
	nbody fft chase64m
compute_PARTS     := rx_compile rx_match jn_parse jn_print
io_WORKLOADS      := blkread-seq blkread-rand blkread-64k blkread-seq-qd32 \
	blkread-rand-qd32 blkread-64k-qd32 blkread-rand-eager blkwrite-seq \
	blkwrite-rand blkwrite-64k blkwrite-seq-qd32 blkwrite-rand-qd32 \
	blkwrite-64k-qd32 blkwrite-rand-eager blkwrite-flush blkwrite-flush-qd32 \
	net-rr-64 net-rr-1500 net-tx-64 net-tx-1500 net-tx-64-eager \
	net-rx-64 net-rx-1500 net-rx-64-eager timer-1khz timer-10khz console
mixed_WORKLOADS   := forkwait shell compile jit gc bigmem web-prefork \
	web-event boot db-a db-b db-c db-insert db-tpcb db-crash
# The database itself also links into a unit test on the host.
db_ENGINE         := page cache wal btree store
db_PARTS          := $(db_ENGINE) device clients ycsb
paging_WORKLOADS  := map-churn cow-fault fork-pages perm-flip wx-flip

workload_ELFS += $(patsubst %,$(O)/guest/bin/%,\
	$(compute_WORKLOADS) $(io_WORKLOADS) $(mixed_WORKLOADS) \
	$(paging_WORKLOADS) cc)
native_ELFS   := $(addprefix $(O)/native/,$(compute_WORKLOADS))
all_TARGETS   += $(native_ELFS)
native_BINS   += $(native_ELFS)

workload_obj = $(patsubst %,$(O)/guest/u/workloads/%.o,$(1))

# Functions begin on cache lines: what a loop costs must not depend on where the
# guest's linker and the host's put it.
workload_CFLAGS := -falign-functions=64
workload_OBJS   := $(call workload_obj,\
	$(addprefix compute/,$(compute_WORKLOADS) $(compute_PARTS)) \
	$(addprefix io/,$(io_WORKLOADS) blkload blkread blkwrite net_kernels netload \
		ticker) \
	$(addprefix mixed/,$(mixed_WORKLOADS) unit cc http web web_log) \
	$(addprefix mixed/db/,$(db_PARTS)) \
	$(addprefix paging/,$(paging_WORKLOADS)))
$(workload_OBJS): user_CFLAGS += $(workload_CFLAGS)

$(O)/guest/bin/regex $(O)/native/regex: \
	$(call workload_obj,compute/rx_compile compute/rx_match)
$(O)/guest/bin/json $(O)/native/json: \
	$(call workload_obj,compute/jn_parse compute/jn_print)

# What a family of them shares.
io_family = $(addprefix $(O)/guest/bin/,$(filter $(1),$(io_WORKLOADS)))
$(call io_family,blkread-%): $(call workload_obj,io/blkread io/blkload)
$(call io_family,blkwrite-%): $(call workload_obj,io/blkwrite io/blkload)
$(call io_family,net-%): $(call workload_obj,io/net_kernels io/netload)
$(call io_family,timer-%): $(call workload_obj,io/ticker)

$(O)/guest/bin/web-prefork $(O)/guest/bin/web-event: \
	$(call workload_obj,mixed/http mixed/web mixed/web_log io/netload)
$(addprefix $(O)/guest/bin/,$(filter db-%,$(mixed_WORKLOADS))): \
	$(call workload_obj,$(addprefix mixed/db/,$(db_PARTS)))

# The compiler that compile runs: no benchmark, so without the runtime's main().
$(O)/guest/bin/compile: $(call workload_obj,mixed/unit)
cc_OBJS := $(filter-out %/user/main.o %/measure.o,$(user_OBJS)) \
	$(call workload_obj,mixed/cc mixed/unit)
$(O)/guest/bin/cc: $(cc_OBJS) $(user_LDSCRIPT)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(user_LDFLAGS) -o $@ $(cc_OBJS)

define workload_rule
$(O)/guest/bin/$(notdir $(1)): $(call workload_obj,$(1)) $(user_OBJS) $(user_LDSCRIPT)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)$$(CC) $$(user_LDFLAGS) -o $$@ $$(filter %.o,$$^)
endef

$(foreach w,$(compute_WORKLOADS),$(eval $(call workload_rule,compute/$(w))))
$(foreach w,$(io_WORKLOADS),$(eval $(call workload_rule,io/$(w))))
$(foreach w,$(mixed_WORKLOADS),$(eval $(call workload_rule,mixed/$(w))))
$(foreach w,$(paging_WORKLOADS),$(eval $(call workload_rule,paging/$(w))))

# What the native processes have instead of the guest's runtime.
native_SRCS := workloads/native/main.c guest/lib/measure.c guest/lib/fmt.c \
	guest/lib/cmdline.c
native_OBJS := $(patsubst %.c,$(O)/host/%.o,$(native_SRCS))

$(native_ELFS): $(O)/native/%: $(O)/guest/u/workloads/compute/%.o $(native_OBJS) \
		workloads/native/benchmarks.ld
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SAN) -no-pie -o $@ $(filter %.o,$^) \
		-Wl,-T,workloads/native/benchmarks.ld

$(addprefix $(O)/tests/unit/,test_db test_db_tree test_db_guest): \
	$(patsubst %,$(O)/host/workloads/mixed/db/%.o,$(db_ENGINE))

# The unit tests run them.
native_TESTS := test_workloads test_compute test_compute_text
$(addprefix $(O)/tests/unit/,$(native_TESTS)): | $(native_ELFS)
$(foreach t,$(native_TESTS),$(eval \
	CFLAGS_tests/unit/$(t).c := -DNATIVE_DIR='"$(O)/native"'))
$(O)/tests/unit/test_io_workloads: | $(O)/guest/kernel.elf $(O)/guest/initrd.cpio
CFLAGS_tests/unit/test_io_workloads.c := -DGUEST_DIR='"$(O)/guest"'
$(O)/tests/unit/test_db_guest: | $(O)/guest/kernel.elf $(O)/guest/initrd.cpio
CFLAGS_tests/unit/test_db_guest.c := -DGUEST_DIR='"$(O)/guest"'
$(O)/tests/unit/test_pressure: | $(O)/guest/kernel.elf $(O)/guest/initrd.cpio
CFLAGS_tests/unit/test_pressure.c := -DGUEST_DIR='"$(O)/guest"'
$(O)/tests/unit/test_http: $(addprefix $(O)/host/,workloads/mixed/http.o guest/lib/fmt.o)
# The test listens in on the network.
$(O)/tests/unit/test_web: | $(O)/guest/kernel.elf $(O)/guest/initrd.cpio
$(O)/tests/unit/test_web: LDFLAGS += -Wl,--wrap=peer_http_take,--wrap=peer_http_give
CFLAGS_tests/unit/test_web.c := -DGUEST_DIR='"$(O)/guest"'

-include $(native_OBJS:.o=.d) $(wildcard $(O)/host/workloads/mixed/db/*.d)
