/* The guest image: where its files are, what benchmarks it holds. */
#ifndef TM_IMAGE_H
#define TM_IMAGE_H

#include "notes.h"

struct image {
    char *kernel, *initrd; /* absolute */
    char *native_dir;      /* absolute; may not exist */
    /* By suite: micro, kcompute, paging, tradeoff, compute, io, mixed, others.
     */
    struct bench_list benches;
    uint64_t id; /* hash of kernel and initrd */
};

/* kernel and initrd: as given by the user, or NULL for the ones built with this
 * program: beside the executable, else where it was installed. 0; -ENOENT: no
 * image; -EINVAL: not a good one; why says what and where. */
int image_open(struct image *image, const char *kernel, const char *initrd,
               char why[REASON_MAX]);
void image_close(struct image *image);

/* Where a suite stands in tables; those that nobody knows come last, with
 * IMAGE_SUITES. */
#define IMAGE_SUITES 7
int image_suite_rank(const char *suite);

/* NULL: no such benchmark. */
const struct bench_info *image_find(const struct image *image,
                                    const char *name);

#endif
