/* tradeoff: a synthetic workload with three dials, the three things that a
 * policy for shadow page tables trades against each other: page-table updates,
 * context switches, and touches of a working set.
 *
 * One operation is 1000 steps of computation with that many of each strewn in,
 * in an order that depends on the seed alone. Four address spaces map the same
 * 256 pages, by tables of their own; a switch loads the next one's CR3. Updates
 * come in 16 bursts, as a kernel that changes much changes it by ranges: up to
 * 16 neighbouring entries of the live space are pointed at the other one of two
 * frames, then each page is invalidated. Touches go round the pages, and each
 * must read the frame that its space maps at that moment.
 *
 * The control does the same steps, but stores to plain memory, stays in its
 * space and touches one page: what is left is the price of paging. It must be
 * the same work under every policy, so it has code of its own, which no
 * translator adapts to what the kernel's meets, an operation of it before each
 * batch takes the faults on what the batch before has left unmapped, and a
 * batch is long enough for what the caches have lost not to matter. */
#include "paging.h"

#define SPACES 4
#define TABLES 4 /* leaf tables of a space */
#define PER_TABLE 64
#define PAGES (TABLES * PER_TABLE)
#define BURSTS 16
#define BURST_MOST 16
#define DIAL_MOST 4096
#define STEPS 1000

enum event { TOUCH, UPDATE, SWITCH };

static uint8_t events[3 * DIAL_MOST];
static unsigned count; /* of an operation's events */
static uint64_t updates, burst_size;

static struct bench_space spaces[SPACES];
static volatile uint64_t *entries[SPACES][PAGES];
static bool second[SPACES][PAGES]; /* the second frame is mapped */
static uint64_t frames[PAGES][2];
static uint64_t plain[PAGES]; /* the control's entries */

/* Goes on from one operation to the next. */
static unsigned space, touched, updated;
static const char *problem;

static char *page_at(unsigned i)
{
    return SPACE_BASE + i / PER_TABLE * (512 * PAGE_SIZE) +
           i % PER_TABLE * PAGE_SIZE;
}

/* ---- Set-up -------------------------------------------------------------- */

static void add_events(enum event kind, uint64_t n)
{
    for (; n; n--)
        events[count++] = (uint8_t)kind;
}

static const char *make_schedule(void)
{
    uint64_t random = cmdline_u64(boot_cmdline, "seed", 1) * 2 + 1;
    uint64_t switches = dial("param.switches", 4);
    uint64_t touches = dial("param.touches", 64);

    updates = dial("param.updates", 32);
    if (updates > DIAL_MOST || switches > DIAL_MOST || touches > DIAL_MOST)
        return "a dial is larger than 4096";
    count = 0;
    add_events(TOUCH, touches);
    add_events(SWITCH, switches);
    burst_size = (updates + BURSTS - 1) / BURSTS;
    if (burst_size > BURST_MOST)
        burst_size = BURST_MOST;
    if (updates)
        add_events(UPDATE, (updates + burst_size - 1) / burst_size);
    for (unsigned i = count; i > 1; i--) {
        unsigned j = (unsigned)((random_next(&random) >> 32) % i);
        uint8_t e = events[i - 1];

        events[i - 1] = events[j];
        events[j] = e;
    }
    return NULL;
}

/* Each frame's first word says which it is. */
static bool make_frames(void)
{
    for (unsigned i = 0; i < 2 * PAGES; i++) {
        uint64_t *at, *frame = &frames[i % PAGES][i / PAGES];

        *frame = bench_space_frame(&spaces[0], (void **)&at);
        if (!*frame)
            return false;
        *at = 2 * (i % PAGES) + i / PAGES;
    }
    return true;
}

static bool map_pages(unsigned k)
{
    for (unsigned i = 0; i < PAGES; i++) {
        entries[k][i] = bench_space_entry(&spaces[k], page_at(i), 1);
        if (!entries[k][i])
            return false;
        *entries[k][i] = frames[i][0] | bench_space_flags();
        second[k][i] = false;
    }
    return true;
}

