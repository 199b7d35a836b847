/* A guest whose result line makes no sense. */
#define NAME "garbled"
#include "guest.inc"
    say result
    bye
result:
    .ascii "{\"tm\":\"result\",\"bench\":\"garbled\",\"status\":\"ok\","
    .asciz "\"iterations\":1,\"samples\":[1,2],\"control\":[-3]}\n"
