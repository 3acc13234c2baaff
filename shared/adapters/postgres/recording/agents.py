"""Records the statuses that agents report, and the set-up of agents and queues."""

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
from shared.adapters.postgres.queries import load_queries
from shared.adapters.postgres.recording.outbox import REPUBLISH_AFTER
from shared.contracts.problems import refuse
from shared.contracts.setup import AgentSetup, QueueSetup
from shared.contracts.views import QueueView
from shared.domain.agent import ENGAGED, AgentStatus
from shared.domain.fold import TICK
from shared.usecases import tracing
from shared.usecases.recording.change_agent_status import AgentChange, StatusChange

_SQL = load_queries(__file__)


class PostgresAgents:
    def __init__(self, database: Database) -> None:
        self._database = database

    def change(self, change: StatusChange) -> AgentChange:
        try:
            return self._change(change)
        except errors.UniqueViolation:  # another transaction recorded a report with this id; it is visible now
            return self._change(change)

    def _change(self, change: StatusChange) -> AgentChange:
        connection = self._database.connection()
        with available(), connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(_SQL["lock_agent"], [change.agent_id]).fetchone()
            if row is None:
                return AgentChange("unknown")
            agent = row_mapping.agent_from_row(row)
            if known := cursor.execute(_SQL["known_report"], [change.event_id]).fetchone():
                return AgentChange("replayed" if _same(known, change) else "key_reused", agent)
            change = _with_time(change, row)
            parameters = {**asdict(change), "source": change.source, **_outbox_parameters(change.received_at)}
            cursor.execute(_SQL["record_report"], parameters)
            return _apply(cursor, change, parameters, row)

    def put_agent(self, agent_id: str, setup: AgentSetup, now: datetime) -> AgentChange:
        connection = self._database.connection()
        with available(), connection.cursor(row_factory=dict_row) as cursor:
            parameters = setup.model_dump(by_alias=False) | {"id": agent_id, "now": now, "skills": Jsonb(setup.skills)}
            cursor.execute(_SQL["put_agent"], parameters | _outbox_parameters(now))
            return _applied(cursor.fetchone())

    def put_queue(self, queue_id: str, setup: QueueSetup) -> QueueView:
        connection = self._database.connection()
        with available(), _overflow_errors(setup), connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(_SQL["put_queue"], {"id": queue_id, **setup.model_dump(by_alias=False)})
            return QueueView.model_construct(**_row(cursor.fetchone()))


@contextmanager
def _overflow_errors(setup: QueueSetup) -> Generator[None]:
    """Converts errors about the overflow queue into problems with its field."""
    field, detail = "overflowQueueId", f"Calls cannot overflow to {setup.overflow_queue_id}."
    try:
        yield
    except errors.ForeignKeyViolation:
        raise refuse(400, detail, (field, "is not a queue known here")) from None
    except errors.CheckViolation:
        raise refuse(400, detail, (field, "is this queue itself")) from None


def _outbox_parameters(now: datetime) -> dict[str, Any]:
    return {"again_at": now + REPUBLISH_AFTER, "traceparent": tracing.current()}


def _with_time(change: StatusChange, agent: DictRow) -> StatusChange:
    """A change without a time comes after the agent's newest record, even if another sender's clock is ahead."""
    newest = max(agent["status_since"], agent["reported_at"] or agent["status_since"])
    return change if change.dated else replace(change, at=max(change.at, newest + TICK))


def _apply(cursor: Cursor[DictRow], change: StatusChange, parameters: dict[str, Any], row: DictRow) -> AgentChange:
    """A late report has the effect that it would have had in time. At the same instant, reports come before calls."""
    agent = row_mapping.agent_from_row(row)
    since, engaged_since = agent.status_since, row["engaged_since"] or agent.status_since
    if _is_outdated(change, row):
        return AgentChange("outdated", agent)
    if agent.status in ENGAGED and change.at >= engaged_since:
        if change.at > engaged_since:
            cursor.execute(_SQL["apply_report_later"], parameters)
        return AgentChange("deferred", agent)
    is_newer = change.at > since or (change.at == since and agent.call_id is None)
    if not is_newer and change.at <= engaged_since:
        return AgentChange("outdated", agent)
    wraps_up = agent.status is AgentStatus.WRAP_UP
    is_implied = agent.call_id and change.status == AgentStatus.AVAILABLE
    if not is_newer and (wraps_up or is_implied):
        cursor.execute(_SQL["apply_report_later"], parameters)
        return AgentChange("deferred" if wraps_up else "outdated", agent)
    cursor.execute(_SQL["apply_report"], parameters | {"since": max(change.at, since)})
    return _applied(cursor.fetchone())


def _is_outdated(change: StatusChange, agent: DictRow) -> bool:
    """Whether the agent reported something later, so that this report does not change the current status."""
    newest = agent["reported_at"], agent["reported_source"]
    return agent["reported_at"] is not None and (change.at, change.source) < newest


def _same(known: DictRow, change: StatusChange) -> bool:
    return (known["agent_id"], known["fingerprint"]) == (change.agent_id, change.fingerprint)


def _row(row: DictRow | None) -> dict[str, Any]:
    assert row is not None, "a statement that returns its row has one"
    return row


def _applied(row: DictRow | None) -> AgentChange:
    changed = _row(row)
    agent, removed = row_mapping.agent_from_row(changed), changed["removed_queues"] or ()
    return AgentChange("applied", agent, changed["transaction"], changed["traceparent"], removed)
