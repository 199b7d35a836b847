/* The benchmark table, read from ELF notes without a boot. */
#include "notes.h"
#include "util.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is being read; passed down so that every message can say where. */
struct reader {
    struct bench_list *list;
    const uint8_t *data;
    size_t len;
    const char *what;
    bool user, abi_seen;
    char *why;
};

static bool inside(const struct reader *r, uint64_t offset, uint64_t size)
{
    return offset <= r->len && size <= r->len - offset;
}

/* NUL-terminated within size, printable; names also not empty and [a-z0-9-]. */
static bool text_ok(const char *text, size_t size, bool name)
{
    size_t len = strnlen(text, size);

    if (len == size || (name && !len))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = text[i];

        if (name ? !(islower(c) || isdigit(c) || c == '-') : !isprint(c))
            return false;
    }
    return true;
}

static int add_bench(struct reader *r, const uint8_t *desc)
{
    struct bench_list *list = r->list;
    struct bench_info info = {.user = r->user};
    char wrong[REASON_MAX];

    memcpy(&info.note, desc, sizeof(info.note));
    if (!text_ok(info.note.name, sizeof(info.note.name), true) ||
        !text_ok(info.note.suite, sizeof(info.note.suite), true) ||
        !text_ok(info.note.op, sizeof(info.note.op), false) ||
        !text_ok(info.note.summary, sizeof(info.note.summary), false) ||
        !text_ok(info.note.grid, sizeof(info.note.grid), false))
        return fail_why(r->why, -EINVAL, "%s: malformed benchmark note",
                        r->what);
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->v[i].note.name, info.note.name))
            return fail_why(r->why, -EINVAL, "%s: benchmark %s defined twice",
                            r->what, info.note.name);
    if (grid_parse(&info.grid, info.note.grid, wrong)) {
        grid_free(&info.grid);
        return fail_why(r->why, -EINVAL,
                        "%s: benchmark %s has a malformed grid: %.120s",
                        r->what, info.note.name, wrong);
    }
    list->v = xrealloc(list->v, (list->count + 1) * sizeof(*list->v));
    list->v[list->count++] = info;
    return 0;
}

static int take_note(struct reader *r, uint32_t type, const uint8_t *desc,
                     uint32_t size)
{
    uint32_t version;

    if (type == TM_NOTE_BENCH) {
        if (size != sizeof(struct tm_note_bench))
            return fail_why(r->why, -EINVAL,
                            "%s: a benchmark note of %u bytes, expected %zu",
                            r->what, size, sizeof(struct tm_note_bench));
        return add_bench(r, desc);
    }
    if (type != TM_NOTE_ABI)
        return 0;
    if (size != sizeof(version))
        return fail_why(r->why, -EINVAL, "%s: malformed ABI note", r->what);
    memcpy(&version, desc, sizeof(version));
    if (version != TM_ABI_VERSION)
        return fail_why(r->why, -EINVAL,
                        "%s: speaks ABI version %u, this program speaks %u",
                        r->what, version, TM_ABI_VERSION);
    r->abi_seen = true;
    return 0;
}

/* One segment or section of notes: headers, names and descriptors are each
 * padded to 4 bytes. */
static int read_notes(struct reader *r, uint64_t offset, uint64_t size)
{
    const uint8_t *p, *end;
    Elf64_Nhdr n;

    if (!inside(r, offset, size))
        return fail_why(r->why, -EINVAL,
                        "%s: truncated: notes end at byte %llu, "
                        "the file at %zu",
                        r->what, (unsigned long long)(offset + size), r->len);
    p = r->data + offset;
    end = p + size;
    while ((size_t)(end - p) >= sizeof(n)) {
        uint64_t name_room, desc_room;
        int err = 0;

        memcpy(&n, p, sizeof(n));
        p += sizeof(n);
        name_room = ((uint64_t)n.n_namesz + 3) & ~3ull;
        desc_room = ((uint64_t)n.n_descsz + 3) & ~3ull;
        if (name_room + n.n_descsz > (uint64_t)(end - p))
            return fail_why(r->why, -EINVAL, "%s: a note runs past its segment",
                            r->what);
        if (n.n_namesz == sizeof(TM_NOTE_NAME) &&
            !memcmp(p, TM_NOTE_NAME, sizeof(TM_NOTE_NAME)))
            err = take_note(r, n.n_type, p + name_room, n.n_descsz);
        if (err)
            return err;
        if (name_room + desc_room > (uint64_t)(end - p))
            break;
        p += name_room + desc_room;
    }
    return 0;
}

