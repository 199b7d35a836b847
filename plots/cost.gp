# Cost of one operation on each backend.
load dir.'/bars.gp'
