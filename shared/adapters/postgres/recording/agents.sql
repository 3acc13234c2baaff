-- name: lock_agent
-- Reads an agent and locks its row.
select * from agents where id = %s for update

-- name: known_report
-- Finds a report that has the same id.
select agent_id, fingerprint from agent_events where id = %s

-- name: record_report
-- Records what an agent reported.
insert into agent_events (id, agent_id, status, reason, at, received_at, fingerprint, sequence)
values (%(event_id)s, %(agent_id)s, %(status)s, %(reason)s, %(at)s, %(received_at)s, %(fingerprint)s, %(sequence)s)

-- name: apply_report
-- Sets the status that an agent reported, and adds the change to the outbox.
-- The call that caused the previous status has no further effect.
with changed as (
    update agents
    set status = %(status)s, status_since = %(since)s, reason = %(reason)s, call_id = null, misses = 0,
        next_status = null, second_call_id = null, reported_at = %(at)s, reported_source = %(source)s
    where id = %(agent_id)s returning *
), published as (
    insert into outbox (agents, next_attempt_at, traceparent)
    select array[id], %(again_at)s, %(traceparent)s from changed
    returning txid, traceparent
)
select changed.*, published.txid as transaction, published.traceparent, '{}'::text[] as removed_queues
from changed, published

-- name: apply_report_later
-- Stores the status that an agent reported for the time after the current call.
update agents
set next_status = %(status)s, next_reason = %(reason)s, reported_at = %(at)s, reported_source = %(source)s
where id = %(agent_id)s

-- name: put_agent
-- Creates or updates the set-up of an agent, and adds the change to the outbox.
-- An agent that is created with a status has reported it, for agent time. The outbox row names the queues from which
-- the agent was removed.
with previous as (
    select queues from agents where id = %(id)s for update
), changed as (
    insert into agents (id, name, languages, queues, skills, status, status_since)
    select %(id)s, %(name)s, %(languages)s, %(queues)s, %(skills)s, coalesce(%(status)s, 'offline'), %(now)s
    from (select count(*) from previous) first -- locks and reads the row before it changes
    on conflict (id) do update
    set name = excluded.name, languages = excluded.languages, queues = excluded.queues, skills = excluded.skills,
        moved_at_position = case
            when agents.queues <@ excluded.queues then agents.moved_at_position else this_position()
        end
    returning *, xmax = 0 as created
), removed as (
    select array(select unnest(previous.queues) except select unnest(changed.queues)) as queues from previous, changed
), signed_in as (
    insert into agent_events (id, agent_id, status, at, received_at, fingerprint)
    select 'set-up:' || id, id, status, status_since, status_since, '' from changed
    where created and status <> 'offline'
    on conflict do nothing
), published as (
    insert into outbox (agents, moved, next_attempt_at, traceparent)
    select array[id], (select jsonb_build_object(id, removed.queues) from removed where removed.queues <> '{}'),
        %(again_at)s, %(traceparent)s
    from changed
    returning txid, traceparent
)
select changed.*, published.txid as transaction, published.traceparent,
    (select queues from removed) as removed_queues
from changed, published

-- name: put_queue
-- Creates or updates the set-up of a queue.
insert into queues
    (id, name, language, sla_seconds, answer_seconds, hold_seconds, short_call_seconds, wrap_up_seconds, routing,
     strategy, misses_before_away, priority, aging_seconds, overflow_seconds, overflow_queue_id)
values
    (%(id)s, %(name)s, %(language)s, %(sla_seconds)s, %(answer_seconds)s, %(hold_seconds)s, %(short_call_seconds)s,
     %(wrap_up_seconds)s, %(routing)s, %(strategy)s, %(misses_before_away)s, %(priority)s, %(aging_seconds)s,
     %(overflow_seconds)s, %(overflow_queue_id)s)
on conflict (id) do update set
    name = excluded.name, language = excluded.language, sla_seconds = excluded.sla_seconds,
    answer_seconds = excluded.answer_seconds, hold_seconds = excluded.hold_seconds,
    short_call_seconds = excluded.short_call_seconds, wrap_up_seconds = excluded.wrap_up_seconds,
    routing = excluded.routing, strategy = excluded.strategy, misses_before_away = excluded.misses_before_away,
    priority = excluded.priority, aging_seconds = excluded.aging_seconds,
    overflow_seconds = excluded.overflow_seconds, overflow_queue_id = excluded.overflow_queue_id
returning *
