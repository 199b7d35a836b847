# The result format: its validator, and the check of everything shipped here.
validate_BIN := $(O)/tests/validate
test_BINARIES += $(validate_BIN)

$(validate_BIN): tests/tools/validate.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(BASE) $(CFLAGS) $(SAN) -o $@ $< -ljansson -lm
-include $(validate_BIN).d

.PHONY: test-schema
test-schema: $(validate_BIN) ## Check shipped data against their schemas, and the validator
	@tests/tools/test-validate.sh $<

test_TARGETS += test-schema