static int read_segments(struct reader *r, const Elf64_Ehdr *eh)
{
    for (unsigned i = 0; i < eh->e_phnum; i++) {
        uint64_t at = eh->e_phoff + (uint64_t)i * sizeof(Elf64_Phdr);
        Elf64_Phdr ph;
        int err;

        if (!inside(r, at, sizeof(ph)))
            return fail_why(r->why, -EINVAL,
                            "%s: truncated in the program headers", r->what);
        memcpy(&ph, r->data + at, sizeof(ph));
        if (ph.p_type == PT_LOAD && !inside(r, ph.p_offset, ph.p_filesz))
            return fail_why(r->why, -EINVAL,
                            "%s: truncated: segment %u ends at byte %llu, the "
                            "file at %zu",
                            r->what, i,
                            (unsigned long long)(ph.p_offset + ph.p_filesz),
                            r->len);
        if (ph.p_type != PT_NOTE)
            continue;
        err = read_notes(r, ph.p_offset, ph.p_filesz);
        if (err)
            return err;
    }
    return 0;
}

int notes_read_elf(struct bench_list *list, const void *elf, size_t len,
                   bool user, const char *what, char why[REASON_MAX])
{
    struct reader r = {list, elf, len, what, user, false, why};
    Elf64_Ehdr eh;
    int err;

    if (len < SELFMAG || memcmp(elf, ELFMAG, SELFMAG))
        return fail_why(why, -EINVAL, "%s: not an ELF file", what);
    if (len < sizeof(eh))
        return fail_why(why, -EINVAL, "%s: truncated in the ELF header", what);
    memcpy(&eh, elf, sizeof(eh));
    if (eh.e_ident[EI_CLASS] != ELFCLASS64 ||
        eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64)
        return fail_why(why, -EINVAL, "%s: not an x86-64 ELF file", what);
    if (eh.e_phnum && eh.e_phentsize != sizeof(Elf64_Phdr))
        return fail_why(why, -EINVAL, "%s: program headers of %u bytes", what,
                        eh.e_phentsize);
    err = read_segments(&r, &eh);
    if (err)
        return err;
    if (!r.abi_seen)
        return fail_why(why, -EINVAL,
                        "%s: no Trapmark ABI note: not a guest "
                        "image",
                        what);
    return 0;
}

/* The newc header: 6 bytes of magic, then 13 fields of 8 hex digits. */
#define NEWC_HEADER 110
enum { NEWC_FILESIZE = 6, NEWC_NAMESIZE = 11 };

static bool newc_field(const uint8_t *header, int field, uint64_t *value)
{
    char digits[9] = "";

    memcpy(digits, header + 6 + field * 8, 8);
    for (int i = 0; i < 8; i++)
        if (!isxdigit((unsigned char)digits[i]))
            return false;
    *value = strtoul(digits, NULL, 16);
    return true;
}

int notes_read_initrd(struct bench_list *list, const void *cpio, size_t len,
                      const char *what, char why[REASON_MAX])
{
    struct reader r = {.data = cpio, .len = len};
    uint64_t at = 0, name_size, file_size;

    for (;;) {
        const uint8_t *h = r.data + at;
        const char *name = (const char *)h + NEWC_HEADER;
        uint64_t data;
        char *label;
        int err;

        if (!inside(&r, at, NEWC_HEADER))
            return fail_why(why, -EINVAL, "%s: %s", what,
                            at ? "truncated cpio archive"
                               : "not a newc cpio "
                                 "archive");
        if (memcmp(h, "070701", 6) ||
            !newc_field(h, NEWC_NAMESIZE, &name_size) ||
            !newc_field(h, NEWC_FILESIZE, &file_size))
            return fail_why(why, -EINVAL,
                            "%s: not a newc cpio archive (byte %llu)", what,
                            (unsigned long long)at);
        data = (at + NEWC_HEADER + name_size + 3) & ~3ull;
        if (!name_size || !inside(&r, at + NEWC_HEADER, name_size) ||
            !inside(&r, data, file_size) || name[name_size - 1])
            return fail_why(why, -EINVAL, "%s: truncated cpio archive", what);
        if (!strcmp(name, "TRAILER!!!"))
            return 0;
        if (!strncmp(name, "bin/", 4)) {
            label = xformat("%s: %s", what, name);
            err = notes_read_elf(list, r.data + data, file_size, true, label,
                                 why);
            free(label);
            if (err)
                return err;
        }
        at = (data + file_size + 3) & ~3ull;
    }
}

void bench_list_free(struct bench_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        grid_free(&list->v[i].grid);
    free(list->v);
    list->v = NULL;
    list->count = 0;
}