static const char *tradeoff_init(void)
{
    const char *why = make_schedule();
    bool ok = true;

    problem = NULL;
    space = touched = updated = 0;
    if (why)
        return why;
    for (unsigned k = 0; k < SPACES; k++)
        ok = ok && bench_space_create(&spaces[k]);
    ok = ok && make_frames();
    for (unsigned k = 0; k < SPACES; k++)
        ok = ok && map_pages(k);
    if (!ok)
        return "out of memory";
    bench_space_enter(&spaces[0]);
    return NULL;
}

/* ---- One operation ------------------------------------------------------- */

static inline __attribute__((always_inline)) void burst(uint64_t n, bool really)
{
    unsigned first = updated;

    for (uint64_t i = 0; i < n; i++) {
        unsigned page = (unsigned)((first + i) % PAGES);
        bool to = second[space][page] ^ really;

        second[space][page] = to;
        *(really ? entries[space][page] : &plain[page]) =
            frames[page][to] | bench_space_flags();
    }
    for (uint64_t i = 0; i < n; i++)
        if (really)
            invlpg(page_at((unsigned)((first + i) % PAGES)));
    /* Not in step with the touches. */
    updated = (unsigned)((first + n + 5) % PAGES);
}

static inline __attribute__((always_inline)) uint64_t touch(bool really)
{
    unsigned page = really ? touched : 0;
    uint64_t word = *(volatile uint64_t *)page_at(page);

    touched = (touched + 1) % PAGES;
    if (word != 2 * page + second[space][page])
        problem = "a page was read through a wrong or stale translation";
    return word;
}

static inline __attribute__((always_inline)) uint64_t operation(uint64_t h,
                                                                bool really)
{
    uint64_t left = updates, done = 0;

    for (unsigned i = 0; i < count; i++) {
        uint64_t n = left < burst_size ? left : burst_size;

        for (; done * count < STEPS * i; done++)
            h = mix64(h, done);
        switch (events[i]) {
        case TOUCH:
            h ^= touch(really);
            break;
        case UPDATE:
            burst(n, really);
            left -= n;
            break;
        default:
            if (!really)
                break;
            space = (space + 1) % SPACES;
            bench_space_enter(&spaces[space]);
        }
    }
    for (; done < STEPS; done++)
        h = mix64(h, done);
    return h;
}

static volatile uint64_t result;

static void tradeoff_kernel(uint64_t n)
{
    uint64_t h = 0;

    for (; n; n--)
        h = operation(h, true);
    result = h;
}

static void tradeoff_control(uint64_t n)
{
    uint64_t h = 0;

    for (; n; n--)
        h = operation(h, false);
    result = h;
}

static void tradeoff_reset(uint64_t n)
{
    (void)n;
    tradeoff_control(1);
}

static uint64_t tradeoff_checksum(void)
{
    uint64_t h = 0;

    for (int i = 0; i < 8; i++)
        h = operation(h, true);
    return h;
}

static const char *tradeoff_verify(void)
{
    return problem;
}

static void tradeoff_cleanup(void)
{
    for (unsigned k = 0; k < SPACES; k++)
        bench_space_destroy(&spaces[k]);
}

DEFINE_BENCHMARK_GRID(
    tradeoff, "tradeoff", "tradeoff", "1000 steps",
    "Page-table updates, context switches and touches strewn into 1000 steps "
    "of computation",
    0, "updates=0,16,64,256 switches=0,4,32 touches=64,1024", .min_batch = 4,
    .init = tradeoff_init, .reset = tradeoff_reset, .kernel = tradeoff_kernel,
    .control = tradeoff_control, .checksum = tradeoff_checksum,
    .verify = tradeoff_verify, .cleanup = tradeoff_cleanup);
