# The guest: one static-PIE kernel (with the microbenchmarks linked in), user
# programs on a small runtime, and the initrd that carries them.
#
# From other module.mk files:
#   microbench_SRCS  kernel benchmarks, linked into the kernel as objects
#   workload_ELFS    $(O)/guest/bin/NAME, the initrd's bin/NAME
# For workloads/module.mk: user_CFLAGS, user_LDFLAGS, user_OBJS, user_LDSCRIPT;
# objects made from DIR/FILE.c are $(O)/guest/u/DIR/FILE.o (rule below), a program
# is $(user_OBJS) and its own objects linked with $(user_LDFLAGS).

guest_CFLAGS := -O2 -g -ffreestanding -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -fno-common \
	-fno-tree-loop-distribute-patterns -fvisibility=hidden
kernel_CFLAGS := $(guest_CFLAGS) -fPIE -mno-red-zone -mgeneral-regs-only
user_CFLAGS := $(guest_CFLAGS) -fno-pie -march=x86-64

kernel_SRCS := $(wildcard guest/boot/*.S guest/boot/*.c guest/kernel/*.S \
	guest/kernel/*.c) guest/lib/string.c guest/lib/fmt.c \
	guest/lib/cmdline.c guest/lib/measure.c
user_SRCS := guest/user/crt0.S guest/user/main.c guest/lib/string.c \
	guest/lib/fmt.c guest/lib/cmdline.c guest/lib/measure.c

kernel_obj = $(addprefix $(O)/guest/k/,$(addsuffix .o,$(basename $(1))))
user_obj = $(addprefix $(O)/guest/u/,$(addsuffix .o,$(basename $(1))))
kernel_OBJS = $(call kernel_obj,$(kernel_SRCS) $(microbench_SRCS))
user_OBJS := $(call user_obj,$(user_SRCS))
user_LDSCRIPT := guest/user/user.ld
user_LDFLAGS := -nostdlib -static -no-pie -Wl,-T,$(user_LDSCRIPT) \
	-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--build-id=none
kernel_LDFLAGS := -nostdlib -static-pie -Wl,-T,guest/boot/kernel.ld \
	-Wl,--no-dynamic-linker -Wl,-z,max-page-size=4096 -Wl,-z,norelro \
	-Wl,-z,noexecstack -Wl,-z,text -Wl,--build-id=none -Wl,--hash-style=sysv

# The runtime stays free of SSE: see user.h.
runtime_CFLAGS := -mgeneral-regs-only
$(user_OBJS): user_CFLAGS += $(runtime_CFLAGS)

.SECONDEXPANSION:

$(O)/guest/k/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$< (kernel))$(CC) $(BASE) $(kernel_CFLAGS) $(CFLAGS_$<) -I. -c -o $@ $<

$(O)/guest/k/%.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$< (kernel))$(CC) $(BASE) $(kernel_CFLAGS) -I. -c -o $@ $<

$(O)/guest/u/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$< (user))$(CC) $(BASE) $(user_CFLAGS) $(CFLAGS_$<) -I. -c -o $@ $<

$(O)/guest/u/%.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$< (user))$(CC) $(BASE) $(user_CFLAGS) -I. -c -o $@ $<

$(O)/guest/kernel.elf: $$(kernel_OBJS) guest/boot/kernel.ld
	$(call say,LD,$@)$(CC) $(kernel_LDFLAGS) -o $@ $(kernel_OBJS)

# The guest's self-test: a hidden workload of our own.
selftest_OBJS := $(call user_obj,guest/user/selftest.c \
	guest/user/selftest_disk.c guest/user/selftest_mixed.c \
	guest/user/selftest_tcp.c)
$(O)/guest/bin/selftest: $(user_OBJS) $(selftest_OBJS) $(user_LDSCRIPT)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(user_LDFLAGS) -o $@ $(user_OBJS) $(selftest_OBJS)

# Another: programs that crash.
$(O)/guest/bin/crash: $(user_OBJS) $(call user_obj,guest/user/crash.c) $(user_LDSCRIPT)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(user_LDFLAGS) -o $@ $(filter %.o,$^)

$(O)/guest/mkinitrd: guest/tools/mkinitrd.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(BASE) $(CFLAGS) -I. -o $@ $<

initrd_ELFS = $(workload_ELFS) $(addprefix $(O)/guest/bin/,selftest crash)
$(O)/guest/initrd.cpio: $(O)/guest/mkinitrd $$(initrd_ELFS)
	$(call say,CPIO,$@)$(O)/guest/mkinitrd $@ $(initrd_ELFS)

all_TARGETS += $(O)/guest/mkinitrd $(O)/guest/kernel.elf $(O)/guest/initrd.cpio

-include $(wildcard $(O)/guest/k/*/*.d $(O)/guest/k/*/*/*.d)
-include $(wildcard $(addprefix $(O)/guest/u/,*/*.d */*/*.d */*/*/*.d) \
	$(O)/guest/*.d)
