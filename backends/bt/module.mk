# The binary translator.
bt_GUEST_FPU := adapt cache callout entry stubs
bt_HOST_FPU  := bt insn insn_flow insn_system options precise run translate

backend_SRCS += $(patsubst %,backends/bt/%.c,$(bt_GUEST_FPU) $(bt_HOST_FPU))

# Callouts run with the guest's FPU state in the host's registers; some push.
$(foreach f,$(bt_GUEST_FPU),\
    $(eval CFLAGS_backends/bt/$(f).c := -mgeneral-regs-only -mno-red-zone))
