-- name: subscribers
-- Reads the connections that are subscribed to topics, grouped by rights and topics, and the position of the feed.
-- One round trip per flush, so that a new subscription takes effect at once. Transactions that commit after this
-- statement began are not below the position.
with feed as (
    $horizon
), listening as (
    select s.connection_id, c.role, c.queues, array_agg(s.topic order by s.topic) as topics
    from subscriptions s join connections c on c.id = s.connection_id
    where s.topic = any(%s) and c.expires_at > now()
    group by 1, 2, 3
)
select position, role, queues, topics, array_agg(connection_id) as connection_ids
from feed left join listening on true group by 1, 2, 3, 4

-- name: pending
-- Reads the oldest outbox rows of this relay, from a given row on.
-- A relay also takes rows of shards that no longer exist, because the number of shards was reduced.
select * from outbox where failed_at is null and shard %% %s = %s and (txid, shard) > (%s, %s)
order by txid, shard limit %s

-- name: ack
-- Deletes outbox rows that were published, if this relay still holds the lease.
-- The commit does not wait for the disk: after a crash of Postgres, rows that come back are published twice.
with lease as (
    select from leases where shard = %(shard)s and fencing_token = %(fence)s
), deleted as (
    delete from outbox o using unnest(%(txids)s::bigint[], %(of)s::smallint[]) as acked (txid, shard)
    where (o.txid, o.shard) = (acked.txid, acked.shard) and o.shard %% %(shards)s = %(shard)s
      and exists (select from lease)
)
select exists (select from lease) as held, set_config('synchronous_commit', 'off', true)

-- name: acquire
-- Takes the lease of a shard that is free, has expired, or is held with a given token.
insert into leases (shard, fencing_token, expires_at)
values (%(shard)s, nextval('fencing_tokens'), now() + make_interval(secs => %(seconds)s))
on conflict (shard) do update set fencing_token = nextval('fencing_tokens'), expires_at = excluded.expires_at
where leases.expires_at <= now() or leases.fencing_token = %(after)s
returning fencing_token

-- name: renew
-- Extends the lease, if this relay still holds it.
update leases set expires_at = now() + make_interval(secs => %(seconds)s)
where shard = %(shard)s and fencing_token = %(fence)s
returning fencing_token
