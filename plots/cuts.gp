# Where the time goes along three cuts through the trade-off's grid.
load dir.'/stack.gp'
