"""Reads the changes since a position for clients that poll."""

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from shared.adapters.postgres import horizon, row_mapping
from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.queries import load_queries
from shared.adapters.postgres.reading import agents_seen
from shared.contracts.views import CallView, Departure
from shared.usecases.reading.poll_changes import ChangeSet

_SQL = load_queries(
    __file__,
    over=horizon.OVER,
    agent_removed=agents_seen.GONE,
    agents_seen=agents_seen.AGENTS,
    next="(select pg_snapshot_xmax(pg_current_snapshot())::text::bigint)",
)


class PostgresChanges:
    def __init__(self, database: Database) -> None:
        self._database = database

    def since(self, position: int, queues: Collection[str] | None, limit: int) -> ChangeSet:
        """Reads the position first: changes that commit during the read are read twice rather than not at all."""
        parameters = {**agents_seen.by(queues), "since": position, "limit": limit + 1}
        connection = self._database.connection()
        with available(self._database), connection.pipeline():
            positions, *others = [
                _cursor(connection).execute(_SQL[name], parameters)
                for name in ("positions", "calls", "departures", "agents")
            ]
        current = positions.fetchone()
        assert current, "a select without a table has one row"
        calls, left, agents = (cursor.fetchall() for cursor in others)
        return ChangeSet(
            current["position"],
            [CallView.of(row_mapping.call_from_row(row)) for row in calls],
            [Departure.trusted(id=row["id"], version=row["version"]) for row in left],
            [row_mapping.agent_view(row_mapping.agent_from_row(row)) for row in agents],
            is_complete=_reaches(current, position)
            and not current["agent_removed"]
            and max(len(calls), len(left)) <= limit,
        )


def _cursor(connection: psycopg.Connection[Any]) -> psycopg.Cursor[DictRow]:
    return connection.cursor(row_factory=dict_row)


def _reaches(current: DictRow, since: int) -> bool:
    """Whether the log still contains everything since a position."""
    is_logged = current["earliest"] is None or since >= min(current["earliest"], current["position"])
    return is_logged and horizon.is_ours(current, since)
