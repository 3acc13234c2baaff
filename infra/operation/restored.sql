-- Prepares a database that was restored from a file or a snapshot, before clients read it again. One transaction.
-- Clients may know changes that were made after the copy, and that the restored database does not contain.

-- Begin a new epoch. Positions continue from the time of day in steps of 2^-21 s, so they are higher than all positions
-- ever used (at less than two million transactions a second), and clients with an older position read a snapshot. JSON
-- numbers can hold them until the year 2106.
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

-- Clients keep the highest version, so versions must be higher than any that they may have seen.
update calls_live set version = version + 1000000;
alter table agents disable trigger agents_version;
update agents set version = version + 1000000;
alter table agents enable trigger agents_version;

-- No client is connected, nothing is left to publish, and no function is running.
truncate connections, subscriptions, outbox, leases;
delete from heartbeats;
