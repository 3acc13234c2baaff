"""The statements of the recorder and the sweep, each with the purpose that it serves."""

from typing import LiteralString

from shared.adapters.postgres.columns import Columns, rows_of
from shared.adapters.postgres.row_mapping import AGENT, CALL_COLUMNS, EVENT_COLUMNS, RECORDED, RESTATED_COLUMNS

_CALL: LiteralString = ", ".join(CALL_COLUMNS)
_RECORDED: LiteralString = ", ".join(RECORDED)
_EVENT: LiteralString = ", ".join(EVENT_COLUMNS)
_AGENT: LiteralString = ", ".join([f"a.{name}" for name in AGENT])

# The calls of a batch, locked in one order so that two batches cannot block each other.
LOCK_CALLS: LiteralString = f"select {_RECORDED} from calls_live where id = any(%s::text[]) order by id for update"

# Places in the log for what may be recorded, in blocks, and the transaction's own id, so that news can be put into
# words while Postgres commits. Drawn under the calls' locks: a call's events lie in the order in which they came.
BLOCK = 1000  # the sequence's increment
DRAW = """
select this_position() as transaction,
    array(select nextval(log.position) from generate_series(1, %s)) as blocks
from (select pg_get_serial_sequence('events', 'position')::regclass as position) log
"""

# Calls that came to the shelf a while ago, back to where calls are recorded. What two want at once one of them gets.
UNARCHIVE_CALLS: LiteralString = f"""
update calls set archive_time = 'infinity' where id = any(%s::text[]) and archive_time < 'infinity'
returning {_RECORDED}
"""

# What may be shelved: over, last written a while ago, and owing nothing, so that only a late event can change it. A
# call that never began is over when the last event that waited for its beginning was given up.
TO_SHELVE = """
select id, initiated_at from calls_live c
where settled_at < %(before)s and not exists (select from timers t where t.call_id = c.id)
order by settled_at limit %(limit)s
for update skip locked
"""
SHELVE = """
update calls set archive_time = coalesce(initiated_at, settled_at) where id = any(%s) and archive_time = 'infinity'
"""

# Nothing of these live calls was received earlier; a day's grace, for functions' clocks differ by moments.
_SINCE: LiteralString = """
    select min(coalesce(recorded_since - interval '1 day', '-infinity')) from calls_live
    where id = any(%(calls)s::text[])
"""

# Which of these ids have been used before: by these calls, of which no month before they were on record can hold an
# event, or lately by any; or in no month, where they would be in the way. So the number of months does not matter.
KNOWN_EVENTS: LiteralString = (
    "select id, call_id, fingerprint from events where id = any(%(ids)s::text[]) and received_at >= least(%(since)s, ("
    + _SINCE
    + ")) union all select id, call_id, fingerprint from events_other where id = any(%(ids)s::text[])"
)

# In the order of `Limits`, after the id.
LIMITS = """
select id, sla_seconds, answer_seconds, hold_seconds, short_call_seconds, wrap_up_seconds, routing
from queues where id = any(%s::text[])
"""

# All that is known of some live calls, for the fold.
LOGS: LiteralString = (
    "select * from events where call_id = any(%(calls)s::text[]) and received_at >= (" + _SINCE + ") order by position"
)

# These come as the text of an array.
_LISTS = ("flags", "missed_by")
_VALUES: LiteralString = ", ".join([f"r.{name}::text[]" if name in _LISTS else f"r.{name}" for name in CALL_COLUMNS])
INSERT_CALLS: LiteralString = f"""
insert into calls_live ({_CALL}, recorded_since) select {_VALUES}, %s from {rows_of(CALL_COLUMNS)}
"""
UPDATE_CALLS: LiteralString = f"""
update calls_live c set ({_CALL}) = row({_VALUES}) from {rows_of(CALL_COLUMNS)} where c.id = r.id
"""

# What is sent along with few events is null for most: its text, and no list of documents.
_TOLD: LiteralString = ", ".join(["metadata::json" if name == "metadata" else name for name in EVENT_COLUMNS])
INSERT_EVENTS: LiteralString = f"""
insert into events ({_EVENT}) overriding system value select {_TOLD} from {rows_of(EVENT_COLUMNS)}
"""

