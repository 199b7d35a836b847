/* How KVM's counters become ours: the layout of a statistics file, and which
 * exit each tracepoint filter takes. */
#include "backends/kvm/kvm.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Statistics -------------------------------------------------------- */

#define NAME_SIZE 48
#define DATA_OFFSET 4096

struct desc {
    struct kvm_stats_desc head;
    char name[NAME_SIZE];
};

/* A file as the kernel writes it, of scalars but for one histogram. */
static int stats_file(const char *const *names, unsigned n)
{
    struct kvm_stats_header head = {
        .name_size = NAME_SIZE,
        .num_desc = n,
        .desc_offset = 256,
        .data_offset = DATA_OFFSET,
    };
    int fd = memfd_create("stats", MFD_CLOEXEC);

    assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
    for (unsigned i = 0; i < n; i++) {
        struct desc d = {.head = {.size = 1, .offset = i * 8}};

        if (!strcmp(names[i], "halt_wait_hist"))
            d.head.size = 32;
        strcpy(d.name, names[i]);
        assert_int_equal(
            pwrite(fd, &d, sizeof(d), head.desc_offset + i * sizeof(d)),
            sizeof(d));
    }
    return fd;
}

static void test_stats_layout(void **state)
{
    static const char *const names[] = {"pf_taken", "pf_fixed", "exits",
                                        "halt_wait_hist", "invlpg"};
    struct kvm_stats s = {.fd = stats_file(names, 5)};

    (void)state;
    kvm_stats_find_rows(&s);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.row[0].event, EV_FAULT_HIDDEN);
    assert_int_equal(s.row[0].offset, DATA_OFFSET + 8);
    assert_int_equal(s.row[1].event, EV_EXIT_TOTAL);
    assert_int_equal(s.row[1].offset, DATA_OFFSET + 16);
    assert_int_equal(s.row[2].event, EV_EXIT_INVLPG);
    close(s.fd);
}

static void test_stats_cut_short(void **state)
{
    static const char *const names[] = {"exits", "invlpg"};
    struct kvm_stats s = {.fd = stats_file(names, 2)};

    (void)state;
    assert_int_equal(ftruncate(s.fd, 300), 0);
    kvm_stats_find_rows(&s);
    assert_int_equal(s.count, 0);
    assert_int_equal(ftruncate(s.fd, 3), 0);
    kvm_stats_find_rows(&s);
    assert_int_equal(s.count, 0);
    close(s.fd);
}

/* ---- Filters ----------------------------------------------------------- */

struct fields {
    uint64_t exit_reason, info1, info2, intr_info;
};

static uint64_t field(const struct fields *f, const char *name, size_t len)
{
    if (len == 11 && !strncmp(name, "exit_reason", len))
        return f->exit_reason;
    if (len == 5 && !strncmp(name, "info1", len))
        return f->info1;
    if (len == 5 && !strncmp(name, "info2", len))
        return f->info2;
    if (len == 9 && !strncmp(name, "intr_info", len))
        return f->intr_info;
    fail_msg("unknown field %.*s", (int)len, name);
    return 0;
}

static void skip_space(const char **p)
{
    while (**p == ' ')
        ++*p;
}

static bool any(const char **p, const struct fields *f);

/* FIELD OPERATOR NUMBER, or something in parentheses. */
static bool term(const char **p, const struct fields *f)
{
    static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">"};
    uint64_t left, right;
    size_t len = 0;
    unsigned op;
    char *end;
    bool value;

    skip_space(p);
    if (**p == '(') {
        ++*p;
        value = any(p, f);
        skip_space(p);
        assert_int_equal(**p, ')');
        ++*p;
        return value;
    }
    while (isalnum((unsigned char)(*p)[len]) || (*p)[len] == '_')
        len++;
    left = field(f, *p, len);
    *p += len;
    skip_space(p);
    for (op = 0; op < 6; op++)
        if (!strncmp(*p, operators[op], strlen(operators[op])))
            break;
    assert_in_range(op, 0, 5);
    *p += strlen(operators[op]);
    right = strtoull(*p, &end, 0);
    assert_ptr_not_equal(end, *p);
    *p = end;
    switch (op) {
    case 0:
        return left == right;
    case 1:
        return left != right;
    case 2:
        return left <= right;
    case 3:
        return left >= right;
    case 4:
        return left < right;
    }
    return left > right;
}

static bool all(const char **p, const struct fields *f)
{
    bool value = term(p, f);

    for (skip_space(p); !strncmp(*p, "&&", 2); skip_space(p)) {
        *p += 2;
        value &= term(p, f);
    }
    return value;
}

static bool any(const char **p, const struct fields *f)
{
    bool value = all(p, f);

    for (skip_space(p); !strncmp(*p, "||", 2); skip_space(p)) {
        *p += 2;
        value |= all(p, f);
    }
    return value;
}

