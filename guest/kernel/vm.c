/* User address spaces: areas, demand paging, copy-on-write fork. */
#include "kernel.h"

static uint64_t *table_ptr(uint64_t entry)
{
    return phys_to_virt(entry & PTE_ADDR);
}

static uint64_t table_alloc(struct mm *mm)
{
    uint64_t pa = page_alloc_zero();

    if (pa)
        page_list_push(&mm->tables, pa);
    return pa;
}

int mm_create(struct mm *mm)
{
    const uint64_t *kernel = phys_to_virt(boot_info.kernel_root);
    const uint64_t shared[] = {boot_info.kernel_offset, boot_info.direct_base,
                               boot_info.mmio_base};
    uint64_t *top;

    memset(mm, 0, offsetof(struct mm, vmas));
    mm->root = table_alloc(mm);
    if (!mm->root)
        return -TM_ENOMEM;
    top = phys_to_virt(mm->root);
    for (unsigned i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
        top[shared[i] >> 39 & 511] = kernel[shared[i] >> 39 & 511];
    return 0;
}

uint64_t *mm_leaf(struct mm *mm, uint64_t va, bool alloc)
{
    uint64_t *table = phys_to_virt(mm->root);

    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t *entry = &table[va >> shift & 511];

        if (!(*entry & PTE_P)) {
            uint64_t pa = alloc ? table_alloc(mm) : 0;

            if (!pa)
                return NULL;
            *entry = pa | PTE_P | PTE_W | PTE_U | PTE_A;
        }
        if (*entry & PTE_PS)
            return NULL;
        table = table_ptr(*entry);
    }
    return &table[va >> 12 & 511];
}

/* The next address at or after va that has a leaf table, with its leaf entry;
 * NULL where [va, end) has none. */
static uint64_t *next_leaf(struct mm *mm, uint64_t *va, uint64_t end)
{
    while (*va < end) {
        uint64_t *leaf = mm_leaf(mm, *va, false);

        if (leaf)
            return leaf;
        *va = (*va | (LARGE_PAGE - 1)) + 1;
    }
    return NULL;
}

static bool last_in_table(uint64_t va)
{
    return (va >> 12 & 511) == 511;
}

/* mm is the live address space. */
static void unmap_range(struct mm *mm, uint64_t start, uint64_t end)
{
    for (uint64_t va = start; va < end;) {
        uint64_t *leaf = next_leaf(mm, &va, end);

        for (bool last = !leaf; !last && va < end; va += PAGE_SIZE, leaf++) {
            last = last_in_table(va);
            if (!(*leaf & PTE_P))
                continue;
            page_unref(*leaf & PTE_ADDR);
            *leaf = 0;
            invlpg((const void *)va);
        }
    }
}

void mm_destroy(struct mm *mm)
{
    uint64_t pa;

    for (unsigned i = 0; i < mm->count; i++) {
        uint64_t end = mm->vmas[i].end;

        for (uint64_t va = mm->vmas[i].start; va < end;) {
            uint64_t *leaf = next_leaf(mm, &va, end);

            for (bool last = !leaf; !last && va < end;
                 va += PAGE_SIZE, leaf++) {
                last = last_in_table(va);
                if (*leaf & PTE_P)
                    page_unref(*leaf & PTE_ADDR);
            }
        }
    }
    while ((pa = page_list_pop(&mm->tables)))
        page_unref(pa);
    mm->count = 0;
}

/* Shares one area's pages with the copy, write-protected in both unless they
 * are to stay in common. */
static int fork_area(struct mm *mm, struct mm *copy, const struct vma *vma)
{
    for (uint64_t va = vma->start; va < vma->end;) {
        uint64_t *from = next_leaf(mm, &va, vma->end);
        uint64_t *to = NULL;

        for (bool last = !from; !last && va < vma->end;
             va += PAGE_SIZE, from++) {
            last = last_in_table(va);
            if (to)
                to++;
            if (!(*from & PTE_P))
                continue;
            if (!to)
                to = mm_leaf(copy, va, true);
            if (!to)
                return -TM_ENOMEM;
            if ((*from & PTE_W) && !(vma->flags & VMA_SHARED))
                *from &= ~PTE_W;
            page_ref(*from & PTE_ADDR);
            *to = *from;
        }
    }
    return 0;
}

