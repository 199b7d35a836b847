/* The end: panic, power-off, and the names of exceptions. */
#include "kernel.h"

const char *panic_bench;

/* A table of characters, not of pointers: right before relocation, too. */
static const char exception_names[32][4] = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "",    "#TS",
    "#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
    "",    "",    "",    "",    "",    "",    "#HV", "#VC", "#SX", ""};

const char *exception_name(uint64_t vector)
{
    if (vector < 32 && exception_names[vector][0])
        return exception_names[vector];
    return "exception";
}

void power_off(uint8_t code)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) no_idt;

    cli();
    outb(TM_PORT_EXIT, code);
    /* Still here: no such device. Fault with no IDT: triple fault. */
    __asm__ volatile("lidt %0; ud2" ::"m"(no_idt));
    __builtin_unreachable();
}

void panic(const char *format, ...)
{
    static bool panicking;
    char text[224], escaped[256];
    va_list ap;
    int n;

    if (panicking)
        power_off(TM_EXIT_PANIC);
    panicking = true;
    va_start(ap, format);
    n = fmt_vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (panic_bench && n >= 0 && (size_t)n < sizeof(text))
        fmt_snprintf(text + n, sizeof(text) - (size_t)n, " in bench %s",
                     panic_bench);
    json_escape(escaped, sizeof(escaped), text);
    /* The line before may be unfinished. */
    serial_line("\n{\"tm\":\"panic\",\"reason\":\"%s\"}", escaped);
    power_off(TM_EXIT_PANIC);
}
