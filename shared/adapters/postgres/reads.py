"""Reads for the REST interface, each on an index of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import dict_row

from shared.adapters.postgres import codec, listing
from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.horizon import HORIZON
from shared.contracts.queries import CallsQuery
from shared.contracts.views import AgentView, CallView, EventView, QueueView
from shared.usecases.reads import After, Listed

_CALL = "select * from calls where id = %s and status is not null"
# The beginning first, whatever a skewed clock says, then by place in time, as the fold reads them.
_EVENTS = """
select * from (
    select *, case when name = 'call_initiated' then '0001-01-01 00:00:00+00'::timestamptz else at end as place
    from events
    where call_id = %(call_id)s and state in ('applied', 'void')
) history
where %(after_time)s::timestamptz is null or (place, position) > (%(after_time)s, %(after_position)s)
order by place, position limit %(limit)s
"""
_QUEUES = "select * from queues order by id"
_QUEUE = "select * from queues where id = %s"
_AGENTS = "select * from agents order by name, id"
_AGENT = "select * from agents where id = %s"


class PostgresReads:
    def __init__(self, database: Database) -> None:
        self._database = database

    def calls(
        self, query: CallsQuery, queues: Sequence[str] | None, after: After | None, limit: int
    ) -> tuple[int, list[Listed]]:
        found = listing.statement(query, queues, after, limit)
        connection = self._database.connection()
        with available(self._database), connection.pipeline():
            position = connection.cursor().execute(HORIZON)
            rows = connection.cursor(row_factory=dict_row).execute(found, listing.parameters(query, queues, after))
        place = position.fetchone()
        assert place is not None, "a select without a table has one row"
        return place[0], [Listed(codec.call_from_row(row), row["sort_key"]) for row in rows]

    def call(self, call_id: str) -> CallView | None:
        rows = self._rows(_CALL, [call_id])
        return CallView.of(codec.call_from_row(rows[0])) if rows else None

    def events(self, call_id: str, after: tuple[datetime, int] | None, limit: int) -> list[EventView]:
        time, position = after or (None, None)
        parameters = {"call_id": call_id, "after_time": time, "after_position": position, "limit": limit}
        return [codec.event_view(codec.event_from_row(row)) for row in self._rows(_EVENTS, parameters)]

    def queues(self) -> list[QueueView]:
        return [QueueView.model_construct(**row) for row in self._rows(_QUEUES)]

    def queue(self, queue_id: str) -> QueueView | None:
        return next((QueueView.model_construct(**row) for row in self._rows(_QUEUE, [queue_id])), None)

    def agents(self) -> list[AgentView]:
        return [codec.agent_view(codec.agent_from_row(row)) for row in self._rows(_AGENTS)]

    def agent(self, agent_id: str) -> AgentView | None:
        return next((codec.agent_view(codec.agent_from_row(row)) for row in self._rows(_AGENT, [agent_id])), None)

    def _rows(self, query: LiteralString, parameters: Any = None) -> list[dict[str, Any]]:  # noqa: ANN401 - psycopg's own parameter type
        connection = self._database.connection()
        with available(), connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, parameters).fetchall()
