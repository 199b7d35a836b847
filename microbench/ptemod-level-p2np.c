/* ptemod-level-p2np: store to a live entry of each level, to not-present. */
#include "ptelevel.h"
#include "paging.h"

DEFINE_PTELEVEL(
    ptemod_level_p2np, PTEMOD_P2NP, "ptemod-level-p2np", "entry to not-present",
    "Store to a live entry, P to NP: leaf (1), middle (2, 3), root (4)");
