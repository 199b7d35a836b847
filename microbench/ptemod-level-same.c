/* ptemod-level-same: store to a live entry of each level, value unchanged. */
#include "ptelevel.h"
#include "paging.h"

DEFINE_PTELEVEL(
    ptemod_level_same, PTEMOD_SAME, "ptemod-level-same", "entry rewrite",
    "Store to a live entry, unchanged: leaf (1), middle (2, 3), root (4)");