int mm_fork(struct mm *mm, struct mm *copy)
{
    int err = mm_create(copy);

    if (err)
        return err;
    memcpy(copy->vmas, mm->vmas, mm->count * sizeof(mm->vmas[0]));
    copy->count = mm->count;
    copy->brk_start = mm->brk_start;
    copy->brk = mm->brk;
    for (unsigned i = 0; i < mm->count && !err; i++)
        err = fork_area(mm, copy, &mm->vmas[i]);
    write_cr3(mm->root); /* the write permissions taken away */
    if (err)
        mm_destroy(copy);
    return err;
}

/* ---- Areas -------------------------------------------------------------- */

static struct vma *find_area(struct mm *mm, uint64_t va)
{
    for (unsigned i = 0; i < mm->count; i++)
        if (va < mm->vmas[i].end)
            return va >= mm->vmas[i].start ? &mm->vmas[i] : NULL;
    return NULL;
}

static void delete_area(struct mm *mm, unsigned i)
{
    mm->count--;
    memmove(&mm->vmas[i], &mm->vmas[i + 1],
            (mm->count - i) * sizeof(mm->vmas[0]));
}

int mm_add(struct mm *mm, const struct vma *vma)
{
    unsigned i = 0;

    if (vma->start < TM_USER_START || vma->end > TM_USER_END ||
        vma->start >= vma->end)
        return -TM_EINVAL;
    while (i < mm->count && mm->vmas[i].end <= vma->start)
        i++;
    if (i < mm->count && mm->vmas[i].start < vma->end)
        return -TM_EINVAL;
    if (mm->count == VMA_MAX)
        return -TM_ENOMEM;
    memmove(&mm->vmas[i + 1], &mm->vmas[i],
            (mm->count - i) * sizeof(mm->vmas[0]));
    mm->vmas[i] = *vma;
    mm->count++;
    return 0;
}

/* Cuts [start, end) out of area i; false where the table is full. */
static bool cut_area(struct mm *mm, unsigned i, uint64_t start, uint64_t end)
{
    struct vma *v = &mm->vmas[i];
    struct vma tail = *v;
    uint64_t skip = end - v->start;

    tail.start = end;
    tail.file_pa += skip;
    tail.file_len = v->file_len > skip ? v->file_len - skip : 0;
    if (start <= v->start && end >= v->end) {
        delete_area(mm, i);
        return true;
    }
    if (start <= v->start) {
        *v = tail;
        return true;
    }
    if (end < v->end && mm->count == VMA_MAX)
        return false;
    v->end = start;
    return tail.start >= tail.end || !mm_add(mm, &tail);
}

int mm_remove(struct mm *mm, uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < mm->count;) {
        uint64_t from = mm->vmas[i].start, to = mm->vmas[i].end;
        unsigned before = mm->count;

        if (from >= end)
            break;
        if (to <= start) {
            i++;
            continue;
        }
        from = from > start ? from : start;
        to = to < end ? to : end;
        if (!cut_area(mm, i, from, to))
            return -TM_ENOMEM;
        unmap_range(mm, from, to);
        if (mm->count >= before)
            i++;
    }
    return 0;
}

static uint64_t leaf_flags(const struct vma *v, bool writable)
{
    return PTE_P | PTE_U | PTE_A | (writable ? PTE_W | PTE_D : 0) |
           (boot_info.nx && !(v->flags & VMA_EXEC) ? PTE_NX : 0);
}

/* A fork copies what is present: all of a shared area must be. */
static int populate(struct mm *mm, const struct vma *v)
{
    for (uint64_t va = v->start; va < v->end; va += PAGE_SIZE) {
        uint64_t *leaf = mm_leaf(mm, va, true);
        uint64_t pa = leaf ? page_alloc_zero() : 0;

        if (!pa)
            return -TM_ENOMEM;
        *leaf = pa | leaf_flags(v, true);
    }
    return 0;
}

int64_t mm_map_anon(struct mm *mm, uint64_t len, bool shared)
{
    struct vma new = {.start = USER_MMAP_START,
                      .flags =
                          VMA_WRITE | VMA_ANON | (shared ? VMA_SHARED : 0)};
    struct vma *before = NULL;
    int err;

    if (!len || len > TM_USER_END - USER_MMAP_START)
        return -TM_EINVAL;
    len = (len + PAGE_SIZE - 1) & PAGE_MASK;
    for (unsigned i = 0; i < mm->count; i++) {
        struct vma *v = &mm->vmas[i];

        if (v->end <= USER_MMAP_START)
            continue;
        if (v->start >= new.start && v->start - new.start >= len)
            break;
        new.start = v->end;
        before = v;
    }
    if (len > TM_USER_END - new.start)
        return -TM_ENOMEM;
    new.end = new.start + len;
    if (before && !shared && before->end == new.start &&
        before->flags == new.flags) {
        before->end = new.end;
        return (int64_t) new.start;
    }
    err = mm_add(mm, &new);
    if (!err && shared)
        err = populate(mm, &new);
    if (err == -TM_ENOMEM && shared)
        mm_remove(mm, new.start, new.end);
    return err ? err : (int64_t) new.start;
}

