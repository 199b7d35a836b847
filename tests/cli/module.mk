# Tests of the command line: what a user sees, with good and bad input.
#   make test-cli

cli_GUESTS := $(patsubst tests/cli/guests/%.S,$(O)/tests/guests/%.elf,\
	$(wildcard tests/cli/guests/*.S))

$(O)/tests/guests/%.elf: tests/cli/guests/%.S tests/cli/guests/guest.inc guest/abi/abi.h
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -I. -nostdlib -static -no-pie -Wl,-Ttext-segment=0x100000 \
		-Wl,-z,noexecstack -Wl,--build-id=none -o $@ $<

.PHONY: test-cli
test-cli: build $(cli_GUESTS) ## Test the command line
	@BUILD=$(abspath $(O)) bats tests/cli

test_TARGETS += test-cli
