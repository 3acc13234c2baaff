"""Connections, subscriptions, and the changes that a client missed."""

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.rows import DictRow, dict_row

from shared.adapters.postgres import horizon, row_mapping
from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.queries import load_queries
from shared.adapters.postgres.reading import agents_seen
from shared.contracts.views import CallView
from shared.usecases.access import Principal
from shared.usecases.feed.subscriptions import Listener, MissedChanges
from shared.usecases.feed.topics import ids_of_kind

_SQL = load_queries(__file__, agent_removed=agents_seen.GONE)
_FIND = "select * from connections where id = %s and expires_at > now()"
_UNSUBSCRIBE = "delete from subscriptions where topic = any(%s) and connection_id = %s"
_CALLS = "select * from calls where id = any(%s)"
_AGENTS: LiteralString = agents_seen.AGENTS + " and (a.id = any(%(agents)s) or a.queues && %(wanted)s) limit %(limit)s"


class PostgresRegistry:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, listener: Listener) -> None:
        principal = listener.principal
        values = (listener.connection_id, principal.role, sorted(principal.queues), listener.connected_at)
        with self._cursor() as cursor:
            cursor.execute(_SQL["add_connection"], (*values, listener.expires_at))

    def remove(self, connection_id: str) -> None:
        with self._cursor() as cursor:
            cursor.execute("delete from connections where id = %s", [connection_id])

    def find(self, connection_id: str) -> Listener | None:
        with self._cursor() as cursor:
            row = cursor.execute(_FIND, [connection_id]).fetchone()
        if row is None:
            return None
        principal = Principal(row["role"], frozenset(row["queues"]), int(row["expires_at"].timestamp()))
        return Listener(row["id"], principal, row["connected_at"], row["expires_at"])

    def subscribe(self, connection_id: str, topics: Collection[str]) -> None:
        with self._cursor() as cursor:
            cursor.execute(_SQL["subscribe"], [list(topics), connection_id])

    def unsubscribe(self, connection_id: str, topics: Collection[str]) -> None:
        with self._cursor() as cursor:
            cursor.execute(_UNSUBSCRIBE, [list(topics), connection_id])

    def queues_of_calls(self, call_ids: Collection[str]) -> Mapping[str, str]:
        query = "select id, queue_id from calls where id = any(%s) and status is not null"
        with self._cursor() as cursor:
            return {row["id"]: row["queue_id"] for row in cursor.execute(query, [list(call_ids)])}

    def queues_of_agents(self, agent_ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        query = "select id, queues from agents where id = any(%s)"
        with self._cursor() as cursor:
            return {row["id"]: row["queues"] for row in cursor.execute(query, [list(agent_ids)])}

    def position(self) -> int:
        with available():
            return horizon.position(self._database.connection())

    def missed_changes(
        self, topics: Collection[str], principal: Principal, since: int, limit: int
    ) -> MissedChanges | None:
        """Reads everything, with the position, from one snapshot."""
        parameters = {
            "since": since,
            "all": principal.sees_all,
            "permitted": list(principal.queues),
            "limit": limit + 1,
            **{kind: ids_of_kind(topics, kind.removesuffix("s")) for kind in ("queues", "calls", "agents")},
            "alerts": ids_of_kind(topics, "alerts"),
        }
        with self._cursor() as cursor, cursor.connection.transaction():
            cursor.execute("set transaction isolation level repeatable read, read only")
            return _read_missed(cursor, parameters)

    @contextmanager
    def _cursor(self) -> Generator[psycopg.Cursor[DictRow]]:
        with available(), self._database.connection().cursor(row_factory=dict_row) as cursor:
            yield cursor


def _read_missed(cursor: psycopg.Cursor[DictRow], parameters: Mapping[str, Any]) -> MissedChanges | None:
    current = _one(cursor, horizon.HORIZON, {})
    if not horizon.is_ours(current, parameters["since"]) or _one(cursor, _SQL["needs_snapshot"], parameters)["needed"]:
        return None
    events = cursor.execute(_SQL["missed_events"], parameters).fetchall()
    permitted = {"queues": parameters["permitted"], "wanted": parameters["queues"]}
    agents = cursor.execute(_AGENTS, {**parameters, **permitted}).fetchall()
    if max(len(events), len(agents)) == parameters["limit"]:
        return None
    calls = cursor.execute(_CALLS, [list({row["call_id"] for row in events})]).fetchall()
    return MissedChanges(
        position=current["position"],
        calls=[CallView.of(row_mapping.call_from_row(row)) for row in calls],
        events=[row_mapping.event_view(row_mapping.event_from_row(row)) for row in events],
        agents=[row_mapping.agent_view(row_mapping.agent_from_row(row)) for row in agents],
    )


def _one(cursor: psycopg.Cursor[DictRow], query: Any, parameters: Mapping[str, Any]) -> DictRow:  # noqa: ANN401 - a literal
    row = cursor.execute(query, parameters).fetchone()
    assert row, "these statements always return a row"
    return row
