# Instruction test: every form and the hand-written cases, CPU against interp.
#   make test-insn
#   build/tests/insn interp SUBSTRING      only the cases with that in their name

insn_CASES = $(addprefix tests/insn/,arith.S branch.S fpu.S operand.S refused.S \
	ring0.S stack.S string.S)
insn_OBJS  = $(call obj,tests/insn/main.c $(insn_CASES) \
	$(addprefix tests/diff/,forms.c gen.c gen_changes.c gen_control.c gen_form.c \
		gen_system.c stream.c))

# Assembly has no generated dependencies.
$(call obj,$(insn_CASES)): tests/insn/case.inc tests/insn/insn.h

.SECONDEXPANSION:
$(O)/tests/insn: $$(insn_OBJS) $$(cases_OBJS)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

.PHONY: test-insn
test-insn: $(O)/tests/insn ## Every instruction form, interpreter against the CPU
	@$(O)/tests/insn

test_BINARIES += $(O)/tests/insn
test_TARGETS  += test-insn

-include $(wildcard $(O)/host/tests/insn/*.d)
