/* The binary translator's vCPU, its translation cache and its bookkeeping. */
#ifndef TM_BT_H
#define TM_BT_H

#include "../backend.h"
#include "../host/host.h"
#include "../interp/step.h"
#include "../mmu/shadow.h"
#include "../x86/decode.h"

/*
 * The arena is one range of addresses outside both guest windows, so that code
 * in the cache reaches everything RIP-relative:
 *
 *   + 0          struct bt_cpu, the virtual CPU state      rw-
 *   + 1 MiB      jump tables, one a mode and way           rw-
 *   + 16 MiB     translation cache                         r-x
 *
 * The cache is mapped a second time, rw-, where the translator writes. Code
 * grows up from its begin, stubs grow down from its end.
 */
#define BT_ARENA 0x510000000000ull
#define BT_TABLES (BT_ARENA + (1u << 20))
#define BT_CACHE (BT_ARENA + (16u << 20))
#define BT_CACHE_SIZE (16u << 20)
#define BT_CACHE_MIN (256u << 10) /* of --bt-cache */

/* Jump tables: the low 16 bits of a target's address choose an entry, the host
 * address of a stub that compares the rest. */
#define BT_TABLE_ENTRIES 65536u
#define BT_TABLE_SIZE (BT_TABLE_ENTRIES * 8)

enum bt_mode { BT_KERNEL, BT_USER, BT_MODES };

/* How an indirect transfer comes to a unit. */
enum bt_way { BT_BY_JUMP, BT_BY_RETURN, BT_WAYS };
#define BT_DIRECTLY BT_WAYS

#define BT_UNIT_MAX 64 /* of --bt-unit */

/* RFLAGS that are always the host's own; what else user code on the bare CPU
 * changes without a trap. */
#define BT_ARITH_FLAGS (FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF | FL_DF)
#define BT_USER_FLAGS (FL_NT | FL_AC | FL_ID)

/* Registers that sequences spill, in the order of bt_cpu.spill. */
enum bt_spill { SPILL_RAX, SPILL_RCX, SPILL_RDX, SPILL_RSP, SPILLS };
static const uint8_t bt_spill_regs[SPILLS] = {RAX, RCX, RDX, RSP};

/* What cache code reads and writes. */
struct bt_cpu {
    struct host_cpu host;
    /* The guest's registers while host code runs; rip and rflags are complete
     * (see bt_precise()), rflags without what `sys_flags` and `vif` hold. */
    uint64_t gpr[16];
    uint64_t rip, rflags;
    uint64_t spill[SPILLS];
    uint64_t target;    /* of an indirect jump, call or return */
    uint64_t sys_flags; /* IOPL, NT, AC, ID: as PUSHF shows them */
    uint64_t vif;       /* FL_IF or 0 */
    uint64_t tpr;       /* CR8 */
    uint64_t tpr_sync;  /* CR8 as the bus was last told; tpr >= tpr_sync */
    uint64_t fs_base, gs_base, kernel_gs_base;
    uint32_t attention; /* vm->attention, as last seen */
    uint32_t exit;      /* number of the exit taken */
    uint8_t post;       /* what the POST port reads */
    uint8_t pad[7];
    uint64_t resume; /* where the callout's way back jumps to */
    struct bt *bt;
    uint64_t flag_stack[8]; /* PUSHF and POPF of cache code */
    uint8_t stack[16384] __attribute__((aligned(64))); /* of callouts */
};

/* ---- Exits --------------------------------------------------------------- */

enum bt_exit_kind {
    BT_EXIT_JUMP,    /* to `target`; may be chained at `patch` */
    BT_EXIT_RETURN,  /* RET to RCX, for the first time; the rest is spilled */
    BT_EXIT_MISS,    /* indirect to cpu->target; the number is the way */
    BT_EXIT_STEP,    /* one instruction at `pc` for the interpreter */
    BT_EXIT_STORE,   /* the same, a plain store that keeps being emulated */
    BT_EXIT_IRQ,     /* behind STI at `target`, with something pending */
    BT_EXIT_SYSCALL, /* SYSCALL at `pc`, user code */
    BT_EXIT_SYSRET   /* SYSRET to 64-bit mode at `pc` */
};

/* The operand of a BT_EXIT_STORE. */
struct bt_store {
    struct x86_mem mem;
    uint8_t size;
    uint8_t reg; /* X86_NOREG: imm */
    bool high;
    int64_t imm;
};

