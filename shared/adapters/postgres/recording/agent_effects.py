"""The statements that apply the effects of calls on agents. Decisions about agents move to the domain later."""

from typing import LiteralString

from shared.adapters.postgres.columns import Columns, rows_from
from shared.adapters.postgres.row_mapping import AGENT

_AGENT: LiteralString = ", ".join([f"a.{name}" for name in AGENT])

# Applies releases. Rules:
# - A call releases the agent that it has. The result of a call that ended before it was reported, such as a missed
#   offer, also applies to a free agent, unless the agent reported a status since.
# - `call_id` stays with a free agent until another cause decides, because the call may turn out to be judged wrongly.
# - A miss that the queue forgives leaves the agent available. A withdrawn miss no longer counts, and a known one counts
#   once.
# - A status that the agent reported during the call applies when no wrap-up is left. A report after the release applies
#   at once, and ends the influence of the call. `available` applies only if it was reported after the release, because
#   agents become available anyway.
# - If a second call has the agent too, the agent is that call's now.
# - A wrap-up that an offer interrupted goes on after the offer, unless it made the agent away or the agent reported a
#   status.
ENGAGED: Columns = {"agent_id": "text", "call_id": "text", "status": "text", "since": "timestamptz"}
RELEASED: Columns = {**ENGAGED, "reason": "text", "engaged_since": "timestamptz", "known": "bool", "place": "int"}
_REPORTED_SINCE_ENGAGED = (
    "a.call_id is null and a.status not in ('offered', 'on_call') and a.reported_at > r.engaged_since"
)
_AGENT_STATE: tuple[LiteralString, ...] = (
    "id", "status", "status_since", "reason", "misses", "call_id", "next_status", "next_reason", "engaged_since",
    "second_call_id", "second_status", "second_since", "reported_at",
)  # fmt: skip
_STATE: LiteralString = ", ".join(_AGENT_STATE)
_SAME: LiteralString = ", ".join([f"a.{name}" for name in _AGENT_STATE])
_FIELDS: tuple[LiteralString, ...] = tuple(name for name in RELEASED if name not in ("agent_id", "place"))
_FIELD_ARRAYS: LiteralString = ", ".join([f"array_agg({name} order by place) as released_{name}" for name in _FIELDS])
_ARRAY_NAMES: LiteralString = ", ".join([f"released_{name}" for name in _FIELDS])
_NEXT_FIELDS: LiteralString = ", ".join([f"a.released_{name}[a.place + 1] as {name}" for name in _FIELDS])
# Releases of one agent are applied in order of their `place`, from 1: a batch that reports a whole shift has many. The
# agents are locked first, because other transactions may be changing them.
RELEASE_AGENTS: LiteralString = f"""
with recursive releases as (
    select agent_id, {_FIELD_ARRAYS} from {rows_from(RELEASED)} group by agent_id
), held as (
    select {_SAME}, {_ARRAY_NAMES} from agents a join releases on releases.agent_id = a.id order by a.id for update of a
), released as (
    select 0 as place, false as moved, {_STATE}, {_ARRAY_NAMES} from held
    union all
    select a.place + 1, now.*, {_ARRAY_NAMES}
    from released a, lateral (
        select {_NEXT_FIELDS}
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
            case when {_REPORTED_SINCE_ENGAGED} then a.status else a.next_status end as next_status,
            case when {_REPORTED_SINCE_ENGAGED} then a.reason else a.next_reason end as next_reason,
            r.status = 'away' and a.status <> 'away' and (r.known or a.misses + 1 < (
                select q.misses_before_away from calls_live c join queues q on q.id = c.queue_id where c.id = r.call_id
            )) as forgiven
    ) n, lateral (
        select n.interrupts and (n.forgiven or r.status = 'available' and r.engaged_since is null) as resumes
    ) w, lateral (
        select
            case when a.reported_at > r.since
                or n.next_status <> 'available' and r.status <> 'wrap_up' and not w.resumes
            then n.next_status end as reported
    ) s, lateral (
        select true as moved, a.id, case
            when n.is_second then a.status
            when n.hands_on then a.second_status
            when w.resumes then 'wrap_up'
            else coalesce(s.reported, case when n.forgiven then 'available' else r.status end)
        end as status, case
            when n.is_second then a.status_since
            when n.hands_on then a.second_since
            when s.reported is not null then greatest(r.since, a.reported_at)
            else r.since
        end as status_since, case
            when n.is_second then a.reason
            when n.hands_on then null
            when s.reported is not null then n.next_reason
            when not n.forgiven then r.reason
        end as reason, case
            when n.is_second then a.misses
            when n.hands_on and a.second_status = 'on_call' or s.reported is not null then 0
            when r.status = 'away' and a.status <> 'away' and not r.known then a.misses + 1
            when r.engaged_since is not null and r.status <> 'away' then 0
            when r.status = 'available' and a.status in ('away', 'available') then greatest(a.misses - 1, 0)
            else a.misses
        end as misses, case
            when n.is_second then a.call_id
            when n.hands_on or w.resumes then a.second_call_id
            when s.reported is null then r.call_id
        end as call_id, case
            when n.is_second or n.hands_on or w.resumes then a.next_status
            when s.reported is null and r.status in ('wrap_up', 'away') then n.next_status
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
    where a.place < cardinality(a.released_call_id)
)
update agents a set
    status = r.status, status_since = r.status_since, reason = r.reason, misses = r.misses, call_id = r.call_id,
    next_status = r.next_status, next_reason = r.next_reason, engaged_since = r.engaged_since,
    second_call_id = r.second_call_id, second_status = r.second_status
from released r
where a.id = r.id and r.place = cardinality(r.released_call_id) and r.moved
returning {_AGENT}
"""

# Applies engagements as telephony reports them. Rules:
# - A call does not take an agent from another call. It becomes the second call, and has the agent after the first.
# - An unknown agent gets a row.
# - A status that the agent reported after the engagement began applies after it.
# - An offer interrupts a wrap-up, and an answered call ends it.
_TAKES = "(a.call_id = excluded.call_id or a.status not in ('offered', 'on_call'))"
_REPORTED_SINCE = "a.call_id is null and a.reported_at > excluded.status_since"
_INTERRUPTS = "a.status = 'wrap_up' and excluded.status = 'offered' and a.call_id <> excluded.call_id"
ENGAGE_AGENTS: LiteralString = f"""
insert into agents as a (id, name, status, status_since, call_id, engaged_since)
select r.agent_id, r.agent_id, r.status, r.since, r.call_id, r.since
from {rows_from(ENGAGED)}
on conflict (id) do update set
    status = case when {_TAKES} then excluded.status else a.status end,
    status_since = case when {_TAKES} then excluded.status_since else a.status_since end,
    call_id = case when {_TAKES} then excluded.call_id else a.call_id end,
    engaged_since = case when a.status in ('offered', 'on_call') then a.engaged_since else excluded.engaged_since end,
    reason = case when not {_TAKES} then a.reason end,
    misses = case when {_TAKES} and excluded.status = 'on_call' then 0 else a.misses end,
    next_status = case when {_REPORTED_SINCE} then a.status else a.next_status end,
    next_reason = case when {_REPORTED_SINCE} then a.reason else a.next_reason end,
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

# Creates rows for unknown agents of calls that have already released them.
REGISTER_UNKNOWN_AGENTS: LiteralString = f"""
insert into agents as a (id, name, status, status_since, call_id, engaged_since)
select agent_id, agent_id, status, since, call_id, since from {rows_from(ENGAGED)} order by agent_id
on conflict do nothing
returning {_AGENT}
"""
