/* Everything that is counted, by one name on every backend and in the JSON. */
#ifndef TM_EVENTS_H
#define TM_EVENTS_H

#include <stdint.h>

/* EVENT(identifier, "name in JSON", "meaning") */
#define TM_EVENTS(EVENT)                                                       \
    EVENT(EXIT_IO, "exit.io", "port I/O handled by the VMM")                   \
    EVENT(EXIT_MMIO, "exit.mmio", "device memory access handled by the VMM")   \
    EVENT(EXIT_CR, "exit.cr", "control register access")                       \
    EVENT(EXIT_MSR, "exit.msr", "RDMSR or WRMSR")                              \
    EVENT(EXIT_CPUID, "exit.cpuid", "CPUID")                                   \
    EVENT(EXIT_RDTSC, "exit.rdtsc", "RDTSC or RDTSCP")                         \
    EVENT(EXIT_HLT, "exit.hlt", "HLT with nothing pending")                    \
    EVENT(EXIT_HYPERCALL, "exit.hypercall", "VMCALL or VMMCALL")               \
    EVENT(EXIT_INVLPG, "exit.invlpg", "INVLPG")                                \
    EVENT(EXIT_DESC, "exit.desc", "descriptor-table or segment load")          \
    EVENT(EXIT_INTERRUPT, "exit.interrupt", "host interrupt took the CPU")     \
    EVENT(EXIT_SYSCALL, "exit.syscall", "SYSCALL or SYSRET")                   \
    EVENT(EXIT_IRET, "exit.iret", "IRET")                                      \
    EVENT(EXIT_IF, "exit.if", "CLI, STI, PUSHF or POPF")                       \
    EVENT(EXIT_PF, "exit.pf", "page fault taken by the VMM")                   \
    EVENT(EXIT_NPF, "exit.npf", "nested page fault, EPT violation")            \
    EVENT(EXIT_EXCEPTION, "exit.exception", "exception taken by the VMM")      \
    EVENT(EXIT_VINTR, "exit.vintr", "window for a pending interrupt")          \
    EVENT(EXIT_OTHER, "exit.other", "exit for any other reason")               \
    EVENT(EXIT_TOTAL, "exit.total", "all exits, where only a total is known")  \
    EVENT(EXIT_EMULATED, "exit.emulated", "instruction emulated by the host")  \
    EVENT(EXIT_SIGNAL, "exit.signal", "vCPU interrupted by a host signal")     \
    EVENT(FAULT_TRUE, "fault.true", "page fault the guest itself sees")        \
    EVENT(FAULT_HIDDEN, "fault.hidden", "shadow or nested page fault")         \
    EVENT(FAULT_TRACE, "fault.trace", "write to a traced page table")          \
    EVENT(EXCEPTION_DE, "exception.de", "#DE delivered to the guest")          \
    EVENT(EXCEPTION_DB, "exception.db", "#DB delivered to the guest")          \
    EVENT(EXCEPTION_BP, "exception.bp", "#BP delivered to the guest")          \
    EVENT(EXCEPTION_UD, "exception.ud", "#UD delivered to the guest")          \
    EVENT(EXCEPTION_NM, "exception.nm", "#NM delivered to the guest")          \
    EVENT(EXCEPTION_DF, "exception.df", "#DF delivered to the guest")          \
    EVENT(EXCEPTION_GP, "exception.gp", "#GP delivered to the guest")          \
    EVENT(EXCEPTION_PF, "exception.pf", "#PF delivered to the guest")          \
    EVENT(EXCEPTION_MF, "exception.mf", "#MF or #XM delivered to the guest")   \
    EVENT(EXCEPTION_OTHER, "exception.other", "any other exception")           \
    EVENT(INTERRUPT, "interrupt", "interrupt delivered to the guest")          \
    EVENT(CTX_SWITCH, "ctx.switch", "CR3 load")                                \
    EVENT(TLB_FLUSH, "tlb.flush", "flush of all translations")                 \
    EVENT(TLB_MISS, "tlb.miss", "miss in the interpreter's software TLB")      \
    EVENT(WALK_REFS, "walk.refs", "memory references of TLB misses")           \
    EVENT(WALK_VMM, "walk.vmm", "those of the VMM's own page walks")           \
    EVENT(SHADOW_FILL, "shadow.fill", "shadow entries made or brought back")   \
    EVENT(SHADOW_EVICT, "shadow.evict", "times the shadow ran out of room")    \
    EVENT(SHADOW_CREATE, "shadow.create", "shadow page tables made")           \
    EVENT(SHADOW_UNSYNC, "shadow.unsync", "shadow tables left out of sync")    \
    EVENT(SHADOW_SYNC, "shadow.sync", "shadow tables brought in sync")         \
    EVENT(SHADOW_ZAP, "shadow.zap", "shadow page tables dropped")              \
    EVENT(CR_MODE, "cr.mode", "write of CR0 or CR4, CLTS or LMSW")             \
    EVENT(CR_READ3, "cr.read3", "read of CR3")                                 \
    EVENT(CR_WRITE8, "cr.write8", "write of CR8")                              \
    EVENT(MSR_BASE, "msr.base", "MSR of FS, GS or kernel GS base")             \
    EVENT(MSR_SYSCALL, "msr.syscall", "STAR, LSTAR, CSTAR or SFMASK")          \
    EVENT(MSR_APICV, "msr.apicv", "x2APIC MSR, done by a virtual APIC")        \
    EVENT(MSR_APIC, "msr.apic", "other x2APIC MSR, or the TSC deadline")       \
    EVENT(INSN_RETIRED, "insn.retired", "guest instructions retired")          \
    EVENT(INSN_USER, "insn.user", "of these, at CPL 3")                        \
    EVENT(GUEST_SYSCALL, "guest.syscall", "SYSCALL executed by the guest")     \
    EVENT(DECODE, "interp.decode", "basic blocks decoded")                     \
    EVENT(SMC, "interp.smc", "code pages invalidated by a write")              \
    EVENT(BT_TRANSLATE, "bt.translate", "units translated")                    \
    EVENT(BT_INSN, "bt.insn", "guest instructions translated")                 \
    EVENT(BT_BYTES, "bt.bytes", "bytes of code in their translations")         \
    EVENT(BT_CHAIN, "bt.chain", "jumps bound to their target's translation")   \
    EVENT(BT_LOOKUP_MISS, "bt.lookup_miss", "misses of the inline look-up")    \
    EVENT(BT_RETRANSLATE, "bt.retranslate", "accesses turned into callouts")   \
    EVENT(BT_REVERT, "bt.revert", "callouts turned back into accesses")        \
    EVENT(BT_SMC, "bt.smc", "pages whose translations a write dropped")        \
    EVENT(BT_FLUSH, "bt.flush", "times that all translations were dropped")

enum tm_event {
#define EVENT(id, name, meaning) EV_##id,
    TM_EVENTS(EVENT)
#undef EVENT
        EV_COUNT
};

/* What only the interpreter counts, of exit.cr and exit.msr: kinds that differ
 * in whether they exit. */
#define EV_KIND_FIRST EV_CR_MODE
#define EV_KIND_LAST EV_MSR_APIC

/* How often each event happened and, where the VMM did the work and measured
 * it, how many TSC ticks it spent. */
struct event_counters {
    uint64_t count[EV_COUNT];
    uint64_t ticks[EV_COUNT];
};

extern const char *const event_names[EV_COUNT];
extern const char *const event_meanings[EV_COUNT];

/* The identifier of a name, or -1. */
int event_find(const char *name);

/* sum += end - begin, element by element. */
void event_accumulate(struct event_counters *sum,
                      const struct event_counters *begin,
                      const struct event_counters *end);

#endif
