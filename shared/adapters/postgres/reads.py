"""Reads for the REST interface, each on an index of its own."""

from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg.rows import dict_row

from shared.adapters.postgres import codec, listing
from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.horizon import HORIZON
from shared.contracts.queries import CallsQuery
from shared.contracts.views import AgentView, CallView, EventView, QueueView
from shared.domain.facts import NAMES
from shared.usecases.reads import After, Listed

_CALL = "select * from calls where id = %s and status is not null"
# As the fold reads them: `Event.order`.
_ORDER: LiteralString = """
    name <> 'call_initiated', at, source = 'system', coalesce(sequence, 0), array_position(%(names)s, name),
    id collate "C"
"""
_EVENTS: LiteralString = f"""
select * from events
where call_id = %(call_id)s and state in ('applied', 'void') and (
    %(after)s::bigint is null
    or ({_ORDER}) > (select {_ORDER} from events where call_id = %(call_id)s and position = %(after)s)
)
order by {_ORDER} limit %(limit)s
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

    def events(self, call_id: str, after: int | None, limit: int) -> list[EventView]:
        parameters = {"call_id": call_id, "after": after, "limit": limit, "names": [*NAMES.values()]}
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
