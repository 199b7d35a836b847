# Compute workloads: time as a multiple of the native time; bars start at 1.
load dir.'/bars.gp'
