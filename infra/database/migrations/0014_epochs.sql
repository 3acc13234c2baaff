-- A position is a transaction's id, counted on from where its epoch begins. A database that was restored begins a new
-- epoch (infra/database/restored.sql): its transactions may have had other positions before, of which clients still know.
create function epoch_start() returns bigint language sql immutable parallel safe return 0;
create function epoch_offset() returns bigint language sql immutable parallel safe return 0;
-- of this transaction
create function this_position() returns bigint language sql stable
    return epoch_offset() + pg_current_xact_id()::text::bigint;
-- below which every transaction is over
create function horizon_position() returns bigint language sql stable
    return epoch_offset() + pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
-- the first not given out yet
create function next_position() returns bigint language sql stable
    return epoch_offset() + pg_snapshot_xmax(pg_current_snapshot())::text::bigint;

alter table events alter column txid set default this_position();
alter table outbox alter column txid set default this_position();
