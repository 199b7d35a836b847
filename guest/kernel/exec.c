/* Loads a user program: static ELF64 from the initrd. */
#include "kernel.h"

struct elf64_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf64_header) == 64, "ELF64");

struct elf64_phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf64_phdr) == 56, "ELF64");

#define ET_EXEC 2
#define ET_DYN 3
#define EM_X86_64 62
#define PT_LOAD 1
#define PT_INTERP 3
#define PF_X 1
#define PF_W 2

static bool header_ok(const struct elf64_header *h, uint64_t size)
{
    return size >= sizeof(*h) && !memcmp(h->ident, "\177ELF\2\1", 6) &&
           (h->type == ET_EXEC || h->type == ET_DYN) &&
           h->machine == EM_X86_64 &&
           h->phentsize == sizeof(struct elf64_phdr) && h->phoff <= size &&
           h->phnum <= (size - h->phoff) / sizeof(struct elf64_phdr);
}

static int map_segment(struct mm *mm, const struct elf64_phdr *ph,
                       const struct phys_range *file, uint64_t base)
{
    uint64_t in_page = ph->vaddr % PAGE_SIZE, size = file->end - file->start;
    struct vma v = {.start = base + ph->vaddr - in_page};

    if (ph->filesz > ph->memsz || ph->offset > size ||
        ph->filesz > size - ph->offset || ph->offset < in_page ||
        ph->vaddr > TM_USER_END || ph->memsz > TM_USER_END)
        return -TM_ENOEXEC;
    v.end = (base + ph->vaddr + ph->memsz + PAGE_SIZE - 1) & PAGE_MASK;
    v.file_pa = file->start + ph->offset - in_page;
    v.file_len = ph->filesz ? ph->filesz + in_page : 0;
    v.flags =
        (ph->flags & PF_W ? VMA_WRITE : 0) | (ph->flags & PF_X ? VMA_EXEC : 0);
    if (v.end > mm->brk_start)
        mm->brk_start = mm->brk = v.end;
    return mm_add(mm, &v);
}

static int map_segments(struct mm *mm, const struct elf64_header *h,
                        const struct phys_range *file, uint64_t base)
{
    const struct elf64_phdr *ph = (const void *)((const char *)h + h->phoff);

    for (unsigned i = 0; i < h->phnum; i++) {
        int err;

        if (ph[i].type == PT_INTERP)
            return -TM_ENOEXEC;
        if (ph[i].type != PT_LOAD || !ph[i].memsz)
            continue;
        err = map_segment(mm, &ph[i], file, base);
        if (err)
            return err == -TM_ENOMEM ? err : -TM_ENOEXEC;
    }
    return 0;
}

/* Maps the stack and writes the argument string at its top; *sp is below. */
static int map_stack(struct mm *mm, const char *args, uint64_t *sp)
{
    const struct vma stack = {.start = USER_STACK_TOP - USER_STACK_SIZE,
                              .end = USER_STACK_TOP,
                              .flags = VMA_WRITE | VMA_ANON};
    uint64_t n = strlen(args) + 1, top = USER_STACK_TOP - PAGE_SIZE;
    int err = mm_add(mm, &stack);

    _Static_assert(ARGS_MAX <= PAGE_SIZE, "arguments fit in one page");
    if (!err)
        err = mm_fault(mm, top, true, false);
    if (err)
        return err;
    *sp = (USER_STACK_TOP - n) & ~15ull;
    memcpy((char *)phys_to_virt(*mm_leaf(mm, top, false) & PTE_ADDR) +
               *sp % PAGE_SIZE,
           args, n);
    return 0;
}

int exec_load(struct mm *mm, const char *name, const char *args,
              struct trapframe *tf)
{
    char path[PROC_NAME_MAX + 8];
    const struct elf64_header *h;
    struct phys_range file;
    uint64_t base, sp = 0;
    int err;

    fmt_snprintf(path, sizeof(path), "bin/%s", name);
    err = initrd_find(path, &file);
    if (err)
        return err;
    h = phys_to_virt(file.start);
    if (!header_ok(h, file.end - file.start))
        return -TM_ENOEXEC;
    err = mm_create(mm);
    if (err)
        return err;
    base = h->type == ET_DYN ? USER_PIE_BASE : 0;
    err = map_segments(mm, h, &file, base);
    if (!err)
        err = map_stack(mm, args, &sp);
    if (err) {
        mm_destroy(mm);
        return err;
    }
    memset(tf, 0, sizeof(*tf));
    tf->rip = base + h->entry;
    tf->cs = USER_CS;
    tf->ss = USER_SS;
    tf->rflags = RFLAGS_ONE | RFLAGS_IF;
    tf->rsp = sp;
    tf->rdi = sp;
    return 0;
}