/* The event that an exit counts as; exit.other where no row claims it, and two
 * may not. */
static enum tm_event classify(const char *module, const struct fields *f)
{
    enum tm_event event = EV_EXIT_OTHER;
    const struct kvm_trace_row *rows;
    size_t count;

    rows = kvm_trace_rows(module, &count);
    assert_non_null(rows);
    for (size_t i = 0; i < count; i++) {
        const char *p = rows[i].filter;

        if (!any(&p, f))
            continue;
        assert_int_equal(*p, '\0');
        assert_int_equal(event, EV_EXIT_OTHER);
        event = rows[i].event;
    }
    return event;
}

static void test_svm_exits(void **state)
{
    static const struct {
        uint64_t reason, info2;
        enum tm_event event;
    } exits[] = {
        {0x00, 0, EV_EXIT_CR},        /* CR0 read */
        {0x13, 0, EV_EXIT_CR},        /* CR3 write */
        {0x65, 0, EV_EXIT_CR},        /* CR0 selective write */
        {0x27, 0, EV_EXIT_OTHER},     /* DR7 read */
        {0x46, 0, EV_EXIT_EXCEPTION}, /* #UD */
        {0x4e, 0x400000, EV_EXIT_PF},
        {0x4e, 0xffffe00000001000, EV_EXIT_PF},
        {0x4e, 0xfffff000feb00e00, EV_EXIT_MMIO},
        {0x400, 0x7fff000, EV_EXIT_NPF},
        {0x400, 0xfeb00e00, EV_EXIT_MMIO},
        {0x60, 0, EV_EXIT_INTERRUPT},
        {0x64, 0, EV_EXIT_VINTR},
        {0x6a, 0, EV_EXIT_DESC}, /* LIDT */
        {0x6e, 0, EV_EXIT_RDTSC},
        {0x72, 0, EV_EXIT_CPUID},
        {0x77, 0, EV_EXIT_OTHER}, /* PAUSE */
        {0x78, 0, EV_EXIT_HLT},
        {0x79, 0, EV_EXIT_INVLPG},
        {0x7b, 0, EV_EXIT_IO},
        {0x7c, 0, EV_EXIT_MSR},
        {0x7f, 0, EV_EXIT_OTHER}, /* shutdown */
        {0x81, 0, EV_EXIT_HYPERCALL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
        struct fields f = {.exit_reason = exits[i].reason,
                           .info2 = exits[i].info2};

        assert_string_equal(event_names[classify("kvm_amd", &f)],
                            event_names[exits[i].event]);
    }
    for (uint64_t reason = 0; reason <= 0x404; reason++) {
        struct fields f = {.exit_reason = reason, .info2 = 0x1000};

        classify("kvm_amd", &f); /* never two */
    }
}

static void test_vmx_exits(void **state)
{
    static const struct {
        uint64_t reason, intr_info, info1;
        enum tm_event event;
    } exits[] = {
        {0, 0x80000b0e, 0x400000, EV_EXIT_PF},
        {0, 0x80000b0e, 0xfffff000feb00e00, EV_EXIT_MMIO},
        {0, 0x80000306, 0, EV_EXIT_EXCEPTION}, /* #UD */
        {0, 0x80000202, 0, EV_EXIT_INTERRUPT}, /* NMI */
        {1, 0, 0, EV_EXIT_INTERRUPT},
        {7, 0, 0, EV_EXIT_VINTR},
        {10, 0, 0, EV_EXIT_CPUID},
        {28, 0, 0, EV_EXIT_CR},
        {29, 0, 0, EV_EXIT_OTHER}, /* debug register */
        {30, 0, 0, EV_EXIT_IO},
        {48, 0, 0, EV_EXIT_NPF},
        {49, 0, 0, EV_EXIT_MMIO},
        {52, 0, 0, EV_EXIT_OTHER}, /* preemption timer */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
        struct fields f = {.exit_reason = exits[i].reason,
                           .intr_info = exits[i].intr_info,
                           .info1 = exits[i].info1};

        assert_string_equal(event_names[classify("kvm_intel", &f)],
                            event_names[exits[i].event]);
    }
    for (uint64_t reason = 0; reason <= 80; reason++) {
        struct fields f = {.exit_reason = reason};

        classify("kvm_intel", &f);
    }
}

static void test_other_modules(void **state)
{
    size_t count;

    (void)state;
    assert_null(kvm_trace_rows("kvm_pvm", &count));
    assert_null(kvm_trace_rows("unknown", &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats_layout),
        cmocka_unit_test(test_stats_cut_short),
        cmocka_unit_test(test_svm_exits),
        cmocka_unit_test(test_vmx_exits),
        cmocka_unit_test(test_other_modules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