struct bt_exit {
    uint8_t kind, mode;
    uint8_t len;    /* of the instruction at pc */
    bool simulated; /* BT_EXIT_STEP: because the access kept trapping */
    gva_t pc, target;
    uint32_t patch; /* cache offset of a rel32, 0: none; BT_EXIT_RETURN: of the
                       comparison */
    uint32_t frag;  /* number of the fragment it belongs to */
    uint64_t next;  /* BT_EXIT_STORE: host address behind it, 0: not yet */
    uint32_t table; /* BT_EXIT_JUMP: cache offset of its way to the table, 0:
                       none */
    uint32_t store; /* number of the struct bt_store */
};

/* ---- Fragments ----------------------------------------------------------- */

/* Where in a sequence the guest's state is not what the registers say. */
#define FIX_RAX 0x01u /* in spill[] */
#define FIX_RCX 0x02u
#define FIX_RDX 0x04u
#define FIX_RSP 0x08u
#define FIX_MORE 0xf0u     /* one of: */
#define FIX_RIP_RCX 0x10u  /* RIP is RCX */
#define FIX_RIP_SUM 0x20u  /* that plus where the RET is expected to go, */
#define FIX_RIP_SUM1 0x80u /* less 1 */
#define FIX_RIP_RET 0xc0u  /* where the RET is expected to go */
#define FIX_RDI 0x30u      /* RDI is SHADOW_DELTA too high */
#define FIX_FLAGS 0x40u    /* arithmetic flags are packed in AX */
#define FIX_FLAGS7 0x50u   /* the same, OF already moved to bit 7 of AL */
#define FIX_SWAP 0x60u     /* RCX is the old kernel_gs_base */
#define FIX_TARGET 0x70u   /* RIP is cpu->target */
#define FIX_FLSTK 0x90u    /* flags were pushed first on flag_stack */
#define FIX_TAKEN 0xa0u    /* RIP is the target of the branch at the end */
#define FIX_POPF 0xb0u     /* second */

struct bt_map {
    uint32_t off; /* in the cache: from here on */
    uint8_t insn; /* number in the unit */
    uint8_t fix;
    int16_t rsp; /* the guest's RSP minus what it is after the fix */
};

#define BT_NO_PAGE (~0ull)

struct bt_frag {
    gva_t pc;
    gpa_t page;  /* of its first byte */
    gpa_t page2; /* of its last; BT_NO_PAGE: the same. Such a unit is one
                    instruction */
    uint32_t begin, end;     /* cache offsets */
    uint32_t body;           /* where jumps to it lead; behind that may come an
                                indirect entry, */
    uint32_t inner;          /* and then the first instruction's code */
    uint32_t entry[BT_WAYS]; /* indirect entries, 0: none yet */
    uint8_t late;            /* FIX_ of what is in spill[] at `inner` */
    uint32_t expects; /* cache offset of an imm32: where the RET at its end
                         is expected to go */
    uint32_t map;     /* first entry in bt->maps */
    uint16_t nmap;
    uint8_t n, mode;
    bool dead;
    bool swaps; /* begins with SWAPGS, so the FS base it is entered with doesn't
                   matter */
    bool global;                  /* its mapping survives CR3 loads */
    gva_t taken;                  /* target of a LOOP at its end */
    uint64_t sti;                 /* bit n: instruction n follows STI */
    uint8_t off[BT_UNIT_MAX + 1]; /* of the instructions; the last is the end */
    uint32_t hash_next, page_next, page2_next;
};

/* Where what is out of place in an indirect entry; these are all alike. */
struct bt_entry {
    uint8_t lead;    /* bytes before the entry itself, */
    uint8_t matched; /* to where it was the one, */
    uint8_t size;    /* and in all */
    uint8_t nmarks;
    struct {
        uint8_t at, fix; /* from this byte on */
    } marks[8];
};

/* ---- Adaptation ---------------------------------------------------------- */

struct bt_adapt {
    gva_t pc; /* 0: free */
    uint16_t faults;
    uint16_t quiet; /* emulations in a row that would not have trapped */
    uint16_t limit; /* of faults */
    bool simulate;
};
#define BT_ADAPT_SIZE 4096

/* Data addresses, for stores that are emulated without the interpreter. */
struct bt_dtlb {
    gva_t page; /* ~0: none */
    uint8_t *host;
};
#define BT_DTLB_SIZE 256

struct bt_options {
    bool adaptive, chain, inlines, user_translate;
    unsigned unit;
    uint32_t cache; /* bytes of it that are used */
};

/* A page with translated kernel code, as it was mapped. */
struct bt_code_page {
    gva_t gva;
    gpa_t gpa;
    bool global;
};
#define BT_CODE_PAGES 512

/* Where indirect transfers go. */
struct bt_table {
    uint64_t *to;    /* host addresses, by the low bits of the guest's */
    uint16_t *used;  /* the entries that don't say miss, */
    unsigned count;  /* that many, */
    uint32_t *frags; /* and the fragments all lead to */
};

