# Random instruction streams, direct execution against the bare CPU.
#   make test-direct

.PHONY: test-direct
test-direct: $(O)/tests/diff ## Random instructions, direct execution against the CPU
	@timeout 300 $(O)/tests/diff -b direct -n 100000 -s $(SEED)

test_TARGETS += test-direct
