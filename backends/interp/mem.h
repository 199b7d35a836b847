/* Guest memory access of the handlers: the fast path, and the way to the slow. */
#ifndef TM_INTERP_MEM_H
#define TM_INTERP_MEM_H

#include "cpu.h"

#include "../x86/bytes.h"

#define PAGE_SIZE 4096u
#define PAGE_MASK (~(uint64_t)(PAGE_SIZE - 1))

#define MEM_WRITE 1u
#define MEM_RMW 2u    /* with MEM_WRITE: the old bytes are wanted too */
#define MEM_SYS 4u    /* the CPU's own access to its tables: supervisor */
#define MEM_PROBE 16u /* only whether it would fault; the result isn't NULL */
#define MEM_REP 32u   /* by a repeated string instruction */
#define MEM_NOAC 8u   /* no #AC: alignment is checked elsewhere or irrelevant */

/* The host address of [va, va + size), size up to 512, or NULL: an exception is
 * pending, and the handler returns. i, where not NULL, is the instruction in
 * progress, for the exception's RIP. With MEM_WRITE nothing is written before
 * mem_commit(), which must follow once the bytes are there; where the access is
 * to plain RAM it may be skipped, as the fast path does. */
void *mem_slow(struct icpu *c, const struct insn *i, gva_t va, unsigned size,
               unsigned seg, unsigned how);
void mem_commit(struct icpu *c);

/* seg: enum x86_sreg; only whether it is SS matters, for #SS or #GP. */
bool mem_read_sys(struct icpu *c, gva_t va, void *buf, unsigned size);
bool mem_write_sys(struct icpu *c, gva_t va, const void *buf, unsigned size);

/* mem_slow for code: the host address of the byte at va, NULL with
 * c->fetch_fault set, or with *gpa outside RAM. */
const uint8_t *mem_fetch(struct icpu *c, gva_t va, bool *fault);

void tlb_flush(struct icpu *c, bool globals);
void tlb_flush_page(struct icpu *c, gva_t va);
void tlb_drop_writes(struct icpu *c, const uint8_t *host_page);
/* What is cached of [va, va + size), size a power of two that va is a multiple
 * of, or UINT64_MAX; and what lets the page at va be written. */
void tlb_drop(struct icpu *c, gva_t va, uint64_t size);
void tlb_protect(struct icpu *c, gva_t va);
/* After a change of CPL, CR0, CR4 or RFLAGS.AC. */
void mem_update_mode(struct icpu *c);

/* An access that crosses into the next page can't match: the entry is looked up
 * by the first byte and compared with the last byte's page. */
static inline bool tlb_read(const struct icpu *c, gva_t va, unsigned size,
                            void **p)
{
    const struct tlb_entry *e = &c->tlb[tlb_index(va)];

    *p = (void *)(va + e->add);
    return likely(e->r == ((va + size - 1) & PAGE_MASK));
}

static inline bool tlb_write(const struct icpu *c, gva_t va, unsigned size,
                             void **p)
{
    const struct tlb_entry *e = &c->tlb[tlb_index(va)];

    *p = (void *)(va + e->add);
    return likely(e->w == ((va + size - 1) & PAGE_MASK));
}

/*
 * A handler with a memory operand comes in two: the fast one calls no function,
 * so the compiler gives it no stack frame, and on a TLB miss it tail-calls the
 * slow one, which starts over. MEM_HANDLER(name, BODY, ...) makes both; BODY is
 * a macro (FN, ATTR, GET_R, GET_W, COMMIT, SLOW, ...) that defines one function,
 * FN, and uses
 *   GET_R(p, size, va, SLOW)  p = host address to read size bytes at va
 *   GET_W(p, size, va, SLOW)  the same to read and write
 *   COMMIT                    after the write through GET_W's p
 */
#define MEM_HANDLER(name, BODY, ...)                                           \
    BODY(name##_slow, static __attribute__((noinline, cold)), SLOW_R, SLOW_W,  \
         mem_commit(c), none, __VA_ARGS__)                                     \
    BODY(name, static, FAST_R, FAST_W, (void)0, name##_slow, __VA_ARGS__)

#define FAST_R(p, size, va, slow)                                              \
    do {                                                                       \
        void *ptr_;                                                            \
                                                                               \
        if (!tlb_read(c, va, size, &ptr_))                                     \
            return slow(c, i);                                                 \
        p = ptr_;                                                              \
    } while (0)
#define FAST_W(p, size, va, slow)                                              \
    do {                                                                       \
        void *ptr_;                                                            \
                                                                               \
        if (!tlb_write(c, va, size, &ptr_))                                    \
            return slow(c, i);                                                 \
        p = ptr_;                                                              \
    } while (0)
#define SLOW_R(p, size, va, slow)                                              \
    do {                                                                       \
        p = mem_slow(c, i, va, size, i->seg, 0);                               \
        if (!p)                                                                \
            return;                                                            \
    } while (0)
#define SLOW_W(p, size, va, slow)                                              \
    do {                                                                       \
        p = mem_slow(c, i, va, size, i->seg, MEM_WRITE | MEM_RMW);             \
        if (!p)                                                                \
            return;                                                            \
    } while (0)
/* Stores don't want the old bytes: a device may count reads. */
#define SLOW_STORE(p, size, va)                                                \
    do {                                                                       \
        p = mem_slow(c, i, va, size, i->seg, MEM_WRITE);                       \
        if (!p)                                                                \
            return;                                                            \
    } while (0)

/* Registers by byte offset into gpr. */
#define R8(off) (*((u8a *)c->gpr + (off)))
#define R16(off) (*(u16a *)((u8a *)c->gpr + (off)))
#define R32(off) (*(u32a *)((u8a *)c->gpr + (off)))
#define R64(off) (*(u64a *)((u8a *)c->gpr + (off)))
#define SET8(off, v) (R8(off) = (uint8_t)(v))
#define SET16(off, v) (R16(off) = (uint16_t)(v))
#define SET32(off, v) (R64(off) = (uint32_t)(v)) /* zero-extends */
#define SET64(off, v) (R64(off) = (uint64_t)(v))

#define NEXT return i[1].fn(c, i + 1)

/* Effective address: base and displacement only, without a segment base. */
static inline gva_t ea_bd(const struct icpu *c, const struct insn *i)
{
    return R64(i->base) + (uint64_t)i->disp;
}

/* Offset without the segment: LEA, and the general case. */
static inline uint64_t ea_offset(const struct icpu *c, const struct insn *i)
{
    uint64_t a = R64(i->base) + (R64(i->index) << i->scale) + (uint64_t)i->disp;

    return unlikely(i->seg & EA_ADDR32) ? (uint32_t)a : a;
}

static inline gva_t ea_any(const struct icpu *c, const struct insn *i)
{
    uint64_t a = R64(i->base) + (R64(i->index) << i->scale) + (uint64_t)i->disp;

    if (unlikely(i->seg & (EA_ADDR32 | EA_BASE))) {
        if (i->seg & EA_ADDR32)
            a = (uint32_t)a;
        a += c->seg_base[i->seg & EA_SEG];
    }
    return a;
}

/* Instructions retired before i. */
static inline void sync_retired(struct icpu *c, const struct insn *i)
{
    c->vm.retired = c->retired_base + (uint64_t)(c->budget_start - c->budget) +
                    (i ? i->idx : 0);
}

/* Come back to the run loop at the next block end. */
static inline void cut_budget(struct icpu *c)
{
    int64_t over = c->budget + 1;

    if (over <= 0)
        return;
    c->budget -= over;
    c->budget_start -= over;
}

#endif
