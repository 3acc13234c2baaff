-- What was given up says since when and after how many attempts; what was redriven waits from then on.
alter table events
    add column failed_at timestamptz,
    add column redriven_at timestamptz,
    add column attempts int not null default 1;
update events set failed_at = received_at where state = 'dead';
-- the dead letters, newest first
create index events_dead on events (failed_at desc, id desc) where state = 'dead';
create index outbox_dead on outbox (failed_at desc, event_id desc) where failed_at is not null;
