/* Foreign VMMs and native programs: command lines, the disk image. */
#include "backends/foreign/argv.h"
#include "backends/foreign/foreign.h"
#include "guest/abi/abi.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char **command(const char *backend, const struct foreign_job *job)
{
    const struct backend *b = backend_find(backend);
    char why[REASON_MAX] = "";
    char **argv;

    assert_non_null(b);
    argv = b->command(job, why);
    if (!argv)
        fail_msg("%s", why);
    return argv;
}

/* The argument after an option; NULL where the option is absent. */
static const char *option(char **argv, const char *name)
{
    for (; argv[0] && argv[1]; argv++)
        if (!strcmp(argv[0], name))
            return argv[1];
    return NULL;
}

static void test_odd_paths_stay_whole(void **state)
{
    const struct foreign_job job = {
        .kernel = "/a dir/ker,nel=\"1\".elf",
        .initrd = "/tmp/it's,here.cpio",
        .cmdline = "bench=in,out samples=3 tsc_khz=2445000",
        .disk = "/x,y/disk image,format=qcow2",
        .ram_size = 256u << 20,
    };
    char **argv = command("qemu-tcg", &job);

    (void)state;
    assert_string_equal(argv[0], "qemu-system-x86_64");
    assert_string_equal(option(argv, "-kernel"), job.kernel);
    assert_string_equal(option(argv, "-initrd"), job.initrd);
    assert_string_equal(option(argv, "-append"), job.cmdline);
    assert_string_equal(option(argv, "-m"), "256M");
    /* Here a single comma would begin another option. */
    assert_string_equal(option(argv, "-drive"),
                        "if=none,id=disk,format=raw,"
                        "file=/x,,y/disk image,,format=qcow2");
    argv_free(argv);
}

static void test_optional_parts(void **state)
{
    const struct foreign_job job = {.kernel = "/k", .cmdline = "bench=in"};
    char **argv = command("qemu-tcg", &job);

    (void)state;
    assert_null(option(argv, "-initrd"));
    assert_null(option(argv, "-drive"));
    assert_string_equal(option(argv, "-m"), "128M");
    argv_free(argv);
}

static void test_accelerators_differ(void **state)
{
    const struct foreign_job job = {.kernel = "/k", .cmdline = ""};
    char **tcg = command("qemu-tcg", &job), **kvm = command("qemu-kvm", &job);

    (void)state;
    assert_string_equal(option(tcg, "-accel"), "tcg,thread=single");
    assert_string_equal(option(kvm, "-accel"), "kvm");
    argv_free(tcg);
    argv_free(kvm);
}

static void test_native_command(void **state)
{
    char dir[] = "/tmp/trapmark test XXXXXX", path[64], why[REASON_MAX] = "";
    struct foreign_job job = {.cmdline = "bench=sort samples=2",
                              .bench = "sort"};
    const struct backend *native = backend_find("native");
    char **argv;
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    job.native_dir = dir;
    assert_null(native->command(&job, why)); /* no such program yet */
    assert_non_null(strstr(why, "sort"));
    snprintf(path, sizeof(path), "%s/sort", dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(chmod(path, 0700), 0);
    argv = native->command(&job, why);
    unlink(path);
    rmdir(dir);
    assert_non_null(argv);
    assert_string_equal(argv[0], path);
    assert_string_equal(argv[1], job.cmdline);
    assert_null(argv[2]);
    argv_free(argv);
}

static void test_disk_image(void **state)
{
    char dir[] = "/tmp/trapmark-disk-XXXXXX", path[64], why[REASON_MAX] = "";
    const uint64_t block = 4095, word = 511; /* the last of 16 MiB */
    struct stat st;
    uint64_t value;
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/d", dir);
    assert_int_equal(disk_write_image(path, why), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, TM_DISK_MIN);
    f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, block * 4096 + word * 8, SEEK_SET), 0);
    assert_int_equal(fread(&value, 8, 1, f), 1);
    fclose(f);
    assert_int_equal(value, tm_disk_word(block, word));
    /* A larger file keeps its size. */
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(truncate(path, 2 * TM_DISK_MIN), 0);
    assert_int_equal(disk_write_image(path, why), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 2 * TM_DISK_MIN);
    f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(&value, 8, 1, f), 1);
    fclose(f);
    assert_int_equal(value, tm_disk_word(0, 0));
    unlink(path);
    rmdir(dir);
    assert_int_equal(disk_write_image(path, why), -ENOENT);
    assert_non_null(strstr(why, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_odd_paths_stay_whole),
        cmocka_unit_test(test_optional_parts),
        cmocka_unit_test(test_accelerators_differ),
        cmocka_unit_test(test_native_command),
        cmocka_unit_test(test_disk_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
