"""Reads of the REST interface. Each has an index."""

from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg.rows import dict_row

from shared.adapters.postgres import row_mapping
from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.horizon import HORIZON
from shared.adapters.postgres.reading import agents_seen, call_list_query
from shared.contracts.queries import CallsQuery
from shared.contracts.views import AgentView, CallView, EventView, QueueView
from shared.domain.fold import in_order
from shared.usecases.reading.reads import After, ListedCall
from shared.usecases.recording.ports import EventState

_CALL = "select * from calls where id = %s and status is not null"
_EVENTS = """
select * from events where call_id = %(call_id)s and (state in ('applied', 'void') or position = %(after)s)
"""
_QUEUES = "select * from queues order by id"
_QUEUE = "select * from queues where id = %s"
_AGENTS: LiteralString = agents_seen.AGENTS + " order by a.name, a.id"
_AGENT: LiteralString = agents_seen.AGENTS + " and a.id = %(id)s"


class PostgresReads:
    def __init__(self, database: Database) -> None:
        self._database = database

    def calls(
        self, query: CallsQuery, queues: Sequence[str] | None, after: After | None, limit: int
    ) -> tuple[int, list[ListedCall]]:
        statement = call_list_query.statement(query, queues, after, limit)
        connection = self._database.connection()
        with available(self._database), connection.pipeline():
            position = connection.cursor().execute(HORIZON)
            rows = connection.cursor(row_factory=dict_row).execute(
                statement, call_list_query.parameters(query, queues, after)
            )
        row = position.fetchone()
        assert row is not None, "a select without a table has one row"
        return row[0], [ListedCall(row_mapping.call_from_row(row), row["sort_key"]) for row in rows]

    def call(self, call_id: str) -> CallView | None:
        rows = self._rows(_CALL, [call_id])
        return CallView.of(row_mapping.call_from_row(rows[0])) if rows else None

    def events(self, call_id: str, after: int | None, limit: int) -> list[EventView]:
        events = [row_mapping.event_from_row(row) for row in self._rows(_EVENTS, {"call_id": call_id, "after": after})]
        rows = {row.event.id: row for row in events if row.state in (EventState.APPLIED, EventState.VOID)}
        ordered = in_order(row.event for row in rows.values())
        start = 0
        if last := next((row.event for row in events if row.position == after), None):
            is_listed = last.id in rows  # it may have become a dead letter since its page was read
            start = ordered.index(last) + 1 if is_listed else sum(event.order < last.order for event in ordered)
        return [row_mapping.event_view(rows[event.id]) for event in ordered[start : start + limit]]

    def queues(self) -> list[QueueView]:
        return [QueueView.model_construct(**row) for row in self._rows(_QUEUES)]

    def queue(self, queue_id: str) -> QueueView | None:
        return next((QueueView.model_construct(**row) for row in self._rows(_QUEUE, [queue_id])), None)

    def agents(self, queues: Sequence[str] | None = None) -> list[AgentView]:
        rows = self._rows(_AGENTS, agents_seen.by(queues))
        return [row_mapping.agent_view(row_mapping.agent_from_row(row)) for row in rows]

    def agent(self, agent_id: str, queues: Sequence[str] | None = None) -> AgentView | None:
        rows = self._rows(_AGENT, {**agents_seen.by(queues), "id": agent_id})
        return row_mapping.agent_view(row_mapping.agent_from_row(rows[0])) if rows else None

    def _rows(self, query: LiteralString, parameters: Any = None) -> list[dict[str, Any]]:  # noqa: ANN401 - psycopg's own parameter type
        connection = self._database.connection()
        with available(), connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, parameters).fetchall()
