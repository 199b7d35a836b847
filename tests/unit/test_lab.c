/* The lab's parts that need no machine: modules, init's messages, the plan, the
 * merged file and the table of exits. */
#include "harness/exits.h"
#include "harness/lab.h"
#include "harness/resultfile.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Modules ----------------------------------------------------------- */

/* An ELF file with nothing in it but .modinfo and the names of sections. */
struct module_file {
    Elf64_Ehdr head;
    Elf64_Shdr section[3];
    char names[24];
    char info[64];
};

static const char section_names[] = "\0.modinfo\0.shstrtab";

static struct module_file make_module(const char *info, size_t len)
{
    struct module_file f = {
        .head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64},
                 .e_shoff = offsetof(struct module_file, section),
                 .e_shnum = 3,
                 .e_shstrndx = 2},
        .section = {{0},
                    {.sh_name = 1,
                     .sh_offset = offsetof(struct module_file, info),
                     .sh_size = len},
                    {.sh_name = 10,
                     .sh_offset = offsetof(struct module_file, names),
                     .sh_size = sizeof(section_names)}},
    };

    memcpy(f.names, section_names, sizeof(section_names));
    memcpy(f.info, info, len);
    return f;
}

static void test_modinfo(void **state)
{
    static const char info[] = "license=GPL\0\0depends=kvm,irq-x\0name=a";
    struct module_file f = make_module(info, sizeof(info));
    const char *data = (const char *)&f;

    (void)state;
    assert_string_equal(lab_modinfo(data, sizeof(f), "depends"), "kvm,irq-x");
    assert_string_equal(lab_modinfo(data, sizeof(f), "name"), "a");
    assert_null(lab_modinfo(data, sizeof(f), "depend"));
    assert_null(lab_modinfo(data, sizeof(f), "vermagic"));
    assert_null(lab_modinfo(data, sizeof(f) - 40, "name"));
    assert_null(lab_modinfo(data, 20, "name"));
    /* The last string isn't ended. */
    f.section[1].sh_size = sizeof(info) - 1;
    assert_null(lab_modinfo(data, sizeof(f), "name"));
    f.head.e_shoff = UINT64_MAX - 8;
    assert_null(lab_modinfo(data, sizeof(f), "depends"));
}

static void write_module(const char *dir, const char *file, const char *info,
                         size_t len)
{
    struct module_file f = make_module(info, len);
    char path[300];
    FILE *out;

    snprintf(path, sizeof(path), "%s/%s", dir, file);
    out = fopen(path, "w");
    assert_non_null(out);
    fwrite(&f, sizeof(f), 1, out);
    fclose(out);
}

static void test_module_order(void **state)
{
    static const char *const files[] = {"kvm-amd.ko", "sub/kvm.ko",
                                        "irqbypass.ko", "ring.ko"};
    char dir[] = "/tmp/test-lab-XXXXXX", path[300], why[REASON_MAX];
    struct lab_modules m;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/sub", dir);
    mkdir(path, 0755);
    write_module(dir, files[0], "depends=kvm,irqbypass", 22);
    write_module(dir, files[1], "depends=irqbypass", 18);
    write_module(dir, files[2], "depends=", 9);
    write_module(dir, files[3], "depends=ring2", 14);
    assert_int_equal(lab_modules_find(&m, dir, "kvm_amd", why), 0);
    assert_int_equal(m.count, 3);
    assert_string_equal(m.v[0].name, "irqbypass");
    assert_string_equal(m.v[1].name, "kvm");
    assert_string_equal(m.v[2].name, "kvm_amd");
    lab_modules_free(&m);
    assert_int_not_equal(lab_modules_find(&m, dir, "ring", why), 0);
    assert_non_null(strstr(why, "ring2"));
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/sub", dir);
    rmdir(path);
    rmdir(dir);
}

/* ---- What init says ---------------------------------------------------- */

static char heard[512];

static void on_say(void *opaque, const char *line)
{
    (void)opaque;
    strcat(heard, "S:");
    strcat(heard, line);
}

static void on_error(void *opaque, const char *line)
{
    (void)opaque;
    strcat(heard, "E:");
    strcat(heard, line);
}

static void on_file(void *opaque, const char *name, const char *data,
                    size_t len)
{
    (void)opaque;
    sprintf(heard + strlen(heard), "F:%s:%.*s;", name, (int)len, data);
}

