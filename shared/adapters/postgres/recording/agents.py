"""Agents and queues on record: what they report, and how they are set up."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from psycopg import Cursor, errors
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb

from shared.adapters.postgres import row_mapping
from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.recording.outbox import REPUBLISH_AFTER
from shared.contracts.problems import refuse
from shared.contracts.setup import AgentSetup, QueueSetup
from shared.contracts.views import QueueView
from shared.domain.agent import ENGAGED, AgentStatus
from shared.domain.fold import TICK
from shared.usecases import tracing
from shared.usecases.recording.change_agent_status import AgentChange, StatusChange

_LOCK = "select * from agents where id = %s for update"
_KNOWN = "select agent_id, fingerprint from agent_events where id = %s"
_RECORD = """
insert into agent_events (id, agent_id, status, reason, at, received_at, fingerprint, sequence)
values (%(event_id)s, %(agent_id)s, %(status)s, %(reason)s, %(at)s, %(received_at)s, %(fingerprint)s, %(sequence)s)
"""
# Whatever call put the agent into the status before, it has no say any more.
_APPLY = """
with changed as (
    update agents
    set status = %(status)s, status_since = %(since)s, reason = %(reason)s, call_id = null, misses = 0,
        next_status = null, second_call_id = null, reported_at = %(at)s, reported_source = %(source)s
    where id = %(agent_id)s returning *
), gone as (
    select '{}'::text[] as queues
)"""
# As soon as the call lets go of the agent.
_APPLY_LATER = """
update agents set next_status = %(status)s, next_reason = %(reason)s,
    reported_at = %(at)s, reported_source = %(source)s
where id = %(agent_id)s
"""
_PUT_AGENT = """
with was as (
select queues from agents where id = %(id)s for update
), changed as (
insert into agents (id, name, languages, queues, skills, status, status_since)
select %(id)s, %(name)s, %(languages)s, %(queues)s, %(skills)s, coalesce(%(status)s, 'offline'), %(now)s
from (select count(*) from was) first -- locked and read, before it changes
on conflict (id) do update
set name = excluded.name, languages = excluded.languages, queues = excluded.queues, skills = excluded.skills,
    moved_at_position = case
        when agents.queues <@ excluded.queues then agents.moved_at_position else this_position()
    end
returning *, xmax = 0 as created
), gone as (
select array(select unnest(was.queues) except select unnest(changed.queues)) as queues from was, changed
)"""
# Who is signed in by being set up has said so, as far as the agent's time goes.
_SIGNED_IN = """, signed_in as (
    insert into agent_events (id, agent_id, status, at, received_at, fingerprint)
    select 'set-up:' || id, id, status, status_since, status_since, '' from changed
    where created and status <> 'offline'
    on conflict do nothing
)"""
# The floor is told of it like of anything else, and of the queues out of which the agent is gone.
_TOLD = """, told as (
    insert into outbox (agents, moved, next_attempt_at, traceparent)
    select array[id], (select jsonb_build_object(id, gone.queues) from gone where gone.queues <> '{}'),
        %(again_at)s, %(traceparent)s
    from changed
    returning txid, traceparent
)
select changed.*, told.txid as transaction, told.traceparent, (select queues from gone) as gone from changed, told
"""
_PUT_QUEUE = """
insert into queues
    (id, name, language, sla_seconds, answer_seconds, hold_seconds, short_call_seconds, wrap_up_seconds, routing,
     strategy, misses_before_away, priority, aging_seconds, overflow_seconds, overflow_queue_id)
