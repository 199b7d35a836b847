/* A guest that panics with a reason and powers off with the code for it. */
#define NAME "panic"
#include "guest.inc"
    say reason
    mov $TM_PORT_EXIT, %edx
    mov $TM_EXIT_PANIC, %al
    out %al, %dx
1:  jmp 1b
reason:
    .asciz "{\"tm\":\"panic\",\"reason\":\"out of cheese\"}\n"