# An event that found its place, lost it or was given up: a feed that catches up must see it again, hence the new txid.
RESTATE_EVENTS: LiteralString = f"""
update events e set at = r.at, state = r.state, version = coalesce(r.version, e.version), reason = r.reason,
    failed_at = r.failed_at, redriven_at = r.redriven_at, attempts = r.attempts,
    txid = this_position()
from {rows_of(RESTATED_COLUMNS)}
where e.id = r.id and e.received_at = r.received_at
"""

TIMER: Columns = {"call_id": "text", "kind": "text"}
DISARM_TIMERS: LiteralString = f"""
delete from timers t using {rows_of(TIMER)}
where t.call_id = r.call_id and t.kind = r.kind
"""

ARMED_TIMER: Columns = {**TIMER, "due_at": "timestamptz"}
ARM_TIMERS: LiteralString = f"""
insert into timers (call_id, kind, due_at) select * from {rows_of(ARMED_TIMER)}
on conflict (call_id, kind) do update set due_at = excluded.due_at
"""

# An agent is let go by the call that has the agent. What a call did that was over before anybody heard of it, such as a
# missed ring, holds for a free agent too, unless the agent has said something since; what the agent said meanwhile was
# said during the call. `call_id` stays with an agent who is free again: until somebody else decides on the agent, the
# call may still turn out to have been judged wrongly. A miss that the queue forgives leaves the agent available; one
# that is taken back counts no more, and one that is known counts once. What an agent said during the call holds when
# there is nothing to wrap up any more, what was said after the release at once, and the call has no say in it then. To
# be available goes without saying: it is heard only where it was said after the release. Where another call has the
# agent as well, the agent is that one's now. A wrap-up goes on behind another call's ring that came to nothing, unless
# the agent is away by it or has said something meanwhile.
ENGAGED: Columns = {"agent_id": "text", "call_id": "text", "status": "text", "since": "timestamptz"}
RELEASED: Columns = {**ENGAGED, "reason": "text", "engaged_since": "timestamptz", "known": "bool", "place": "int"}
_SAID_MEANWHILE = "a.call_id is null and a.status not in ('offered', 'on_call') and a.reported_at > r.engaged_since"
_AGENT_STATE: tuple[LiteralString, ...] = (
    "id", "status", "status_since", "reason", "misses", "call_id", "next_status", "next_reason", "engaged_since",
    "second_call_id", "second_status", "second_since", "reported_at",
)  # fmt: skip
_STATE: LiteralString = ", ".join(_AGENT_STATE)
_SAME: LiteralString = ", ".join([f"a.{name}" for name in _AGENT_STATE])
_SAID: tuple[LiteralString, ...] = tuple(name for name in RELEASED if name not in ("agent_id", "place"))
_SAID_IN_TURN: LiteralString = ", ".join([f"array_agg({name} order by place) as told_{name}" for name in _SAID])
_ALL_SAID: LiteralString = ", ".join([f"told_{name}" for name in _SAID])
_NEXT_SAID: LiteralString = ", ".join([f"a.told_{name}[a.place + 1] as {name}" for name in _SAID])
# An agent's releases are applied one after the other, by their places from 1: a batch that tells of a whole shift has
# many of each agent. The rows are locked before they are looked at: another call may be at them.
RELEASE_AGENTS: LiteralString = f"""
with recursive said as (
    select agent_id, {_SAID_IN_TURN} from {rows_of(RELEASED)} group by agent_id
), held as (
    select {_SAME}, {_ALL_SAID} from agents a join said on said.agent_id = a.id order by a.id for update of a
), released as (
    select 0 as place, false as moved, {_STATE}, {_ALL_SAID} from held
    union all
    select a.place + 1, now.*, {_ALL_SAID}
    from released a, lateral (
        select {_NEXT_SAID}
    ) r, lateral (
        select coalesce(a.call_id = r.call_id, false) or coalesce(a.second_call_id = r.call_id, false)
            or (r.status <> 'available' or r.engaged_since is not null) and not r.known
                and a.status not in ('offered', 'on_call') and a.status_since <= r.since as applies,
            coalesce(a.second_call_id = r.call_id, false) as is_second,
            a.status in ('offered', 'on_call') and a.second_call_id is not null and a.second_status <> 'wrap_up'
                as hands_on,
            a.second_call_id <> r.call_id and a.second_status = 'offered' and r.status = 'wrap_up' as rings_on,
            a.status = 'offered' and a.second_call_id is not null and a.second_status = 'wrap_up'
                and coalesce(a.reported_at <= a.status_since, true) as interrupts,
            case when {_SAID_MEANWHILE} then a.status else a.next_status end as next_status,
            case when {_SAID_MEANWHILE} then a.reason else a.next_reason end as next_reason,
            r.status = 'away' and a.status <> 'away' and (r.known or a.misses + 1 < (
                select q.misses_before_away from calls_live c join queues q on q.id = c.queue_id where c.id = r.call_id
            )) as forgiven
    ) n, lateral (
        select n.interrupts and (n.forgiven or r.status = 'available' and r.engaged_since is null) as resumes
    ) w, lateral (
        select
            case when a.reported_at > r.since
                or n.next_status <> 'available' and r.status <> 'wrap_up' and not w.resumes
            then n.next_status end as said
    ) s, lateral (
        select true as moved, a.id, case
            when n.is_second then a.status
            when n.hands_on then a.second_status
            when w.resumes then 'wrap_up'
            else coalesce(s.said, case when n.forgiven then 'available' else r.status end)
        end as status, case
            when n.is_second then a.status_since
            when n.hands_on then a.second_since
            when s.said is not null then greatest(r.since, a.reported_at)
            else r.since
        end as status_since, case
            when n.is_second then a.reason
            when n.hands_on then null
            when s.said is not null then n.next_reason
            when not n.forgiven then r.reason
        end as reason, case
            when n.is_second then a.misses
            when n.hands_on and a.second_status = 'on_call' or s.said is not null then 0
            when r.status = 'away' and a.status <> 'away' and not r.known then a.misses + 1
            when r.engaged_since is not null and r.status <> 'away' then 0
            when r.status = 'available' and a.status in ('away', 'available') then greatest(a.misses - 1, 0)
            else a.misses
        end as misses, case
            when n.is_second then a.call_id
            when n.hands_on or w.resumes then a.second_call_id
            when s.said is null then r.call_id
        end as call_id, case
            when n.is_second or n.hands_on or w.resumes then a.next_status
            when s.said is null and r.status in ('wrap_up', 'away') then n.next_status
        end as next_status, n.next_reason, case
            when n.hands_on then a.second_since
            when n.is_second or a.call_id = r.call_id then a.engaged_since
            else coalesce(r.engaged_since, r.since)
        end as engaged_since, case
            when n.rings_on then a.call_id
        end as second_call_id, case
            when n.rings_on then 'wrap_up' else a.second_status
        end as second_status, a.second_since, a.reported_at
        where n.applies
        union all
        select a.moved, {_SAME} where not n.applies
    ) now
    where a.place < cardinality(a.told_call_id)
)
update agents a set
    status = r.status, status_since = r.status_since, reason = r.reason, misses = r.misses, call_id = r.call_id,
    next_status = r.next_status, next_reason = r.next_reason, engaged_since = r.engaged_since,
    second_call_id = r.second_call_id, second_status = r.second_status
from released r
where a.id = r.id and r.place = cardinality(r.told_call_id) and r.moved
returning {_AGENT}
"""

