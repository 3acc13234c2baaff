-- What an agent said last has a place in the order of reports: one that belongs before it and comes later changes nothing.
-- In one instant they follow each other by their sequence, as a call's events do.
alter table agent_events add column sequence bigint;
alter table agents add column said_at timestamptz, add column said_source text collate "C";
