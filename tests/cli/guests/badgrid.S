/* A guest whose note has a grid with a value that is no number. */
#define NAME "badgrid"
#define GRID "size=1,many"
#include "guest.inc"
    bye
