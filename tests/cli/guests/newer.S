/* A guest that speaks another version of the ABI. */
#define NAME "newer"
#define ABI 99
#include "guest.inc"
1:  jmp 1b
