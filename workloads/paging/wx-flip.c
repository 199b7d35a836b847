/* wx-flip: write a function, make its page executable, call it, make the page
 * writable again: what a compiler of generated code does under W^X. The control
 * writes the bytes and reads them back. */
#include "pages.h"

static uint8_t *code;
static uint32_t round;
static const char *problem;

static const char *wx_init(void)
{
    code = sys_mmap(PAGE);
    return code ? NULL : "mmap failed";
}

static void protect(unsigned prot)
{
    if (sys_mprotect(code, PAGE, prot))
        problem = "mprotect failed";
}

/* mov $value, %eax; ret */
static void generate(uint32_t value)
{
    volatile uint8_t *at = code;

    *at++ = 0xb8;
    for (int i = 0; i < 4; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    *at = 0xc3;
}

static void wx_kernel(uint64_t n)
{
    for (; n && !problem; n--) {
        generate(++round);
        protect(PROT_EXEC);
        if (((uint32_t(*)(void))(uintptr_t)code)() != round)
            problem = "the code that ran is not what was written";
        protect(PROT_WRITE);
    }
}

static void wx_control(uint64_t n)
{
    for (; n; n--) {
        generate(++round);
        if (*(volatile uint8_t *)(code + 1) != (uint8_t)round)
            problem = "the bytes are not what was written";
    }
}

static const char *wx_verify(void)
{
    return problem;
}

DEFINE_BENCHMARK(wx_flip, "wx-flip", "paging", "rewrite and call",
                 "Rewrite a function, mprotect it executable, call it, "
                 "mprotect it writable",
                 0, .init = wx_init, .kernel = wx_kernel, .control = wx_control,
                 .verify = wx_verify);