#define BT_STUB 16 /* stubs are multiples of this */
#define BT_OWNER_FRAG 0x80000000u
#define BT_OWNER_EXIT 0x40000000u /* of a jump that takes the table */

#define BT_HASH_SIZE 16384
#define BT_FRAGS_MAX 65536u
#define BT_EXITS_MAX 262144u
#define BT_MAPS_MAX 1048576u
#define BT_STORES_MAX 16384u

/* What ended host_enter(), for the report of a crash. */
struct bt_last {
    uint64_t rip; /* the host's */
    uint32_t kind, exit;
};
#define BT_LAST 8

/* What saves the registers and calls a function. Cache offsets: where it
 * begins, where it has saved everything, its end. */
struct bt_stub {
    uint32_t begin, saved, end;
};
enum bt_callout { BT_CALLOUT_ANY, BT_CALLOUT_MODE, BT_CALLOUTS };

struct bt {
    struct vm vm;
    struct x86_state s; /* all but what bt_cpu holds */
    unsigned cpl;
    struct bt_cpu *cpu;
    uint8_t *rw;          /* the cache, for writing */
    uint32_t code, stubs; /* offsets: end of code, begin of stubs */
    struct bt_options opt;
    struct shadow *shadow;
    struct interp_stepper *stepper;
    bool attached;

    struct bt_frag *frags; /* [0] is none */
    struct bt_exit *exits;
    struct bt_map *maps;
    struct bt_store *stores;
    uint32_t nfrags, nexits, nmaps, nstores;
    uint32_t hash[BT_HASH_SIZE];
    uint32_t *page_frags; /* by guest page number */
    uint32_t *stub_owner; /* by cache offset / BT_STUB: exit number (maybe |
                             BT_OWNER_EXIT), or fragment | BT_OWNER_FRAG */
    struct bt_code_page code_pages[BT_CODE_PAGES];
    unsigned ncode_pages;
    uint32_t tail;      /* fragment whose closing jump ends the code, or 0 */
    uint32_t tail_exit; /* that jump's exit */
    struct bt_table tables[BT_MODES][BT_WAYS];
    struct bt_entry entries[BT_WAYS][2]; /* [1]: the address has 64 bits */
    struct bt_stub callouts[BT_CALLOUTS];
    uint32_t fixed; /* cache offset: the end of all that is never flushed */
    uint32_t miss[BT_WAYS]; /* cache offsets: where empty table entries lead */
    bool traced;            /* the last emulation wrote to a page table */
    enum bt_way missed;     /* the exit was BT_EXIT_MISS, or BT_DIRECTLY */
    bool flush;             /* all of the cache, before anything is entered */

    struct bt_adapt adapt[BT_ADAPT_SIZE];
    struct bt_dtlb dtlb[BT_DTLB_SIZE];
    struct vm_exit *exit;
    struct bt_last last[BT_LAST];
    unsigned nlast;
};

static inline enum bt_mode bt_mode(const struct bt *bt)
{
    return bt->cpl == 3 ? BT_USER : BT_KERNEL;
}

/* The next fragment with code in this page, behind number n. */
static inline uint32_t bt_page_next(const struct bt *bt, uint32_t n, gpa_t page)
{
    const struct bt_frag *f = &bt->frags[n];

    return f->page == page ? f->page_next : f->page2_next;
}

static inline uint64_t bt_host(uint32_t off)
{
    return BT_CACHE + off;
}

/* ---- options.c ----------------------------------------------------------- */
int bt_options_parse(struct bt *bt, const char *options, char why[REASON_MAX]);

/* ---- cache.c ------------------------------------------------------------- */
int bt_cache_create(struct bt *bt, char why[REASON_MAX]);
void bt_cache_destroy(struct bt *bt);
/* Forget every translation. Nothing of the cache may be executing. */
void bt_cache_flush(struct bt *bt);
/* Room for one more unit? */
bool bt_cache_room(const struct bt *bt);
/* Known fragment of pc in the mode, or NULL. User fragments are known by the
 * page they came from. */
struct bt_frag *bt_find(struct bt *bt, gva_t pc, enum bt_mode mode, gpa_t page);
void bt_cache_add(struct bt *bt, struct bt_frag *f);
/* Its code is out of date: whoever comes to it leaves the cache. */
void bt_frag_kill(struct bt *bt, struct bt_frag *f);
/* Drop what was translated from the page, if [gpa, gpa + len) touches it. */
void bt_cache_written(struct bt *bt, gpa_t gpa, uint64_t len);
/* Let the exit's jump lead there from now on: a cache offset. */
void bt_chain(struct bt *bt, struct bt_exit *e, uint32_t to);
/* Enter the fragment into its mode's table of that way. */
void bt_table_set(struct bt *bt, struct bt_frag *f, enum bt_way way);
void bt_table_clear(struct bt *bt, enum bt_mode mode);
/* The fragment whose code has this cache offset, or NULL. */
struct bt_frag *bt_frag_at(struct bt *bt, uint32_t off);