static void test_channel(void **state)
{
    static const char said[] = "noise\nsay up\nfile a 14\n{\ndone\nsay no}\n"
                               "error b: no\nfile c 1\nx\ndone\nsay late\n";

    (void)state;
    /* However it is cut, the same comes out. */
    for (size_t cut = 1; cut < sizeof(said); cut++) {
        struct lab_channel c = {
            .say = on_say, .error = on_error, .file = on_file};

        heard[0] = '\0';
        for (size_t at = 0; at < sizeof(said) - 1; at += cut)
            lab_channel_feed(&c, said + at,
                             at + cut < sizeof(said) ? cut
                                                     : sizeof(said) - 1 - at);
        assert_true(c.done);
        assert_string_equal(heard,
                            "S:upF:a:{\ndone\nsay no};E:b: noF:c:x;S:late");
        lab_channel_free(&c);
    }
}

static void test_channel_unfinished(void **state)
{
    static const char said[] = "file a 100\n{\ndone\n";
    struct lab_channel c = {.say = on_say, .error = on_error, .file = on_file};

    (void)state;
    heard[0] = '\0';
    lab_channel_feed(&c, said, sizeof(said) - 1);
    assert_false(c.done);
    assert_string_equal(heard, "");
    lab_channel_free(&c);
}

/* ---- The plan ---------------------------------------------------------- */

static struct bench_info benches[] = {
    {.note = {.name = "syscall", .suite = "micro", .flags = TM_BENCH_PAPER}},
    {.note = {.name = "rdmsr", .suite = "micro"}},
    {.note = {.name = "secret", .suite = "micro", .flags = TM_BENCH_HIDDEN}},
    {.note = {.name = "trace-fault", .suite = "paging"}},
    {.note = {.name = "tlb-chase", .suite = "paging"}},
    {.note = {.name = "forkwait", .suite = "mixed"}},
};
static const struct image image = {.benches = {.v = benches, .count = 6}};

static void test_plan(void **state)
{
    struct lab_module v[] = {{.name = "kvm"}, {.name = "kvm_amd"}};
    const struct lab_modules modules = {v, 2};
    char *plan = lab_plan(&(struct lab_request){0}, &image, &modules);

    (void)state;
    assert_string_equal(plan,
                        "load /modules/kvm.ko\n"
                        "load /modules/kvm_amd.ko npt=1\n"
                        "run paper-nested -b kvm " LAB_BATCHES
                        " -t syscall,trace-fault,forkwait\n"
                        "unload kvm_amd\n"
                        "load /modules/kvm_amd.ko npt=0\n"
                        "run paper-shadow -b kvm " LAB_BATCHES
                        " -t syscall,trace-fault,forkwait\n"
                        "unload kvm_amd\n"
                        "load /modules/kvm_amd.ko npt=1\n"
                        "run micro-nested -b kvm " LAB_BATCHES " -t rdmsr\n"
                        "unload kvm_amd\n"
                        "load /modules/kvm_amd.ko npt=0\n"
                        "run micro-shadow -b kvm " LAB_BATCHES " -t rdmsr\n");
    free(plan);
}

static void test_passes(void **state)
{
    struct lab_request quick = {.quick = true}, chosen = {.benches = "a,b"};
    char *list = lab_list(&quick, &image, 0);

    (void)state;
    assert_string_equal(list, "syscall,trace-fault,forkwait");
    free(list);
    for (unsigned p = 1; p < LAB_PASSES; p++) {
        assert_null(lab_list(&quick, &image, p));
        assert_null(lab_list(&chosen, &image, p));
    }
    list = lab_list(&chosen, &image, 0);
    assert_string_equal(list, "a,b");
    free(list);
}

/* ---- The result -------------------------------------------------------- */

#define HOST(paging)                                                           \
    "\"host\":{\"kvm\":{\"module\":\"kvm_amd\",\"label\":\"KVM "               \
    "(kvm_amd: " paging ", emulated SVM (QEMU TCG))\",\"paging\":\"npt\","     \
    "\"ring0_ratio\":1.0},\"primitives\":{\"mprotect\":5.0}}"
#define RUN(bench, paging, events)                                             \
    "{\"suite\":\"micro\",\"bench\":\"" bench "\",\"backend\":\"kvm\","        \
    "\"paging\":\"" paging                                                     \
    "\",\"params\":{\"kvm-trace\":\"on\"},\"status\":\"ok\","                  \
    "\"events\":{" events "}}"

