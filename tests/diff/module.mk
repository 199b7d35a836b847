# Differential test: random instruction streams, interpreter against the CPU, bt
# and direct against the CPU and the interpreter.
#   make test-diff                 300,000 instructions, the generator's own check,
#                                  and some in single steps and small chunks;
#                                  more than 200,000 translation units of bt
#   make diff-long N=5000000       as many as you like; SEED=1
# cases_OBJS is what other tests need to run a case on the CPU and on a backend.

cases_OBJS = $(call obj,$(addprefix tests/diff/,compare.c guest.c native.c)) \
	$(backend_OBJS)
diff_OBJS  = $(call obj,$(addprefix tests/diff/,forms.c gen.c gen_changes.c gen_control.c \
	gen_form.c gen_system.c main.c stream.c))

.SECONDEXPANSION:
$(O)/tests/diff: $$(diff_OBJS) $$(cases_OBJS)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

N    ?= 5000000
SEED ?= 1

.PHONY: test-diff diff-long
test-diff: $(O)/tests/diff ## Random instructions, interpreter against the CPU
	@$(O)/tests/diff -b cpu -n 20000 -s $(SEED)
	@$(O)/tests/diff -n 300000 -s $(SEED)
	@$(O)/tests/diff -n 20000 -s $(SEED) -c 1
	@$(O)/tests/diff -n 20000 -s $(SEED) -c 7
	@for p in vtlb trace unsync nested; do \
		$(O)/tests/diff -p $$p -n 10000 -s $(SEED) || exit 1; done
	@$(O)/tests/diff -b bt -k -n 100000 -s $(SEED)
	@$(O)/tests/diff -b bt -k -n 20000 -s $(SEED) -o bt-unit=1
	@$(O)/tests/diff -b bt -k -n 20000 -s $(SEED) -o bt-chain=off
	@$(O)/tests/diff -b bt -k -n 20000 -s $(SEED) -o bt-inline=off
	@$(O)/tests/diff -b bt -u -n 60000 -s $(SEED) -o bt-user=translate
	@$(O)/tests/diff -b bt -n 50000 -s $(SEED) -o bt-user=translate
	@$(O)/tests/diff -b bt -n 50000 -s $(SEED)
	@$(O)/tests/diff -b bt -d -n 20000 -s $(SEED)
	@$(O)/tests/diff -b direct -n 50000 -s $(SEED)
	@$(O)/tests/diff -b direct -d -n 50000 -s $(SEED)

diff-long: $(O)/tests/diff ## The same for N instructions from SEED
	@$(O)/tests/diff -n $(N) -s $(SEED)

test_BINARIES += $(O)/tests/diff
test_TARGETS  += test-diff

-include $(wildcard $(O)/host/tests/diff/*.d)