int64_t mm_brk(struct mm *mm, uint64_t brk)
{
    uint64_t old = (mm->brk + PAGE_SIZE - 1) & PAGE_MASK;
    uint64_t new = (brk + PAGE_SIZE - 1) & PAGE_MASK;
    struct vma area = {.start = old, .flags = VMA_WRITE | VMA_ANON};
    struct vma *heap;
    int err = 0;

    if (!brk)
        return (int64_t)mm->brk;
    /* An unmapped page stays between the heap and the stack. */
    if (brk < mm->brk_start ||
        brk > USER_STACK_TOP - USER_STACK_SIZE - PAGE_SIZE)
        return -TM_EINVAL;
    heap = old > mm->brk_start ? find_area(mm, old - 1) : NULL;
    area.end = new;
    if (new < old)
        err = mm_remove(mm, new, old);
    else if (new > old && heap)
        heap->end = new;
    else if (new > old)
        err = mm_add(mm, &area);
    if (err)
        return err;
    mm->brk = brk;
    return (int64_t)brk;
}

/* ---- Protection --------------------------------------------------------- */

/* More pages than this, and reloading CR3 is the cheaper flush. */
#define FLUSH_PAGES 32

static bool all_anon(struct mm *mm, uint64_t start, uint64_t end)
{
    while (start < end) {
        const struct vma *v = find_area(mm, start);

        if (!v || !(v->flags & VMA_ANON))
            return false;
        start = v->end;
    }
    return true;
}

/* Makes va a border between areas, if it lies inside one. */
static void split_area(struct mm *mm, uint64_t va)
{
    struct vma *v = find_area(mm, va), tail;

    if (!v || v->start == va)
        return;
    tail = *v;
    tail.start = va;
    v->end = va;
    mm_add(mm, &tail); /* there is room: the caller made sure */
}

/* Joins the anonymous areas that meet at va, where they are alike. */
static void join_areas(struct mm *mm, uint64_t va)
{
    struct vma *v = find_area(mm, va);

    if (!v || v->start != va || v == mm->vmas || v[-1].end != va ||
        v[-1].flags != v->flags || !(v->flags & VMA_ANON))
        return;
    v[-1].end = v->end;
    delete_area(mm, (unsigned)(v - mm->vmas));
}

/* A page of several owners waits for the write, to be copied then. */
static uint64_t protected_leaf(const struct vma *v, uint64_t pa)
{
    bool own = (v->flags & VMA_SHARED) || page_exclusive(pa);

    return pa | leaf_flags(v, (v->flags & VMA_WRITE) && own);
}

/* The entries of what is present in the area. */
static void protect_leaves(struct mm *mm, const struct vma *v)
{
    bool many = (v->end - v->start) / PAGE_SIZE > FLUSH_PAGES, less = false;

    for (uint64_t va = v->start; va < v->end;) {
        uint64_t *leaf = next_leaf(mm, &va, v->end);

        for (bool last = !leaf; !last && va < v->end; va += PAGE_SIZE, leaf++) {
            uint64_t old = *leaf, new;

            last = last_in_table(va);
            if (!(old & PTE_P))
                continue;
            new = protected_leaf(v, old & PTE_ADDR);
            if (new == old)
                continue;
            *leaf = new;
            if (!(old & PTE_W & ~new) && !(new &PTE_NX & ~old))
                continue;
            less = true;
            if (!many)
                invlpg((const void *)va);
        }
    }
    if (less && many)
        write_cr3(mm->root);
}

