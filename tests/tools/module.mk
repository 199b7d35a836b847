# Small programs that the tests use.
validate_BIN := $(O)/tests/validate
test_BINARIES += $(validate_BIN)

$(validate_BIN): tests/tools/validate.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(BASE) $(CFLAGS) $(SAN) $(PKG_CFLAGS) -o $@ $< $(shell pkg-config --libs jansson) -lm
-include $(validate_BIN).d
