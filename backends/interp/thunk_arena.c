/* The code arena of the thunks, and the signal handlers that guard it. */
#include "thunk_arena.h"

#include "../state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

/* The code lives in a memfd that is mapped twice: once to write, once to
 * execute, so that no page is ever both. It is sparse, and holds a million
 * distinct thunks. */
#define ARENA_SIZE (64u << 20)
#define ARENA_FIRST 16u /* what lies before it is fault_exit */

/* Where a faulting thunk is sent to return. */
static const uint8_t fault_exit[] = {0xc3}; /* ret */

struct node {
    struct thunk thunk; /* first: a thunk is its node */
    struct node *next;
    uint16_t len;
};

static struct {
    pthread_mutex_t lock;
    uint8_t *write;      /* NULL until the first use */
    const uint8_t *exec; /* set before any thunk can run; handlers read it */
    uint32_t used;
    uint32_t mask, count;
    struct node **buckets;
    struct sigaction old_fpe, old_ill;
} arena = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- Host exceptions ---------------------------------------------------- */

/* A thunk's stack is balanced at the guest's instruction, so returning from
 * there is all it takes. The x87 and MXCSR state in the signal frame is what
 * the CPU left, and goes back unchanged. */
static bool leave_thunk(ucontext_t *uc)
{
    greg_t *regs = uc->uc_mcontext.gregs;
    uint64_t off = (uint64_t)regs[REG_RIP] - (uint64_t)arena.exec;
    greg_t vector = regs[REG_TRAPNO];

    if (off >= ARENA_SIZE)
        return false;
    if (vector != VEC_MF && vector != VEC_XM && vector != VEC_UD)
        return false;
    regs[REG_RIP] = (greg_t)(uint64_t)arena.exec;
    regs[REG_RAX] = (greg_t)(THUNK_FAULT | (uint64_t)vector);
    return true;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
    const struct sigaction *old =
        sig == SIGFPE ? &arena.old_fpe : &arena.old_ill;

    if (leave_thunk(context))
        return;
    if (old->sa_flags & SA_SIGINFO) {
        old->sa_sigaction(sig, info, context);
        return;
    }
    if (old->sa_handler == SIG_DFL || old->sa_handler == SIG_IGN) {
        /* Not ours: let it happen again, for good. */
        sigaction(sig, old, NULL);
        return;
    }
    old->sa_handler(sig);
}

/* ---- Finding and adding ------------------------------------------------- */

static int arena_map(void)
{
    int fd = memfd_create("trapmark-thunks", MFD_CLOEXEC);
    void *rw = MAP_FAILED, *rx = MAP_FAILED;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, ARENA_SIZE) == 0) {
        rw = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        rx = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    }
    close(fd);
    if (rw == MAP_FAILED || rx == MAP_FAILED) {
        if (rw != MAP_FAILED)
            munmap(rw, ARENA_SIZE);
        if (rx != MAP_FAILED)
            munmap(rx, ARENA_SIZE);
        return -ENOMEM;
    }
    memcpy(rw, fault_exit, sizeof(fault_exit));
    arena.used = ARENA_FIRST;
    arena.exec = rx;
    arena.write = rw;
    return 0;
}

static int arena_init(void)
{
    struct sigaction sa = {.sa_sigaction = on_signal,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int err;

    if (arena.write)
        return 0;
    arena.mask = 1023;
    arena.buckets = calloc(arena.mask + 1, sizeof(*arena.buckets));
    if (!arena.buckets)
        return -ENOMEM;
    err = arena_map();
    if (err) {
        free(arena.buckets);
        return err;
    }
    sigaction(SIGFPE, &sa, &arena.old_fpe);
    sigaction(SIGILL, &sa, &arena.old_ill);
    return 0;
}

static uint32_t hash_code(const uint8_t *code, unsigned len)
{
    uint32_t h = 2166136261u;

    for (unsigned i = 0; i < len; i++)
        h = (h ^ code[i]) * 16777619u;
    return h ^ h >> 15;
}

static const uint8_t *node_code(const struct node *n)
{
    return (const uint8_t *)n->thunk.run;
}

static void grow_buckets(void)
{
    uint32_t mask = arena.mask * 2 + 1;
    struct node **buckets = calloc(mask + 1, sizeof(*buckets));

    if (!buckets)
        return; /* longer chains, nothing worse */
    for (uint32_t i = 0; i <= arena.mask; i++) {
        struct node *next;

        for (struct node *n = arena.buckets[i]; n; n = next) {
            uint32_t h = hash_code(node_code(n), n->len);

            next = n->next;
            n->next = buckets[h & mask];
            buckets[h & mask] = n;
        }
    }
    free(arena.buckets);
    arena.buckets = buckets;
    arena.mask = mask;
}

static int find_or_add(const struct thunk *t, const uint8_t *code, unsigned len,
                       const struct thunk **out)
{
    uint32_t h = hash_code(code, len);
    struct node *n;

    for (n = arena.buckets[h & arena.mask]; n; n = n->next) {
        if (n->len == len && !memcmp(node_code(n), code, len)) {
            *out = &n->thunk;
            return 0;
        }
    }
    if (arena.used + THUNK_MAX > ARENA_SIZE)
        return -ENOSPC;
    n = malloc(sizeof(*n));
    if (!n)
        return -ENOMEM;
    memcpy(arena.write + arena.used, code, len);
    n->thunk = *t;
    n->thunk.run = (thunk_fn *)(arena.exec + arena.used);
    n->len = (uint16_t)len;
    arena.used += (len + 15) & ~15u;
    n->next = arena.buckets[h & arena.mask];
    arena.buckets[h & arena.mask] = n;
    if (++arena.count > arena.mask)
        grow_buckets();
    *out = &n->thunk;
    return 0;
}

int thunk_arena_insert(const struct thunk *t, const uint8_t *code, unsigned len,
                       const struct thunk **out)
{
    int err;

    pthread_mutex_lock(&arena.lock);
    err = arena_init();
    if (!err)
        err = find_or_add(t, code, len, out);
    pthread_mutex_unlock(&arena.lock);
    return err;
}
