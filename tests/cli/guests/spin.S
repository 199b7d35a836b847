/* A guest that says hello and then does nothing for ever. */
#define NAME "spin"
#include "guest.inc"
    say hello
1:  jmp 1b
hello:
    .asciz "{\"tm\":\"hello\",\"abi\":2,\"boot\":\"direct\"}\n"
