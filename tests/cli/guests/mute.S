/* A guest that never says anything. */
#define NAME "mute"
#include "guest.inc"
1:  jmp 1b
