# What workloads do that a VMM must pay for, stacked by kind.
load dir.'/stack.gp'
