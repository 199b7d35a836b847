/* Instructions from bytes to struct x86_insn, and on to struct insn. */
#include "backends/interp/select.h"
#include "backends/state.h"
#include "backends/x86/decode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define RIP 0x401000ull

static struct x86_insn decode(const char *bytes, size_t len)
{
    struct x86_insn x;

    assert_int_equal(x86_decode((const uint8_t *)bytes, len, RIP, &x), 0);
    assert_int_equal(x.len, len);
    return x;
}
#define DECODE(bytes) decode(bytes, sizeof(bytes) - 1)

static int refuse(const char *bytes, size_t len)
{
    struct x86_insn x;

    return x86_decode((const uint8_t *)bytes, len, RIP, &x);
}
#define REFUSE(bytes) refuse(bytes, sizeof(bytes) - 1)

static struct insn choose(const struct x86_insn *x, struct choice *ch)
{
    struct insn i;

    memset(ch, 0, sizeof(*ch));
    ch->bytes = (const uint8_t *)"";
    ch->next = RIP + x->len;
    select_insn(x, &i, ch);
    assert_non_null(ch->fn);
    return i;
}

static void test_registers(void **state)
{
    struct x86_insn x = DECODE("\x48\x01\xd8"); /* add rax, rbx */

    (void)state;
    assert_int_equal(x.op, ZYDIS_MNEMONIC_ADD);
    assert_int_equal(x.nops, 2);
    assert_int_equal(x.opnd[0].kind, OPND_REG);
    assert_int_equal(x.opnd[0].reg, RAX);
    assert_int_equal(x.opnd[0].size, 8);
    assert_int_equal(x.opnd[1].reg, RBX);
    assert_int_equal(x.fl_read, 0);
    assert_int_equal(x.fl_written, FL_ARITH);

    x = DECODE("\x88\xe7"); /* mov bh, ah */
    assert_true(x.opnd[0].high && x.opnd[1].high);
    assert_int_equal(x.opnd[0].reg, RBX);
    assert_int_equal(x.opnd[1].reg, RAX);

    x = DECODE("\x40\x88\xe7"); /* mov dil, spl: REX makes the difference */
    assert_false(x.opnd[0].high || x.opnd[1].high);
    assert_int_equal(x.opnd[0].reg, RDI);
    assert_int_equal(x.opnd[1].reg, RSP);
}

static void test_implicit_operands(void **state)
{
    struct x86_insn x = DECODE("\x05\x78\x56\x34\x92"); /* add eax, imm32 */

    (void)state;
    assert_int_equal(x.nops, 2);
    assert_int_equal(x.opnd[0].reg, RAX);
    assert_int_equal(x.opnd[1].kind, OPND_IMM);
    x = DECODE("\xd3\xe2"); /* shl edx, cl */
    assert_int_equal(x.opnd[1].kind, OPND_REG);
    assert_int_equal(x.opnd[1].reg, RCX);
}

static void test_memory(void **state)
{
    /* mov eax, [rbp + r9 * 4 - 8] */
    struct x86_insn x = DECODE("\x42\x8b\x44\x8d\xf8");

    (void)state;
    assert_true(x.has_mem);
    assert_int_equal(x.mem.base, RBP);
    assert_int_equal(x.mem.index, R9);
    assert_int_equal(x.mem.scale, 2);
    assert_int_equal(x.mem.disp, -8);
    assert_int_equal(x.mem.seg, SS);
    assert_false(x.mem.addr32);

    x = DECODE("\x64\x67\x8b\x03"); /* mov eax, fs:[ebx] */
    assert_int_equal(x.mem.seg, FS);
    assert_true(x.mem.addr32);

    x = DECODE("\x3e\x8b\x45\x00"); /* ds: is ignored: still the stack's */
    assert_int_equal(x.mem.seg, SS);

    x = DECODE("\x48\x8d\x05\x10\x00\x00\x00"); /* lea rax, [rip + 16] */
    assert_int_equal(x.mem.base, X86_NOREG);
    assert_int_equal(x.mem.disp, RIP + 7 + 16);
}

static void test_branches(void **state)
{
    struct x86_insn x = DECODE("\x75\xfe"); /* jnz to itself */

    (void)state;
    assert_int_equal(x.opnd[0].imm, RIP);
    assert_int_equal(x.fl_read, FL_ZF);
    x = DECODE("\xe8\xfb\xff\xff\xff"); /* call to itself */
    assert_int_equal(x.opnd[0].imm, RIP);
}

