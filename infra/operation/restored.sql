-- What a database must be told once it was restored, from a file or from a snapshot, before anybody reads it again.
-- In one transaction. What it had told since the copy was made was told of a future that never was.

-- A new epoch: positions go on from the time of day, in steps of 2^-21 s, so that they lie beyond all that were ever given
-- out (nobody commits two million transactions a second) and clients who come with an older one read anew. Numbers
-- that JSON can carry last until the year 2106.
do $$
declare
    beginning constant bigint := extract(epoch from clock_timestamp())::bigint << 21;
begin
    execute format('create or replace function epoch_start() returns bigint'
                   ' language sql immutable parallel safe return %s', beginning);
    execute format('create or replace function epoch_offset() returns bigint'
                   ' language sql immutable parallel safe return %s',
                   beginning - pg_current_xact_id()::text::bigint);
end
$$;

-- Clients keep the highest version: those that are on record now must be higher than any they may have seen.
update calls_live set version = version + 1000000;
alter table agents disable trigger agents_version;
update agents set version = version + 1000000;
alter table agents enable trigger agents_version;

-- Nobody is connected, nothing is owed to anybody, and no function is at work.
truncate connections, subscriptions, outbox, leases;
delete from heartbeats;
