/* A guest that triple-faults: a breakpoint without an interrupt table. */
#define NAME "triple"
#include "guest.inc"
    mov $empty, %ecx
    lidt (%ecx)
    int3
1:  jmp 1b
empty:
    .quad 0, 0
