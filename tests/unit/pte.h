/* Short names for the bits of page-table entries. */
#ifndef TM_TEST_PTE_H
#define TM_TEST_PTE_H

#include "backends/x86/walk.h"

#define P PTE_P
#define W PTE_W
#define U PTE_U
#define A PTE_A
#define D PTE_D
#define PS PTE_PS
#define G PTE_G
#define NX PTE_NX

#endif
