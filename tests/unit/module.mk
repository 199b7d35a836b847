# Unit tests: every tests/unit/test_*.c is a cmocka program, linked with all of
# trapmark but main.
#   make test-unit            run them all
#   make build/tests/unit/X   build one

unit_TESTS := $(sort $(unit_TESTS) $(wildcard tests/unit/test_*.c))
unit_BINS  := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(unit_TESTS))
unit_LIBS   = $(filter-out %/harness/main.o,$(backend_OBJS) $(harness_OBJS))

.SECONDEXPANSION:
$(O)/tests/unit/%: $(O)/host/tests/unit/%.o $$(unit_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

.PHONY: test-unit
test-unit: $(unit_BINS) ## Run the unit tests
	@sh tests/unit/run.sh $^

test_TARGETS += test-unit

-include $(patsubst %.c,$(O)/host/%.d,$(unit_TESTS))