static void test_prefixes(void **state)
{
    struct x86_insn x = DECODE("\xf3\x48\xa5"); /* rep movsq */

    (void)state;
    assert_true(x.string);
    assert_int_equal(x.rep, 0xf3);
    x = DECODE("\xf2\x0f\x10\xc1"); /* movsd xmm0, xmm1: no string */
    assert_false(x.string);
    x = DECODE("\xf0\x48\x0f\xb1\x0a"); /* lock cmpxchg [rdx], rcx */
    assert_true(x.lock);
    x = DECODE("\xf3\x0f\xbd\xc1"); /* LZCNT is BSR here */
    assert_int_equal(x.op, ZYDIS_MNEMONIC_BSR);
    x = DECODE("\xf3\x0f\xbc\xc1"); /* TZCNT is BSF here */
    assert_int_equal(x.op, ZYDIS_MNEMONIC_BSF);
    x = DECODE("\xf3\x41\x90"); /* xchg eax, r8d, not PAUSE */
    assert_int_equal(x.op, ZYDIS_MNEMONIC_XCHG);
    assert_int_equal(x.opnd[0].reg, R8);
    assert_int_equal(x.opnd[0].size, 4);
}

static void test_refused(void **state)
{
    (void)state;
    assert_int_equal(REFUSE("\x06"), -EINVAL);             /* push es */
    assert_int_equal(REFUSE("\xf0\x01\xd8"), -EINVAL);     /* lock, register */
    assert_int_equal(REFUSE("\xc5\xf8\x57\xc0"), -EINVAL); /* vxorps */
    assert_int_equal(REFUSE("\x48\x8b"), -ENODATA);
    assert_int_equal(REFUSE(""), -ENODATA);
    assert_int_equal(REFUSE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
                            "\x66\x66\x66\x90"),
                     -E2BIG);
}

/* ---- To struct insn --------------------------------------------------- */

static void test_select_operands(void **state)
{
    struct choice ch, other;
    struct x86_insn x = DECODE("\x42\x03\x44\x8d\xf8"); /* add eax, [..] */
    struct insn i = choose(&x, &ch), j;

    (void)state;
    assert_int_equal(i.reg, RAX * 8);
    assert_int_equal(i.base, RBP * 8);
    assert_int_equal(i.index, R9 * 8);
    assert_int_equal(i.scale, 2);
    assert_int_equal(i.disp, -8);
    assert_int_equal(i.seg, SS);
    assert_true(ch.faults);

    x = DECODE("\x02\x63\x10"); /* add ah, [rbx + 16] */
    i = choose(&x, &ch);
    assert_int_equal(i.reg, RAX * 8 + 1);
    assert_int_equal(i.index, ZERO_REG * 8);

    x = DECODE("\x65\x03\x03"); /* add eax, gs:[rbx] */
    i = choose(&x, &ch);
    assert_int_equal(i.seg, GS | EA_BASE);

    /* Forms have handlers of their own. */
    x = DECODE("\x01\xd8"); /* add eax, ebx */
    i = choose(&x, &ch);
    x = DECODE("\x83\xc0\xff"); /* add eax, -1 */
    j = choose(&x, &other);
    assert_ptr_not_equal(ch.fn, other.fn);
    assert_int_equal(j.imm, -1);
    assert_int_equal(i.rm, RBX * 8);
    assert_false(ch.faults);
    assert_non_null(ch.nf);
}

static void test_select_branches(void **state)
{
    struct choice ch;
    struct x86_insn x = DECODE("\x7c\x10"); /* jl +16 */
    struct insn i = choose(&x, &ch);

    (void)state;
    assert_int_equal(ch.cc, 12);
    assert_false(ch.ends);
    assert_int_equal(i.disp, RIP + 2 + 16);
    assert_int_equal(i.imm, 0); /* not linked yet */
    assert_int_equal(i.seg, 1); /* in the page */
    x = DECODE("\xe9\x00\x10\x00\x00");
    i = choose(&x, &ch);
    assert_true(ch.ends);
    assert_int_equal(i.seg, 0); /* another page: never linked */
    x = DECODE("\x39\xd8");     /* cmp eax, ebx */
    choose(&x, &ch);
    assert_non_null(ch.fused);
}

/* What isn't in x86-64-v2 becomes #UD, whatever Zydis knows. */
static void test_select_undefined(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } none[] = {
        {"\x0f\x0b", 2},             /* ud2 */
        {"\x0f\x01\xd0", 3},         /* xgetbv */
        {"\x0f\x01\xc8", 3},         /* monitor */
        {"\x0f\xc7\xf0", 3},         /* rdrand */
        {"\x66\x0f\x38\xf6\xc1", 5}, /* adcx */
        {"\x0f\x38\xf0\x01", 4},     /* movbe */
        {"\x66\x0f\x38\xdc\xc1", 5}, /* aesenc */
        {"\x0f\x34", 2},             /* sysenter */
    };
    struct choice ch;

    (void)state;
    for (size_t k = 0; k < sizeof(none) / sizeof(none[0]); k++) {
        struct x86_insn x = decode(none[k].bytes, none[k].len);

        memset(&ch, 0, sizeof(ch));
        ch.bytes = (const uint8_t *)none[k].bytes;
        select_insn(&x, &(struct insn){0}, &ch);
        assert_ptr_equal(ch.fn, raise_ud);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers),
        cmocka_unit_test(test_implicit_operands),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_select_operands),
        cmocka_unit_test(test_select_branches),
        cmocka_unit_test(test_select_undefined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