/* ---- translate.c --------------------------------------------------------- */
/* The fragment at pc, translated if need be; that way leads there. NULL: the
 * unit can't be fetched, let the interpreter raise the fault or execute the
 * instruction. */
struct bt_frag *bt_fragment(struct bt *bt, gva_t pc, enum bt_way way);
/* The guest's tables have changed: drop kernel code that is no longer mapped
 * where it was. globals: global pages may have moved, too. */
void bt_revalidate(struct bt *bt, bool globals);
void bt_revalidate_page(struct bt *bt, gva_t va);

/* ---- stubs.c ------------------------------------------------------------- */
/* The code that all fragments share: callout, table misses. */
void bt_stubs_emit(struct bt *bt);

/* ---- insn_flow.c --------------------------------------------------------- */
/* Let the exit's RET expect to go to that fragment. */
void bt_learn_return(struct bt *bt, const struct bt_exit *x,
                     struct bt_frag *to);

/* ---- entry.c ------------------------------------------------------------- */
/* Where to enter it with what a return takes still spilled: cache offset. */
uint32_t bt_return_to(struct bt *bt, struct bt_frag *f);
/* FIX_ of the registers that are in spill[] on each way. */
extern const uint8_t bt_spilled[BT_WAYS];
#define BT_SPILLING (2 * 7) /* bytes of code that stores or loads them */
/* A fragment's indirect entry, among the stubs. */
void bt_entry_add(struct bt *bt, struct bt_frag *f, enum bt_way way);
/* New code that takes the exit's jump by the table: cache offset. From
 * BT_SPILLING bytes on bt_spilled[BT_BY_JUMP] says what is spilled. */
uint32_t bt_table_way(struct bt *bt, struct bt_exit *x);
/* The marks of the entry that has this cache offset, and where it begins. */
const struct bt_entry *bt_entry_at(const struct bt *bt, const struct bt_frag *f,
                                   uint32_t off, uint32_t *begin);

/* ---- callout.c: runs with the guest's FPU registers ---------------------- */
/* From the cache, with the guest's registers in cpu->gpr and flags in
 * cpu->rflags: where to go on, or 0 to leave host_enter(). */
uint64_t bt_callout(struct bt_cpu *cpu);
/* The same for SYSCALL and SYSRET, which are frequent. */
uint64_t bt_change_mode(struct bt_cpu *cpu);
/* SYSCALL as the CPU does it, if it is enabled; the next instruction is at
 * next. */
bool bt_enter_kernel(struct bt *bt, uint64_t next);
/* RFLAGS and segment bases that the current mode runs with. */
void bt_native(const struct bt *bt, uint64_t *rflags, uint64_t *fs,
               uint64_t *gs);
/* A user fragment's second page, if it has one, is still mapped there. */
bool bt_user_whole(struct bt *bt, const struct bt_frag *f);
struct walk_regs bt_walk_regs(const struct bt *bt);

/* ---- precise.c ----------------------------------------------------------- */
/* The guest's registers out of the host's, for an address in the cache:
 * fills cpu->gpr, rip, rflags. */
void bt_precise(struct bt *bt);
/* The registers of these FIX_ bits into gpr. */
void bt_unspill(struct bt_cpu *cpu, unsigned fix);

/* ---- adapt.c ------------------------------------------------------------- */
struct bt_adapt *bt_adapt_find(struct bt *bt, gva_t pc);
bool bt_simulated(struct bt *bt, gva_t pc);
/* The access at cpu->rip in the fragment was emulated after a trap. */
void bt_adapt_fault(struct bt *bt, struct bt_frag *f);
/* An emulated one would not have trapped. */
void bt_adapt_quiet(struct bt *bt, const struct bt_exit *e);
/* It would have trapped. */
void bt_adapt_trapped(struct bt *bt, const struct bt_exit *e);
void bt_dtlb_clear(struct bt *bt);

/* ---- run.c --------------------------------------------------------------- */
int bt_run(struct vm *vm, struct vm_exit *exit);
int bt_step(struct vm *vm, uint64_t n, struct vm_exit *exit);
/* The POST port is read by cache code: know what it holds. */
void bt_follow_post(struct bt *bt);
void bt_load_state(struct bt *bt);  /* s to cpu */
void bt_store_state(struct bt *bt); /* cpu to s */

#endif
