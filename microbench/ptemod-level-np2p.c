/* ptemod-level-np2p: store to a live entry of each level, to present. */
#include "ptelevel.h"
#include "paging.h"

DEFINE_PTELEVEL(
    ptemod_level_np2p, PTEMOD_NP2P, "ptemod-level-np2p", "entry to present",
    "Store to a live entry, NP to P: leaf (1), middle (2, 3), root (4)");