# As telephony tells it, but never away from another call: then the call has the agent when that one lets go. An agent
# whom nobody introduced gets a record. What an agent said after the engagement began holds when it is over. A wrap-up
# waits behind a ring, and is over when the agent talks.
_TAKES = "(a.call_id = excluded.call_id or a.status not in ('offered', 'on_call'))"
_SAID_SINCE = "a.call_id is null and a.reported_at > excluded.status_since"
_INTERRUPTS = "a.status = 'wrap_up' and excluded.status = 'offered' and a.call_id <> excluded.call_id"
ENGAGE_AGENTS: LiteralString = f"""
insert into agents as a (id, name, status, status_since, call_id, engaged_since)
select r.agent_id, r.agent_id, r.status, r.since, r.call_id, r.since
from {rows_of(ENGAGED)}
on conflict (id) do update set
    status = case when {_TAKES} then excluded.status else a.status end,
    status_since = case when {_TAKES} then excluded.status_since else a.status_since end,
    call_id = case when {_TAKES} then excluded.call_id else a.call_id end,
    engaged_since = case when a.status in ('offered', 'on_call') then a.engaged_since else excluded.engaged_since end,
    reason = case when not {_TAKES} then a.reason end,
    misses = case when {_TAKES} and excluded.status = 'on_call' then 0 else a.misses end,
    next_status = case when {_SAID_SINCE} then a.status else a.next_status end,
    next_reason = case when {_SAID_SINCE} then a.reason else a.next_reason end,
    second_call_id = case
        when not {_TAKES} then excluded.call_id
        when {_INTERRUPTS} then a.call_id
        when a.second_call_id <> excluded.call_id and (a.second_status, excluded.status) <> ('wrap_up', 'on_call')
        then a.second_call_id
    end,
    second_status = case
        when not {_TAKES} then excluded.status when {_INTERRUPTS} then a.status else a.second_status
    end,
    second_since = case when not {_TAKES} then excluded.status_since else a.second_since end
returning {_AGENT}
"""

