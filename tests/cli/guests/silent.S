/* A guest that powers off as if all were well, without a result. */
#define NAME "silent"
#include "guest.inc"
    say hello
    bye
hello:
    .asciz "{\"tm\":\"hello\",\"abi\":2,\"boot\":\"direct\"}\n"
