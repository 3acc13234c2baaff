-- Which relay tells of which shard, and until when it may be taken for alive. The fencing number grows with every holder,
-- whatever becomes of the row, so that a relay which was away without knowing it is told from the one in charge.
create sequence fences;
create table leases (
    shard smallint primary key,
    fence bigint not null,
    expires_at timestamptz not null
);
-- Relays no longer beat among the others.
delete from heartbeats where name = 'relay';