# Whom nobody introduced gets a record by a call that has let go again, too.
REGISTER_UNKNOWN_AGENTS: LiteralString = f"""
insert into agents as a (id, name, status, status_since, call_id, engaged_since)
select agent_id, agent_id, status, since, call_id, since from {rows_of(ENGAGED)} order by agent_id
on conflict do nothing
returning {_AGENT}
"""

# How a queue finds agents at this moment, in the order of `Routing`, after the id.
ROUTING = "select id, strategy, overflow_seconds, overflow_queue_id from queues where id = any(%s)"

# The calls whose timers are due, earliest first, so many of each kind: a flood of one kind must not starve the others.
# The call is locked, not the timer, as in every other transaction: whoever works on a call at this moment settles its
# timers too, so such calls are passed over.
DUE_TIMERS = """
select due.* from unnest(%(kinds)s::text[]) as kinds (kind), lateral (
    select t.call_id, t.kind from timers t join calls_live c on c.id = t.call_id
    where t.kind = kinds.kind and t.due_at <= %(now)s
    order by t.due_at limit %(limit)s
    for update of c skip locked
) due
"""

# Calls for which Switchboard must find an agent and whom somebody is free to take. At the head is who has waited
# longest, a step of priority counting as so many seconds of waiting: time does not change that order. A queue's calls
# of one language and priority stand in a line of an index. Its lines are found by leaping from each to the next, and of
# each the head is read, with some to spare, for others may be at work there: those whom nobody can take cost nothing.
_LINE = "seeks, coalesce(language, ''), coalesce(priority, -1)"
_IS_FREE = "exists (select from free_agents f where f.queue_id = {} and (language = '' or language = any(f.languages)))"
WAITING_CALLS: LiteralString = f"""
select c.id
from (
    select head.id, head.initiated_at
        - make_interval(secs => coalesce(nullif(line.priority, -1), q.priority) * q.aging_seconds) as place
    from queues q, lateral (
        with recursive lines (seeks, language, priority) as (
            (select {_LINE} from calls_live where seeks is not null and queue_id = q.id
            order by queue_id, {_LINE} limit 1)
            union all
            select next.* from lines l, lateral (
                select {_LINE} from calls_live
                where seeks is not null and queue_id = q.id and ({_LINE}) > (l.seeks, l.language, l.priority)
                order by queue_id, {_LINE} limit 1
            ) next
        )
        select lines.*, case
            when {_IS_FREE.format("q.id")} then 'infinity'
            when seeks = 'any' and {_IS_FREE.format("q.overflow_queue_id")}
            then %(now)s - make_interval(secs => q.overflow_seconds)
        end as began_by
        from lines
    ) line, lateral (
        select id, initiated_at from calls_live
        where seeks is not null and queue_id = q.id and ({_LINE}) = (line.seeks, line.language, line.priority)
          and initiated_at <= line.began_by
        order by initiated_at, id limit %(limit)s + 20
    ) head
    where (%(queues)s::text[] is null or q.id = any(%(queues)s) or q.overflow_queue_id = any(%(queues)s))
      and exists (select from free_agents f where f.queue_id in (q.id, q.overflow_queue_id))
    order by place, head.id limit %(limit)s + 20
) head join calls_live c on c.id = head.id and c.seeks is not null
order by head.place, c.id limit %(limit)s
for update of c skip locked
"""
