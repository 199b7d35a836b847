# Where the time goes: guest, and VMM by kind of event, in per cent.
load dir.'/stack.gp'
