# Every benchmark on every available backend.
#   make test-integ

.PHONY: test-integ
test-integ: build ## Run every benchmark on every available backend
	@BUILD=$(abspath $(O)) bats tests/integ

test_TARGETS += test-integ
