/* A guest that floods the serial port with short lines. */
#define NAME "flood"
#include "guest.inc"
1:  mov $'x', %al
    out %al, %dx
    mov $'\n', %al
    out %al, %dx
    jmp 1b
