# The harness: the command line and everything around a measurement.
harness_SRCS += $(sort $(wildcard harness/*.c))

# The lab's own init and the script that fetches its packages, beside trapmark.
all_TARGETS += $(O)/lab/init $(O)/lab/fetch.sh

$(O)/lab/init: harness/lab/init.c
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(BASE) $(CFLAGS) -static -MF $(O)/lab/init.d -o $@ $<

$(O)/lab/fetch.sh: harness/lab/fetch.sh
	@mkdir -p $(@D)
	$(call say,CP,$@)install -m 755 $< $@

-include $(O)/lab/init.d

.PHONY: lab-deps
lab-deps: $(O)/lab/fetch.sh ## Fetch what `trapmark lab` boots; installs nothing
	$(Q)$(O)/lab/fetch.sh $(O)/lab

# Where an installed trapmark finds its guest image.
CFLAGS_harness/image.c = -DTM_LIBDIR='"$(libdir)"'
