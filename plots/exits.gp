# Exits per operation, stacked by kind of event.
load dir.'/stack.gp'
