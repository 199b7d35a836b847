/* Forks and large memory on direct and bt with hardly any mappings of the host:
 * entries are evicted all the time, and results stay right. */
#include "backends/machine/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct outcome {
    char checksum[32];
    bool ok;
    struct machine_result end;
};

static void keep_result(void *opaque, const char *text, size_t len)
{
    struct outcome *o = opaque;
    const char *sum = strstr(text, "\"checksum\":");

    (void)len;
    if (!strstr(text, "\"tm\":\"result\"") || !sum)
        return;
    o->ok = strstr(text, "\"status\":\"ok\"");
    snprintf(o->checksum, sizeof(o->checksum), "%.29s", sum);
}

static bool boot(struct outcome *o, const char *backend, const char *bench,
                 const char *paging, const char *options)
{
    char cmdline[128], why[REASON_MAX] = "";
    const struct machine_config c = {
        .backend = backend_find(backend),
        .kernel = GUEST_DIR "/kernel.elf",
        .initrd = GUEST_DIR "/initrd.cpio",
        .cmdline = cmdline,
        .paging = paging,
        .options = options,
        .line = keep_result,
        .opaque = o,
    };
    struct machine *m;

    memset(o, 0, sizeof(*o));
    if (c.backend->probe(why)) {
        print_message("%s\n", why);
        return false;
    }
    snprintf(cmdline, sizeof(cmdline), "bench=%s samples=2 iters=1%s", bench,
             c.backend->caps & CAP_LOW_LAYOUT ? " layout=low" : "");
    m = machine_create(&c, why);
    if (!m) { /* a sanitizer's own memory is in the way */
        print_message("%s\n", why);
        return false;
    }
    machine_run(m, &o->end);
    machine_destroy(m);
    if (o->end.end != END_OK || !o->ok)
        fail_msg("%s on %s/%s with %s: %s", bench, backend, paging, options,
                 o->end.why);
    return true;
}

static void storm(const char *backend, const char *options)
{
    static const char *const benches[] = {"forkwait", "shell", "gc"};
    const char *const *policy = backend_find(backend)->policies;
    struct outcome right, here;
    uint64_t evicted = 0;

    for (unsigned b = 0; b < sizeof(benches) / sizeof(benches[0]); b++) {
        assert_true(boot(&right, "interp", benches[b], NULL, NULL));
        for (unsigned k = 0; policy[k]; k++) {
            if (!boot(&here, backend, benches[b], policy[k], options))
                skip();
            assert_string_equal(here.checksum, right.checksum);
            if (!here.end.all.count[EV_SHADOW_EVICT])
                fail_msg("%s on %s/%s evicts nothing", benches[b], backend,
                         policy[k]);
            evicted += here.end.all.count[EV_SHADOW_EVICT];
        }
    }
    assert_true(evicted > 50);
}

static void test_direct(void **state)
{
    (void)state;
    storm("direct", "paging-max-maps=16,paging-fault-around=2");
}

static void test_bt(void **state)
{
    (void)state;
    storm("bt", "paging-max-maps=16,paging-fault-around=2");
}

static void test_prefill(void **state)
{
    (void)state;
    storm("bt", "paging-max-maps=16,paging-fault-around=2,paging-prefill=on,"
                "paging-shadow-cache=3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_direct),
        cmocka_unit_test(test_bt),
        cmocka_unit_test(test_prefill),
    };

    return cmocka_run_group_tests_name("pressure", tests, NULL, NULL);
}
