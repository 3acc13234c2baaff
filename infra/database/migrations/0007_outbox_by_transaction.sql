-- What the floor must be told of, one row a transaction and shard of the relay: the events are found by their txid, the
-- calls and agents by their ids, as they stand when they are told. `moved` holds, by call, the queue and the agent that
-- it left. A batch costs one row and one index entry. What is due is looked for by walking the key, oldest first: the
-- table holds only what was told to nobody yet.
alter table outbox rename to outbox_by_event;
create table outbox (
    txid bigint not null default (pg_current_xact_id()::text::bigint),
    shard smallint not null default 0,
    calls text[] not null default '{}',
    agents text[] not null default '{}',
    moved jsonb,
    attempts int not null default 0,
    next_attempt_at timestamptz not null,
    failed_at timestamptz,
    -- the horizon of a feed, and what a relay that takes over has to tell: oldest first
    constraint outbox_by_txid primary key (txid, shard)
);
insert into outbox (txid, calls, attempts, next_attempt_at, failed_at)
select txid, array_agg(distinct call_id), max(attempts), min(next_attempt_at), max(failed_at)
from outbox_by_event group by txid;
drop table outbox_by_event;
-- the dead letters, newest first
create index outbox_dead on outbox (failed_at desc, txid desc) where failed_at is not null;
