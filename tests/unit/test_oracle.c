/* Tests the exit oracle: its rules on vectors made by hand, its comparison, and
 * the report's tables. */
#include "harness/oracle.h"
#include "harness/report_oracle.h"
#include "harness/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct amount {
    enum tm_event event;
    double count;
};

static double predict(enum oracle_tech tech, const struct amount *list,
                      size_t n, enum tm_event of)
{
    double events[EV_COUNT] = {0}, exits[EV_COUNT];

    for (size_t i = 0; i < n; i++)
        events[list[i].event] = list[i].count;
    oracle_predict(tech, events, exits);
    return exits[of];
}
#define PREDICT(tech, of, ...)                                                 \
    predict(tech, (const struct amount[]){__VA_ARGS__},                        \
            sizeof((const struct amount[]){__VA_ARGS__}) /                     \
                sizeof(struct amount),                                         \
            of)
#define TOTAL(tech, ...) PREDICT(tech, EV_EXIT_TOTAL, __VA_ARGS__)

/* Every technology has rules, every rule a section, a reason and a use. */
static void test_table(void **state)
{
    unsigned seen = 0;

    (void)state;
    for (size_t i = 0; i < oracle_rule_count; i++) {
        const struct oracle_rule *r = &oracle_rules[i];

        assert_int_not_equal(r->techs, 0);
        assert_int_equal(r->techs >> ORACLE_TECHS, 0);
        assert_true(r->factor == 1 || r->factor == -1);
        assert_true(r->section && *r->section);
        assert_int_equal(strncmp(event_names[r->exit], "exit.", 5), 0);
        assert_int_not_equal(r->exit, EV_EXIT_TOTAL);
        seen |= r->techs;
        for (size_t k = 0; k < i; k++) /* nothing counts twice */
            assert_false(oracle_rules[k].techs & r->techs &&
                         oracle_rules[k].event == r->event &&
                         oracle_rules[k].factor == r->factor);
    }
    assert_int_equal(seen, (1u << ORACLE_TECHS) - 1);
}

/* What the paper's operations cost each technology. */
static void test_operations(void **state)
{
    (void)state;
    for (enum oracle_tech t = ORACLE_VTX_SHADOW; t <= ORACLE_NPT_AVIC; t++) {
        bool shadow = t == ORACLE_VTX_SHADOW || t == ORACLE_SVM_SHADOW;

        /* syscall, cr8wr, divzero, rdtsc, cli: none at all. */
        assert_true(TOTAL(t, {EV_EXIT_SYSCALL, 2}, {EV_GUEST_SYSCALL, 1},
                          {EV_EXIT_CR, 1}, {EV_CR_WRITE8, 1},
                          {EV_EXCEPTION_DE, 1}, {EV_EXIT_RDTSC, 1},
                          {EV_EXIT_IF, 4}, {EV_EXIT_IRET, 1}) == 0);
        assert_true(PREDICT(t, EV_EXIT_IO, {EV_EXIT_IO, 3}) == 3);
        assert_true(PREDICT(t, EV_EXIT_CPUID, {EV_EXIT_CPUID, 1}) == 1);
        /* pgfault and a switch: with shadow page tables alone. */
        assert_true(PREDICT(t, EV_EXIT_PF, {EV_FAULT_TRUE, 1},
                            {EV_EXCEPTION_PF, 1}) == (shadow ? 1 : 0));
        assert_true(TOTAL(t, {EV_EXIT_CR, 1}, {EV_CTX_SWITCH, 1}) ==
                    (shadow ? 1 : 0));
        assert_true(TOTAL(t, {EV_EXIT_INVLPG, 5}) == (shadow ? 5 : 0));
        assert_true(TOTAL(t, {EV_FAULT_TRACE, 0.5}) == (shadow ? 0.5 : 0));
        assert_true(PREDICT(t, shadow ? EV_EXIT_PF : EV_EXIT_NPF,
                            {EV_FAULT_HIDDEN, 2}) == 2);
    }
}

/* The bitmap lets some through: more of them on SVM, and with a virtual APIC.
 */
static void test_msrs(void **state)
{
    static const struct {
        enum oracle_tech tech;
        double exits;
    } row[] = {{ORACLE_VTX_SHADOW, 8}, {ORACLE_EPT, 8},
               {ORACLE_NPT, 6},        {ORACLE_EPT_APICV, 5},
               {ORACLE_NPT_AVIC, 3},   {ORACLE_PARAVIRT, 9}};

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        assert_true(TOTAL(row[i].tech, {EV_EXIT_MSR, 9}, {EV_MSR_BASE, 1},
                          {EV_MSR_SYSCALL, 2}, {EV_MSR_APICV, 3},
                          {EV_MSR_APIC, 1}) == row[i].exits);
}

