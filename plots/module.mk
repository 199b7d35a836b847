# Gnuplot scripts: beside the program while it is built, in datadir once installed.
plot_SCRIPTS := $(sort $(wildcard plots/*.gp))
plot_COPIES  := $(plot_SCRIPTS:%=$(O)/%)
all_TARGETS  += $(plot_COPIES)

$(O)/plots/%.gp: plots/%.gp
	@mkdir -p $(@D)
	$(call say,COPY,$<)cp $< $@

CFLAGS_harness/report_plot.c = -DTM_DATADIR='"$(datadir)"'
