# Debugging tools; not part of any test.

.SECONDEXPANSION:
$(O)/tests/boot: $(O)/host/tests/tools/boot.o $$(backend_OBJS)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SAN) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

-include $(O)/host/tests/tools/boot.d
