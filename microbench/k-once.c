/* k-once: 64 KiB of new code, executed once: what a translator pays for an
 * instruction that it has never seen. Generating the code isn't timed. */
#include "kcompute.h"

/* A group is seven instructions of four bytes each and, in another four, a test
 * and a branch that goes nowhere: translators end their units there. */
#define GROUP_WORDS 8
#define GROUP_INSNS 9
#define GROUPS 2048
#define INSNS (GROUPS * GROUP_INSNS) /* 18432, named below */
#define CODE_BYTES (GROUPS * GROUP_WORDS * 4)
#define CODE_PAGES (CODE_BYTES / PAGE_SIZE + 1) /* the RET lies behind */

/* Little-endian; the last byte is an immediate or a displacement from RDI and
 * comes from the generator. */
static const uint32_t forms[8] = {
    0x00c08348, /* add $n, %rax */
    0x00c1c148, /* rol $n, %rcx */
    0x00f28348, /* xor $n, %rdx */
    0x00488d48, /* lea n(%rax), %rcx */
    0x00ea8348, /* sub $n, %rdx */
    0x00470348, /* add n(%rdi), %rax */
    0x00573348, /* xor n(%rdi), %rdx */
    0x00c8c148, /* ror $n, %rax */
};
#define TEST_BRANCH 0x007500a8u /* test $n, %al; jnz to the next */

static const uint8_t prologue[8] = {
    0x31, 0xc0, 0x31, 0xc9, 0x31, 0xd2, 0x66, 0x90, /* RAX = RCX = RDX = 0 */
};
static const uint8_t epilogue[7] = {
    0x48, 0x31, 0xc8, 0x48, 0x31, 0xd0, 0xc3, /* return RAX ^ RCX ^ RDX */
};

#define BLOCKS 8 /* the most that a batch may execute */

static uint8_t *blocks[BLOCKS];
static bool executed[BLOCKS];
static uint64_t number;            /* of the block */
static uint64_t data[256 / 8 + 1]; /* RDI points into the middle */

static void generate(uint8_t *code, uint64_t seed)
{
    uint32_t *word = (uint32_t *)(code + sizeof(prologue));
    uint64_t random = seed * 0x9e3779b97f4a7c15 + 1;

    memcpy(code, prologue, sizeof(prologue));
    for (unsigned g = 0; g < GROUPS; g++) {
        for (unsigned i = 0; i < GROUP_WORDS - 1; i++) {
            random = random * 0xd1342543de82ef95 + 1;
            *word++ = forms[random >> 61] | (uint32_t)(random >> 32) << 24;
        }
        *word++ = TEST_BRANCH | (uint32_t)(random >> 32 & 255) << 8;
    }
    memcpy(word, epilogue, sizeof(epilogue));
}

static uint64_t execute(const uint8_t *code)
{
    uint64_t (*function)(const void *) = (uint64_t(*)(const void *))code;

    return function((const uint8_t *)data + 128);
}

static const char *once_init(void)
{
    number = 0;
    for (unsigned i = 0; i < sizeof(data) / sizeof(data[0]); i++)
        data[i] = mix64(i, i);
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = bench_code(CODE_PAGES);
        if (!blocks[i])
            return "no executable memory for the code";
        executed[i] = true;
    }
    return NULL;
}

/* New code in place of what was executed. */
static void once_reset(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (!executed[i])
            continue;
        generate(blocks[i], number++);
        executed[i] = false;
    }
}

static void once_kernel(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        keep(execute(blocks[i]));
        executed[i] = true;
    }
}

static uint64_t once_checksum(void)
{
    uint64_t h = 0;

    for (uint64_t i = 0; i < 3; i++) {
        once_reset(1);
        h = mix64(h, execute(blocks[0]));
        executed[0] = true;
    }
    return h;
}

static void once_cleanup(void)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        bench_pages_free(blocks[i]);
        blocks[i] = NULL;
    }
}

_Static_assert(INSNS == 18432, "the registration names it");
DEFINE_KCOMPUTE(k_once, "k-once", "18432 new instructions",
                "New code executed once: what translating it costs",
                .init = once_init, .kernel = once_kernel, .reset = once_reset,
                .max_batch = BLOCKS, .checksum = once_checksum,
                .cleanup = once_cleanup);
