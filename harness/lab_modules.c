/* Kernel modules and what they depend on, from the modules themselves: a
 * package's modules.dep is only made when it is installed. */
#include "lab.h"
#include "util.h"

#include <elf.h>
#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

/* .modinfo holds key=value strings, each ended by NULs. */
const char *lab_modinfo(const char *data, size_t len, const char *key)
{
    const Elf64_Ehdr *e = (const void *)data;
    const Elf64_Shdr *sections, *names;
    size_t key_len = strlen(key);

    if (len < sizeof(*e) || memcmp(data, ELFMAG, SELFMAG) ||
        data[EI_CLASS] != ELFCLASS64 || e->e_shoff > len ||
        e->e_shnum * sizeof(*sections) > len - e->e_shoff ||
        e->e_shstrndx >= e->e_shnum)
        return NULL;
    sections = (const void *)(data + e->e_shoff);
    names = &sections[e->e_shstrndx];
    if (names->sh_offset > len || names->sh_size > len - names->sh_offset)
        return NULL;
    for (unsigned i = 0; i < e->e_shnum; i++) {
        const Elf64_Shdr *s = &sections[i];
        const char *p, *end;

        if (s->sh_name + sizeof(".modinfo") > names->sh_size ||
            strncmp(data + names->sh_offset + s->sh_name, ".modinfo",
                    sizeof(".modinfo")) ||
            s->sh_offset > len || s->sh_size > len - s->sh_offset)
            continue;
        p = data + s->sh_offset;
        end = p + s->sh_size;
        while (p < end) {
            size_t n = strnlen(p, end - p);

            if (p + n == end)
                return NULL; /* not ended */
            if (n > key_len && p[key_len] == '=' && !strncmp(p, key, key_len))
                return p + key_len + 1;
            p += n + 1;
        }
    }
    return NULL;
}

/* ---- Finding a file by its module's name ------------------------------- */

/* nftw passes no pointer of ours. */
static struct {
    const char *name;
    char *path;
} search;

/* In a module's name '-' and '_' are the same. */
static bool is_module(const char *file, const char *name)
{
    size_t n = strlen(name);

    if (strlen(file) != n + 3 || strcmp(file + n, ".ko"))
        return false;
    for (size_t i = 0; i < n; i++)
        if (file[i] != name[i] && !(file[i] == '-' && name[i] == '_'))
            return false;
    return true;
}

static int visit(const char *path, const struct stat *st, int type,
                 struct FTW *at)
{
    (void)st;
    if (type != FTW_F || !is_module(path + at->base, search.name))
        return 0;
    search.path = xstrdup(path);
    return 1;
}

static char *find_module(const char *dir, const char *name)
{
    search.name = name;
    search.path = NULL;
    nftw(dir, visit, 16, FTW_PHYS);
    return search.path;
}

static bool is_listed(const struct lab_modules *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++)
        if (!strcmp(m->v[i].name, name))
            return true;
    return false;
}

static int add_all(struct lab_modules *m, const char *dir, const char *names,
                   unsigned depth, char why[REASON_MAX]);

static int add_module(struct lab_modules *m, const char *dir, const char *name,
                      unsigned depth, char why[REASON_MAX])
{
    struct lab_module module = {0};
    const char *depends;
    char *path;
    int err = 0;

    if (is_listed(m, name))
        return 0;
    path = find_module(dir, name);
    if (!path)
        return fail_why(why, -ENOENT, "%s has no module %s", dir, name);
    module.data = file_read(path, &module.len, why);
    free(path);
    if (!module.data)
        return -EIO;
    depends = lab_modinfo(module.data, module.len, "depends");
    if (!depends)
        err = fail_why(why, -EINVAL, "module %s doesn't say what it depends on",
                       name);
    else
        err = add_all(m, dir, depends, depth + 1, why);
    if (err) {
        free(module.data);
        return err;
    }
    module.name = xstrdup(name);
    m->v = xrealloc(m->v, (m->count + 1) * sizeof(*m->v));
    m->v[m->count++] = module;
    return 0;
}

/* names: separated by commas, as in .modinfo. */
static int add_all(struct lab_modules *m, const char *dir, const char *names,
                   unsigned depth, char why[REASON_MAX])
{
    char *copy = xstrdup(names), *save = NULL;
    int err = 0;

    if (depth > 8)
        err = fail_why(why, -ELOOP, "modules in %s depend on themselves", dir);
    for (char *name = strtok_r(copy, ",", &save); name && !err;
         name = strtok_r(NULL, ",", &save)) {
        for (char *p = name; *p; p++)
            if (*p == '-')
                *p = '_';
        err = add_module(m, dir, name, depth, why);
    }
    free(copy);
    return err;
}

int lab_modules_find(struct lab_modules *m, const char *dir, const char *name,
                     char why[REASON_MAX])
{
    int err;

    memset(m, 0, sizeof(*m));
    err = add_all(m, dir, name, 0, why);
    if (err)
        lab_modules_free(m);
    return err;
}

void lab_modules_free(struct lab_modules *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->v[i].name);
        free(m->v[i].data);
    }
    free(m->v);
    memset(m, 0, sizeof(*m));
}