int mm_protect(struct mm *mm, uint64_t start, uint64_t end, unsigned flags)
{
    struct vma *v;

    if (!all_anon(mm, start, end))
        return -TM_EINVAL;
    if (mm->count + 2 > VMA_MAX)
        return -TM_ENOMEM;
    split_area(mm, start);
    split_area(mm, end);
    for (v = find_area(mm, start); v < mm->vmas + mm->count && v->start < end;
         v++) {
        v->flags = (v->flags & ~(VMA_WRITE | VMA_EXEC)) | flags;
        protect_leaves(mm, v);
    }
    while ((v = find_area(mm, start)) && v->end < end) {
        uint64_t border = v->end;
        unsigned before = mm->count;

        join_areas(mm, border);
        if (mm->count == before)
            break;
    }
    join_areas(mm, end);
    join_areas(mm, start);
    return 0;
}

/* ---- Faults ------------------------------------------------------------- */

/* A page of the area's contents. *shared: it is the initrd's own page. */
static uint64_t page_in(const struct vma *v, uint64_t va, bool write,
                        bool *shared)
{
    uint64_t offset = va - v->start, src = v->file_pa + offset, left, pa;
    uint8_t *dst;

    *shared = false;
    if ((v->flags & VMA_ANON) || offset >= v->file_len)
        return page_alloc_zero();
    left = v->file_len - offset;
    /* What follows a read-only segment in the file may be seen; in a writable
     * one zeros must follow. */
    if (!(src % PAGE_SIZE) && !write &&
        (left >= PAGE_SIZE || !(v->flags & VMA_WRITE)) &&
        src + PAGE_SIZE <= boot_info.initrd.end) {
        *shared = true;
        return src;
    }
    pa = page_alloc();
    if (!pa)
        return 0;
    if (left > PAGE_SIZE)
        left = PAGE_SIZE;
    dst = phys_to_virt(pa);
    memcpy(dst, phys_to_virt(src), left);
    memset(dst + left, 0, PAGE_SIZE - left);
    return pa;
}

/* A write to a present, protected page of a writable area. */
static int break_cow(const struct vma *v, uint64_t va, uint64_t *leaf)
{
    uint64_t old = *leaf & PTE_ADDR, pa = old;

    if (!(v->flags & VMA_SHARED) && !page_exclusive(old)) {
        pa = page_alloc();
        if (!pa)
            return -TM_ENOMEM;
        memcpy(phys_to_virt(pa), phys_to_virt(old), PAGE_SIZE);
    }
    *leaf = pa | leaf_flags(v, true);
    invlpg((const void *)va);
    if (pa != old)
        page_unref(old);
    return 0;
}

int mm_fault(struct mm *mm, uint64_t va, bool write, bool exec)
{
    const struct vma *v;
    uint64_t *leaf, pa;
    bool shared;

    va &= PAGE_MASK;
    v = find_area(mm, va);
    if (!v || (write && !(v->flags & VMA_WRITE)) ||
        (exec && !(v->flags & VMA_EXEC)))
        return -TM_EFAULT;
    leaf = mm_leaf(mm, va, true);
    if (!leaf)
        return -TM_ENOMEM;
    if (*leaf & PTE_P) {
        if (write && !(*leaf & PTE_W))
            return break_cow(v, va, leaf);
        return 0;
    }
    pa = page_in(v, va, write, &shared);
    if (!pa)
        return -TM_ENOMEM;
    *leaf = pa | leaf_flags(v, (v->flags & VMA_WRITE) && !shared);
    return 0;
}

/* ---- User pointers ------------------------------------------------------ */

bool user_range_ok(uint64_t va, uint64_t len)
{
    return va >= TM_USER_START && va < TM_USER_END && len <= TM_USER_END - va;
}

int copy_from_user(void *dst, uint64_t src, uint64_t n)
{
    if (!user_range_ok(src, n))
        return -TM_EFAULT;
    return copy_guarded(dst, (const void *)src, n);
}

int copy_to_user(uint64_t dst, const void *src, uint64_t n)
{
    if (!user_range_ok(dst, n))
        return -TM_EFAULT;
    return copy_guarded((void *)dst, src, n);
}

int64_t copy_string_from_user(char *dst, uint64_t src, size_t size)
{
    size_t n = 0;

    /* A page at a time: what lies behind the string may be unmapped. */
    while (n < size) {
        uint64_t chunk = PAGE_SIZE - (src + n) % PAGE_SIZE;
        size_t end;
        int err;

        if (chunk > size - n)
            chunk = size - n;
        err = copy_from_user(dst + n, src + n, chunk);
        if (err)
            return err;
        for (end = n + chunk; n < end; n++)
            if (!dst[n])
                return (int64_t)n;
    }
    return -TM_E2BIG;
}