static void test_irqchips(void **state)
{
    (void)state;
    assert_true(TOTAL(ORACLE_USER_IRQCHIP, {EV_EXIT_IO, 1}, {EV_EXIT_HLT, 1},
                      {EV_EXIT_MSR, 2}, {EV_MSR_APICV, 1}, {EV_MSR_APIC, 1},
                      {EV_CR_WRITE8, 1}, {EV_EXIT_CPUID, 7}) == 5);
    assert_true(TOTAL(ORACLE_KERNEL_IRQCHIP, {EV_EXIT_IO, 1}, {EV_EXIT_HLT, 1},
                      {EV_EXIT_MSR, 2}, {EV_MSR_APICV, 1}, {EV_MSR_APIC, 1},
                      {EV_CR_WRITE8, 1}, {EV_EXIT_CPUID, 7}) == 1);
    /* Nothing of paging is the paravirtual kernel's privilege. */
    assert_true(PREDICT(ORACLE_PARAVIRT, EV_EXIT_HYPERCALL, {EV_CTX_SWITCH, 1},
                        {EV_EXIT_INVLPG, 1}, {EV_GUEST_SYSCALL, 1},
                        {EV_EXIT_IF, 2}) == 2);
}

static void test_compare(void **state)
{
    double e[EV_COUNT] = {0}, c[EV_COUNT] = {0};
    struct oracle_verdict v;

    (void)state;
    /* Nothing on either side agrees; so does a stray exit. */
    assert_true(oracle_compare(ORACLE_NPT, e, c).agrees);
    c[EV_EXIT_TOTAL] = c[EV_EXIT_VINTR] = 0.005;
    assert_true(oracle_compare(ORACLE_NPT, e, c).agrees);

    e[EV_EXIT_IO] = 100;
    c[EV_EXIT_IO] = c[EV_EXIT_TOTAL] = 103;
    c[EV_EXIT_VINTR] = 0;
    v = oracle_compare(ORACLE_NPT, e, c);
    assert_false(v.agrees);
    assert_null(v.cause); /* more I/O exits than accesses: nobody knows why */
    assert_int_equal(v.reason, EV_EXIT_IO);
    assert_true(v.reason_predicted == 100 && v.reason_counted == 103);
    assert_true(v.by_reason);
    assert_true(oracle_compare(ORACLE_SVM_SHADOW, e, c).agrees);

    /* The host's interrupts don't count. */
    c[EV_EXIT_IO] = 101;
    c[EV_EXIT_INTERRUPT] = 50;
    c[EV_EXIT_TOTAL] = 151;
    v = oracle_compare(ORACLE_NPT, e, c);
    assert_true(v.agrees);
    assert_true(v.counted == 101);
    /* Not even where one hit the control, whose counts are subtracted. */
    c[EV_EXIT_INTERRUPT] = 0;
    c[EV_EXIT_TOTAL] = 100;
    assert_true(oracle_compare(ORACLE_NPT, e, c).counted == 101);

    /* Totals alone explain nothing. */
    memset(c, 0, sizeof(c));
    c[EV_EXIT_TOTAL] = 50;
    v = oracle_compare(ORACLE_SVM_SHADOW, e, c);
    assert_false(v.agrees);
    assert_false(v.by_reason);
    assert_null(v.cause);
}

/* A cause needs its direction, its part and its evidence. */
static void test_causes(void **state)
{
    double e[EV_COUNT] = {[EV_FAULT_TRACE] = 16}, c[EV_COUNT] = {0};
    struct oracle_verdict v;

    (void)state;
    c[EV_EXIT_PF] = c[EV_EXIT_TOTAL] = 4;
    c[EV_FAULT_TRACE] = 3;
    c[EV_FAULT_HIDDEN] = 1;
    v = oracle_compare(ORACLE_SVM_SHADOW, e, c);
    assert_false(v.agrees);
    assert_int_equal(v.reason, EV_EXIT_PF);
    assert_null(v.cause); /* no shadow was dropped */
    c[EV_SHADOW_ZAP] = 1;
    v = oracle_compare(ORACLE_SVM_SHADOW, e, c);
    assert_non_null(strstr(v.cause, "3 writes"));
    e[EV_FAULT_TRACE] = 2; /* more than predicted, now */
    c[EV_FAULT_HIDDEN] = 0;
    assert_null(oracle_compare(ORACLE_SVM_SHADOW, e, c).cause);
    c[EV_FAULT_HIDDEN] = 1;
    v = oracle_compare(ORACLE_SVM_SHADOW, e, c);
    assert_non_null(strstr(v.cause, "fills anew"));

    memset(e, 0, sizeof(e));
    memset(c, 0, sizeof(c));
    c[EV_EXIT_MSR] = c[EV_EXIT_TOTAL] = 2;
    assert_null(oracle_compare(ORACLE_EPT, e, c).cause);
    c[EV_INTERRUPT] = 1;
    assert_non_null(oracle_compare(ORACLE_EPT, e, c).cause);

    /* The timer fired in the interpreter's batch, and not in KVM's: there, only
     * the host's did. */
    memset(c, 0, sizeof(c));
    e[EV_EXIT_MSR] = 0.25;
    c[EV_EXIT_INTERRUPT] = c[EV_EXIT_TOTAL] = 1;
    v = oracle_compare(ORACLE_NPT, e, c);
    assert_true(v.by_reason);
    assert_null(v.cause);
    e[EV_INTERRUPT] = 0.125;
    v = oracle_compare(ORACLE_NPT, e, c);
    assert_non_null(v.cause);
    assert_non_null(strstr(v.cause, "timer"));
}

