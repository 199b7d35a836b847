/* A guest with a grid: it claims the same result at each point. */
#define NAME "dials"
#define GRID "size=1,2 depth=0,16"
#include "guest.inc"
    say text
    bye
text:
    .ascii "{\"tm\":\"hello\",\"abi\":2,\"boot\":\"direct\",\"tsc_khz\":1000000}\n"
    .ascii "{\"tm\":\"start\",\"bench\":\"dials\"}\n"
    .ascii "{\"tm\":\"result\",\"bench\":\"dials\",\"status\":\"ok\","
    .ascii "\"iterations\":10,\"samples\":[5000],\"control\":[1000]}\n"
    .asciz "{\"tm\":\"bye\"}\n"
