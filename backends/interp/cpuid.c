/* CPUID: an x86-64-v2 processor, the same on every run. */
#include "system.h"

#include "../x86/walk.h"

#include <cpuid.h>

/* Leaf 1, ECX: SSE3, SSSE3, CX16, SSE4.1, SSE4.2, x2APIC, POPCNT, TSC deadline,
 * hypervisor. EDX: FPU DE PSE TSC MSR PAE CX8 APIC SEP PGE CMOV PAT CLFSH MMX
 * FXSR SSE SSE2. */
#define FEATURES_ECX                                                           \
    (1u << 0 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 21 |           \
     1u << 23 | 1u << 24 | 1u << 31)
#define FEATURES_EDX                                                           \
    (1u << 0 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8 |     \
     1u << 9 | 1u << 11 | 1u << 13 | 1u << 15 | 1u << 16 | 1u << 19 |          \
     1u << 23 | 1u << 24 | 1u << 25 | 1u << 26)
/* Leaf 7, EBX: FSGSBASE, SMEP, no x87 selectors, SMAP. ECX: UMIP. */
#define FEATURES7_EBX (1u << 0 | 1u << 7 | 1u << 13 | 1u << 20)
#define FEATURES7_ECX (1u << 2)
/* Leaf 0x80000001, ECX: LAHF. EDX: SYSCALL, NX, 1 GiB pages, RDTSCP, long mode;
 * AMD repeats leaf 1's there, which nobody needs. */
#define FEATURES81_ECX (1u << 0)
#define FEATURES81_EDX (1u << 11 | 1u << 20 | 1u << 26 | 1u << 27 | 1u << 29)

/* n bytes of s into registers. */
static void text(uint32_t *out, const char *s, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        out[k / 4] |= (uint32_t)(uint8_t)s[k] << 8 * (k % 4);
}

static uint32_t vendor[4];

void cpuid_prime(void)
{
    if (!vendor[1])
        __cpuid(0, vendor[0], vendor[1], vendor[2], vendor[3]);
}

static void leaf(struct icpu *c, uint32_t eax, uint32_t ecx, uint32_t r[4])
{
    static const char brand[48] = "Trapmark interpreted x86-64-v2 CPU";

    r[0] = r[1] = r[2] = r[3] = 0;
    switch (eax) {
    case 0: /* the vendor is the host's: guests choose by it what to execute */
        r[0] = 0xd;
        for (int k = 1; k < 4; k++)
            r[k] = vendor[k];
        break;
    case 1:
        r[0] = 0x00a20f10; /* family 19h */
        r[1] = 1u << 16 | 8u << 8;
        r[2] = FEATURES_ECX;
        r[3] = FEATURES_EDX;
        if (c->cr4 & CR4_OSXSAVE)
            r[2] |= 1u << 27;
        break;
    case 7:
        if (ecx == 0) {
            r[1] = FEATURES7_EBX;
            r[2] = FEATURES7_ECX;
        }
        break;
    case 0x40000000:
        r[0] = 0x40000000;
        text(r + 1, "TrapmarkTrap", 12);
        break;
    case 0x80000000:
        r[0] = 0x80000008;
        break;
    case 0x80000001:
        r[2] = FEATURES81_ECX;
        r[3] = FEATURES81_EDX;
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        text(r, brand + (eax - 0x80000002) * 16, 16);
        break;
    case 0x80000007:
        r[3] = 1u << 8; /* invariant TSC */
        break;
    case 0x80000008:
        r[0] = PHYS_BITS | 48u << 8;
        break;
    default:
        break;
    }
}

void insn_cpuid(struct icpu *c, const struct insn *i)
{
    uint32_t r[4];

    sync_before(c, i);
    count(c, EV_EXIT_CPUID);
    leaf(c, (uint32_t)c->gpr[RAX], (uint32_t)c->gpr[RCX], r);
    c->gpr[RAX] = r[0];
    c->gpr[RBX] = r[1];
    c->gpr[RCX] = r[2];
    c->gpr[RDX] = r[3];
    done(c, i);
}
