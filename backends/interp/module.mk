# The interpreter.
interp_GUEST_FPU := alu atomic bits block control control_regs cpuid desc \
                    event far fpu fused mmu mov msr muldiv pairs paging paging_shadow port \
                    run seg shift stack string system x87_last
interp_HOST_FPU := interp select step tail translate thunk thunk_arena \
                   thunk_rewrite

backend_SRCS += $(patsubst %,backends/interp/%.c,$(interp_GUEST_FPU) \
                                                 $(interp_HOST_FPU))

# Handlers run with the guest's x87 and SSE state in the host's registers: no
# code of theirs may use those. Frame pointers, jump tables and the like only
# cost time.
INTERP_FLAGS := -mgeneral-regs-only -fno-strict-aliasing \
                -fomit-frame-pointer -foptimize-sibling-calls
$(foreach f,$(interp_GUEST_FPU),\
    $(eval CFLAGS_backends/interp/$(f).c := $(INTERP_FLAGS)))
CFLAGS_backends/interp/thunk.c := -mgeneral-regs-only
