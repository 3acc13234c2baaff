-- The sweep: what is due of each kind, earliest first, so that a flood of one kind does not starve the others.
drop index timers_due;
create index timers_due on timers (kind, due_at);
