# Unit tests: every source in unit_TESTS (tests/unit/test_*.c, and whatever another
# module.mk appends) is a cmocka program, linked with all of trapmark but main.
#   make test-unit            run them all
#   make build/tests/unit/X   build one

unit_TESTS += $(wildcard tests/unit/test_*.c)
unit_NAMES  = $(sort $(notdir $(basename $(unit_TESTS))))
unit_LIBS   = $(filter-out %/harness/main.o,$(backend_OBJS) $(harness_OBJS))

.SECONDEXPANSION:
$(O)/tests/unit/%: $$(call obj,$$(filter $$(addsuffix /$$*.c,tests/unit) %/$$*.c,$$(unit_TESTS))) $$(unit_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lcmocka

.PHONY: test-unit
test-unit: $$(addprefix $(O)/tests/unit/,$$(unit_NAMES)) ## Run the unit tests
	@sh tests/unit/run.sh $^

test_TARGETS += test-unit

-include $(patsubst %.c,$(O)/host/%.d,$(unit_TESTS))