static const char parts_text[] = "[{" HOST(
    "NPT") ",\"config\":{\"benchmarks\":[\"in\",\"x\"],"
           "\"suites\":[]},\"warnings\":[{\"text\":\"w\"}],\"runs\":[" RUN(
               "in", "nested",
               "\"exit.total\":1.02,\"exit.interrupt\":0.02,"
               "\"exit.io\":1.0") "," RUN("x", "nested",
                                          "") "]},"
                                              "{" HOST(
                                                  "shadow paging") ",\"config\""
                                                                   ":{"
                                                                   "\"benchmark"
                                                                   "s\":[\"x\","
                                                                   "\"y\"],"
                                                                   "\"suites\":"
                                                                   "[]},"
                                                                   "\"warnings"
                                                                   "\":[{"
                                                                   "\"text\":"
                                                                   "\"w\"}],"
                                                                   "\"runs\":"
                                                                   "[" RUN(
                                                                       "x",
                                                                       "sha"
                                                                       "do"
                                                                       "w",
                                                                       "\"e"
                                                                       "xit"
                                                                       ".to"
                                                                       "tal"
                                                                       "\":"
                                                                       "3."
                                                                       "25,"
                                                                       "\"e"
                                                                       "xit"
                                                                       ".cr"
                                                                       "\":"
                                                                       "1."
                                                                       "0,"
                                                                       "\"e"
                                                                       "xit"
                                                                       ".pf"
                                                                       "\":"
                                                                       "2."
                                                                       "25,"
                                                                       "\"e"
                                                                       "xit"
                                                                       ".em"
                                                                       "ula"
                                                                       "ted"
                                                                       "\":"
                                                                       "1."
                                                                       "0,"
                                                                       "\"f"
                                                                       "aul"
                                                                       "t."
                                                                       "tra"
                                                                       "ce"
                                                                       "\":"
                                                                       "2."
                                                                       "25,"
                                                                       "\"s"
                                                                       "had"
                                                                       "ow."
                                                                       "uns"
                                                                       "ync"
                                                                       "\":"
                                                                       "1."
                                                                       "0") "," RUN("in",
                                                                                    "nested",
                                                                                    "\"exit.total\":7.0") "]}]";

static json_t *merged(void)
{
    json_t *parts = json_loads(parts_text, 0, NULL), *file;

    assert_non_null(parts);
    file = lab_merge(parts, "trapmark lab");
    json_decref(parts);
    return file;
}

static void test_merge(void **state)
{
    json_t *file = merged(), *host = json_object_get(file, RF_HOST);
    json_t *kvm = json_object_get(host, RF_KVM);
    json_t *config = json_object_get(file, RF_CONFIG);

    (void)state;
    /* in under nested came twice, the first time counts. */
    assert_int_equal(json_array_size(json_object_get(file, RF_RUNS)), 3);
    assert_int_equal(json_array_size(json_object_get(file, RF_WARNINGS)), 1);
    assert_int_equal(json_array_size(json_object_get(config, RF_BENCHMARKS)),
                     3);
    assert_string_equal(result_text(config, RF_COMMAND), "trapmark lab");
    assert_string_equal(result_text(kvm, RF_LABEL),
                        "KVM (kvm_amd: NPT or shadow paging, emulated SVM "
                        "(QEMU TCG))");
    assert_null(json_object_get(kvm, RF_PAGING));
    assert_null(json_object_get(host, RF_PRIMITIVES));
    json_decref(file);
}

static void test_exits(void **state)
{
    json_t *file = merged();
    struct exits e;

    (void)state;
    exits_collect(&e, file);
    assert_int_equal(e.ncolumns, 2);
    assert_string_equal(e.columns[0], "nested");
    assert_string_equal(e.columns[1], "shadow");
    assert_int_equal(e.nlines, 2);
    assert_string_equal(e.lines[0].bench, "in");
    assert_string_equal(e.lines[0].cell[0], "io 1");
    assert_null(e.lines[0].cell[1]);
    assert_string_equal(e.lines[1].bench, "x");
    assert_string_equal(e.lines[1].cell[0], "0");
    assert_string_equal(e.lines[1].cell[1], "3.25: cr 1, pf 2.25");
    assert_string_equal(e.lines[1].work, "trace 2.25; unsync 1");
    assert_true(e.unsync);
    exits_free(&e);
    /* Other hosts' KVM has no exits of VT-x or SVM to show. */
    json_object_set_new(json_object_get(json_object_get(file, RF_HOST), RF_KVM),
                        RF_MODULE, json_string("kvm_pvm"));
    exits_collect(&e, file);
    assert_int_equal(e.nlines, 0);
    exits_free(&e);
    json_decref(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modinfo),
        cmocka_unit_test(test_module_order),
        cmocka_unit_test(test_channel),
        cmocka_unit_test(test_channel_unfinished),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_exits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