values (%(id)s, %(name)s, %(language)s, %(sla_seconds)s, %(answer_seconds)s, %(hold_seconds)s, %(short_call_seconds)s,
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
"""


class PostgresAgents:
    def __init__(self, database: Database) -> None:
        self._database = database

    def change(self, change: StatusChange) -> AgentChange:
        try:
            return self._change(change)
        except errors.UniqueViolation:  # another agent's word took its id at this moment, and is known by now
            return self._change(change)

    def _change(self, change: StatusChange) -> AgentChange:
        connection = self._database.connection()
        with available(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_LOCK, [change.agent_id]).fetchone()
            if row is None:
                return AgentChange("unknown")
            agent = row_mapping.agent_from_row(row)
            if known := cursor.execute(_KNOWN, [change.event_id]).fetchone():
                return AgentChange("replayed" if _same(known, change) else "key_reused", agent)
            change = _placed(change, row)
            told = {**asdict(change), "source": change.source, **_telling(change.received_at)}
            cursor.execute(_RECORD, told)
            return _apply(cursor, change, told, row)

    def put_agent(self, agent_id: str, setup: AgentSetup, now: datetime) -> AgentChange:
        connection = self._database.connection()
        with available(), connection.cursor(row_factory=dict_row) as cursor:
            said = setup.model_dump(by_alias=False) | {"id": agent_id, "now": now, "skills": Jsonb(setup.skills)}
            cursor.execute(_PUT_AGENT + _SIGNED_IN + _TOLD, said | _telling(now))
            return _applied(cursor.fetchone())

    def put_queue(self, queue_id: str, setup: QueueSetup) -> QueueView:
        connection = self._database.connection()
        with available(), _overflowing(setup), connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(_PUT_QUEUE, {"id": queue_id, **setup.model_dump(by_alias=False)})
            return QueueView.model_construct(**_row(cursor.fetchone()))


@contextmanager
def _overflowing(setup: QueueSetup) -> Generator[None]:
    """What the database knows of an overflow queue, in the words of whoever set it up."""
    field, detail = "overflowQueueId", f"Calls cannot overflow to {setup.overflow_queue_id}."
    try:
        yield
    except errors.ForeignKeyViolation:
        raise refuse(400, detail, (field, "is not a queue known here")) from None
    except errors.CheckViolation:
        raise refuse(400, detail, (field, "is this queue itself")) from None


def _telling(now: datetime) -> dict[str, Any]:
    return {"again_at": now + REPUBLISH_AFTER, "traceparent": tracing.current()}


def _placed(change: StatusChange, agent: DictRow) -> StatusChange:
    """Without a date, a change comes after all that is known of the agent, even if another sender's clock is ahead."""
    newest = max(agent["status_since"], agent["reported_at"] or agent["status_since"])
    return change if change.dated else replace(change, at=max(change.at, newest + TICK))


def _apply(cursor: Cursor[DictRow], change: StatusChange, told: dict[str, Any], row: DictRow) -> AgentChange:
    """What is heard late holds as if it had been heard of in time. In one instant agents speak before calls."""
    agent = row_mapping.agent_from_row(row)
    since, engaged_since = agent.status_since, row["engaged_since"] or agent.status_since
    if _was_overtaken(change, row):
        return AgentChange("outdated", agent)
    if agent.status in ENGAGED and change.at >= engaged_since:
        if change.at > engaged_since:
            cursor.execute(_APPLY_LATER, told)
        return AgentChange("deferred", agent)
    is_news = change.at > since or (change.at == since and agent.call_id is None)
    if not is_news and change.at <= engaged_since:
        return AgentChange("outdated", agent)
    wraps_up = agent.status is AgentStatus.WRAP_UP
    goes_without_saying = agent.call_id and change.status == AgentStatus.AVAILABLE
    if not is_news and (wraps_up or goes_without_saying):
        cursor.execute(_APPLY_LATER, told)
        return AgentChange("deferred" if wraps_up else "outdated", agent)
    cursor.execute(_APPLY + _TOLD, told | {"since": max(change.at, since)})
    return _applied(cursor.fetchone())


def _was_overtaken(change: StatusChange, agent: DictRow) -> bool:
    """By what the agent said after it: then it says what was, and nothing of what is."""
    newest = agent["reported_at"], agent["reported_source"]
    return agent["reported_at"] is not None and (change.at, change.source) < newest


def _same(known: DictRow, change: StatusChange) -> bool:
    return (known["agent_id"], known["fingerprint"]) == (change.agent_id, change.fingerprint)


def _row(row: DictRow | None) -> dict[str, Any]:
    assert row is not None, "a statement that returns its row has one"
    return row


def _applied(row: DictRow | None) -> AgentChange:
    changed = _row(row)
    agent, gone = row_mapping.agent_from_row(changed), changed["gone"] or ()
    return AgentChange("applied", agent, changed["transaction"], changed["traceparent"], gone)
