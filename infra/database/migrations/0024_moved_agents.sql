-- When somebody last took the agent out of a queue: who polls, or comes back, from before then must read anew, for only a
-- snapshot shows who is gone.
alter table agents add column moved_at_position bigint;
create index agents_moved on agents (moved_at_position) where moved_at_position is not null;
comment on column outbox.moved is
    'by call, the queue and the agent that it left; by agent, the queues out of which somebody took the agent';
