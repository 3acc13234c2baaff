-- name: positions
-- The current position, and from which positions a client can resume.
-- A client that polls reads the committed rows, so unpublished outbox rows do not hold back this position. A log that
-- never dropped a month reaches back to before its first event.
select $over as position, next_position() as next, epoch_start() as epoch,
    $agent_removed as agent_removed,
    (select min(txid) from events where (select kept_since > '-infinity' from call_retention)) as earliest

-- name: calls
-- Calls of the client's queues that changed since a position.
select * from calls c
where c.status is not null and (%(all)s or c.queue_id = any(%(queues)s))
  and c.id in (select call_id from events where txid >= %(since)s and state in ('applied', 'void'))
limit %(limit)s

-- name: departures
-- Calls that left the client's queues since a position: by a transfer, or because an earlier beginning in another queue
-- became known. Events without a version were never applied and moved no call.
select c.id, c.version from calls c
where not %(all)s and c.queue_id <> all(%(queues)s)
  and c.id in (select call_id from events where txid >= %(since)s and name in ('call_transferred', 'call_initiated'))
  and exists (
      select from events p where p.call_id = c.id and p.data ->> 'queue_id' = any(%(queues)s) and p.version is not null
  )
limit %(limit)s

-- name: agents
-- Agents that changed since a position, or whose call entered or left the client's queues.
-- A row's xmin holds the lower 32 bits of the transaction that wrote it. The upper bits are the highest that do not
-- make it later than the present.
$agents_seen and (
    $next - (($next - a.xmin::text::bigint) & 4294967295) >= %(since)s - epoch_offset()
    or not %(all)s and a.call_id in (
        select call_id from events where txid >= %(since)s and name in ('call_transferred', 'call_initiated')
    )
)
order by a.id