/* ---- The report's tables ------------------------------------------------- */

#define ROW(backend, paging, bench, events)                                    \
    "{\"suite\":\"micro\",\"bench\":\"" bench "\",\"backend\":\"" backend      \
    "\",\"paging\":\"" paging "\",\"status\":\"ok\",\"unit\":\"ticks\","       \
    "\"iterations\":10,\"ticks_per_op\":{\"median\":1,\"mad\":0,\"min\":0,"    \
    "\"ci95\":[1,1]},\"events\":{" events "}}"

static void load(struct report *r, const char *module, const char *rows)
{
    char dir[] = "/tmp/test-oracle-XXXXXX", why[REASON_MAX];
    char *path;
    FILE *f;

    assert_non_null(mkdtemp(dir));
    path = xformat("%s/r.json", dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f,
            "{\"schema\":\"trapmark-results/1\",\"tool\":{},\"host\":{\"kvm\":"
            "{\"available\":true,\"module\":\"%s\"}},\"config\":{},"
            "\"runs\":[%s],\"warnings\":[]}",
            module, rows);
    assert_int_equal(fclose(f), 0);
    if (report_load(r, &path, 1, why))
        fail_msg("%s", why);
    unlink(path);
    rmdir(dir);
    free(path);
}

/* clang-format off */
/* "in" agrees under nested paging, "pf" takes two hidden faults too many under
 * shadow paging, and has no row to predict from under nested paging. */
static const char runs[] =
    ROW("interp", "nested", "in", "\"exit.io\":1") ","
    ROW("interp", "unsync", "in", "\"exit.io\":1") ","
    ROW("interp", "unsync", "pf", "\"fault.true\":1") ","
    ROW("kvm", "nested", "in", "\"exit.io\":1,\"exit.total\":1") ","
    ROW("kvm", "shadow", "pf",
        "\"exit.pf\":3,\"fault.hidden\":2,\"exit.total\":3") ","
    ROW("kvm", "nested", "pf", "\"exit.npf\":3,\"exit.total\":3");
/* clang-format on */

static void test_report(void **state)
{
    struct report r;
    struct sheet s;
    char *summary;

    (void)state;
    load(&r, "kvm_amd", runs);
    s = report_predicted(&r);
    assert_int_equal(s.rows, 3);
    assert_string_equal(s.cell[s.columns], "in");
    assert_string_equal(s.cell[s.columns + 1 + ORACLE_NPT], "1.00");
    /* pf has no row for nested paging. */
    assert_string_equal(s.cell[2 * s.columns + 1 + ORACLE_SVM_SHADOW], "1.00");
    assert_string_equal(s.cell[2 * s.columns + 1 + ORACLE_NPT], "-");
    sheet_free(&s);

    s = report_compared(&r, &summary);
    assert_int_equal(s.rows, 3);
    assert_string_equal(s.cell[6], "in");
    assert_string_equal(s.cell[7], "SVM NPT");
    assert_string_equal(s.cell[11], "");
    assert_string_equal(s.cell[12], "pf");
    assert_string_equal(s.cell[13], "SVM shadow");
    assert_non_null(strstr(s.cell[17], "exit.pf 1.00, counted 3.00: KVM"));
    assert_string_equal(summary,
                        "nested: 1 of 1 agree within 2 %, 0 not explained, "
                        "shadow: 0 of 1 agree within 15 %, 0 not explained");
    sheet_free(&s);
    free(summary);
    report_free(&r);
}

/* A KVM that is neither VT-x nor SVM has no rules. */
static void test_other_kvm(void **state)
{
    struct report r;
    struct sheet s;
    char *summary;

    (void)state;
    load(&r, "kvm_pvm", runs);
    s = report_compared(&r, &summary);
    assert_int_equal(s.rows, 0);
    assert_null(summary);
    report_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),   cmocka_unit_test(test_operations),
        cmocka_unit_test(test_msrs),    cmocka_unit_test(test_irqchips),
        cmocka_unit_test(test_compare), cmocka_unit_test(test_causes),
        cmocka_unit_test(test_report),  cmocka_unit_test(test_other_kvm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
