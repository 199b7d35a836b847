# Trapmark: build, test, bench. `make help` lists the targets.

O       ?= build
prefix  ?= /usr/local
DESTDIR ?=
CC      ?= gcc
WERROR  ?=
V       ?= 0
DEPS    ?= auto

ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
else
Q :=
say =
endif

# Sanitizers for host code: make SANITIZE=address,undefined O=build-asan
SANITIZE ?=
OPT      ?= -O2
CFLAGS   ?= $(OPT) -g
WARN     := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes $(if $(WERROR),-Werror)
BASE     := -std=gnu11 -D_GNU_SOURCE $(WARN) -MMD -MP
SAN      := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)

pkgs     := jansson libseccomp smartcols
PKG_CFLAGS = $(shell pkg-config --cflags $(pkgs) 2>/dev/null)
PKG_LIBS   = $(shell pkg-config --libs $(pkgs) 2>/dev/null) -lZydis -lpfm -lm -lpthread

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

# Every module.mk appends to these:
#   backend_SRCS  C (and .S) of backends/: linked into trapmark and the tests
#   harness_SRCS  C of harness/: linked into trapmark; those that unit tests may
#                 link (no main) are all but harness/main.c
#   all_TARGETS   what `make all` builds beside trapmark
#   test_TARGETS  phony targets that `make test` runs, in order
#   clean_PATHS   (everything is under $(O); rarely needed)
backend_SRCS  := backends/registry.c backends/events.c
harness_SRCS  :=
all_TARGETS   :=
test_TARGETS  :=
#   test_BINARIES what `make test` builds beforehand, in parallel
#   native_BINS   native workload programs, for install
test_BINARIES :=
native_BINS   :=

-include guest/module.mk microbench/module.mk workloads/module.mk
-include $(sort $(wildcard backends/*/module.mk))
-include harness/module.mk results/module.mk plots/module.mk
-include $(sort $(wildcard tests/*/module.mk))

obj = $(patsubst %.S,$(O)/host/%.o,$(patsubst %.c,$(O)/host/%.o,$(1)))
backend_OBJS := $(call obj,$(backend_SRCS))
harness_OBJS := $(call obj,$(harness_SRCS))

# Per-file flags: CFLAGS_backends/interp/exec.c = -mgeneral-regs-only
$(O)/host/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(BASE) $(CFLAGS) $(SAN) -I. -Iharness $(PKG_CFLAGS) $(CFLAGS_$<) -c -o $@ $<

$(O)/host/%.o: %.S
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) $(BASE) $(CFLAGS) -I. -c -o $@ $<

$(O)/trapmark: $(backend_OBJS) $(harness_OBJS)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

-include $(backend_OBJS:.o=.d) $(harness_OBJS:.o=.d)

.PHONY: all build test bench deps help clean install uninstall check-layers format
build: $(O)/trapmark $(all_TARGETS)
all: deps   ## Install what is missing, build everything
	$(Q)$(MAKE) --no-print-directory build

help: ## Show this list
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | sort -u | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo
	@echo "  Variables: O=dir (build directory), V=1 (show commands), DEPS=skip (install nothing),"
	@echo "  WERROR=1, SANITIZE=address,undefined, prefix=, DESTDIR="

clean: ## Remove the build directory
	rm -rf $(O)

deps: ## Install missing packages (DEPS=skip: only say which)
	@DEPS=$(DEPS) CC="$(CC)" .ci/deps

# The test targets come from the module.mk files; each prints what it counted.
test: deps ## Install, build, run every test
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) build tests-build
	$(Q)$(MAKE) --no-print-directory check-layers $(test_TARGETS)
	@echo "all tests passed"

tests-build: $(test_BINARIES)
.PHONY: tests-build

JOBS ?= $(shell nproc)

# The default selection takes at most 3 minutes on 2 cores; `make bench BENCH="-s
# micro,kcompute,compute,io,mixed"` measures everything.
BENCH ?= -s micro,compute -t blkread-rand,blkread-seq,blkwrite-seq,net-rr-64,net-tx-64,net-rx-64,console,timer-1khz,forkwait,shell,jit

# A row that fails (run exits 1) is a result too: its reason is in the tables. What
# fails this target is a run that measured nothing or a report that can't be made.
bench: deps ## Install, build, run the default suite, draw results/latest/
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) build
	$(Q)mkdir -p results/latest
	$(Q)$(O)/trapmark run $(BENCH) -o results/latest/results.json || [ $$? = 1 ]
	$(Q)$(O)/trapmark report results/latest/results.json -o results/latest >/dev/null
	@echo "results/latest/: results.json, report.html, *.svg"

check-layers: ## Check that includes follow the layers
	@tests/tools/check-layers.sh

format: ## Reformat every C file with clang-format
	git ls-files '*.c' '*.h' | xargs clang-format -i

libdir  := $(prefix)/lib/trapmark
datadir := $(prefix)/share/trapmark

install: build ## Install below $(DESTDIR)$(prefix)
	install -d $(DESTDIR)$(prefix)/bin $(DESTDIR)$(libdir)/guest $(DESTDIR)$(libdir)/native $(DESTDIR)$(libdir)/lab \
		$(DESTDIR)$(datadir)/plots $(DESTDIR)$(datadir)/results
	install -m 755 $(O)/trapmark $(DESTDIR)$(prefix)/bin/
	install -m 644 $(O)/guest/kernel.elf $(O)/guest/initrd.cpio $(DESTDIR)$(libdir)/guest/
	install -m 755 $(native_BINS) $(DESTDIR)$(libdir)/native/
	install -m 755 $(O)/lab/init $(O)/lab/fetch.sh $(DESTDIR)$(libdir)/lab/
	install -m 644 plots/*.gp $(DESTDIR)$(datadir)/plots/
	install -m 644 results/schema.json results/paper-2006.json $(DESTDIR)$(datadir)/results/

uninstall: ## Undo install
	rm -f $(DESTDIR)$(prefix)/bin/trapmark
	rm -rf $(DESTDIR)$(libdir) $(DESTDIR)$(datadir)
