"""Lists dead letters and publishes outbox rows again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import dict_row

from shared.adapters.postgres import row_mapping
from shared.adapters.postgres.connection import Database, available
from shared.adapters.postgres.queries import load_queries
from shared.contracts.dead_letters import DeadLetterView, as_sent
from shared.usecases.reading.reads import AfterDeadLetter
from shared.usecases.recording.redrive_dead_letters import Letter

_SQL = load_queries(__file__)
DEAD = _SQL["dead_letters"]
_COUNT: LiteralString = f"select count(*) from ({DEAD}) listed where given_up_at < %(before)s"


class PostgresDeadLetters:
    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, queues: Sequence[str] | None, after: AfterDeadLetter | None, limit: int) -> list[DeadLetterView]:
        parameters = {
            "queues": None if queues is None else list(queues),
            "after_time": after and after.failed_at,
            "after_kind": after and after.kind,
            "after_id": after and after.id,
            "limit": limit,
        }
        connection = self._database.connection()
        with available(), connection.cursor(row_factory=dict_row) as cursor:
            return [_view(row) for row in cursor.execute(_SQL["page"], parameters)]

    def named(self, ids: Sequence[str]) -> list[Letter]:
        with available():
            return [Letter(*row) for row in self._database.connection().execute(_SQL["by_id"], [list(ids)])]

    def oldest(self, before: datetime, limit: int) -> list[Letter]:
        with available():
            return [Letter(*row) for row in self._database.connection().execute(_SQL["oldest"], [before, limit])]

    def count(self, before: datetime) -> int:
        with available():
            row = self._database.connection().execute(_COUNT, {"before": before}).fetchone()
        assert row is not None, "a select without a table has one row"
        return row[0]

    def requeue(self, ids: Sequence[str], now: datetime) -> set[str]:
        with available():
            connection = self._database.connection()
            rows = connection.execute(_SQL["outbox_rows"], [list(ids)]).fetchall()
            return {
                row[0]
                for txid, shard in rows
                for row in connection.execute(_SQL["requeue"], [now, txid, shard, txid, txid])
            }


def _view(row: dict[str, Any]) -> DeadLetterView:
    event = row_mapping.event_from_row(row).event if row["id"] else None
    return DeadLetterView.model_construct(
        id=row["letter_id"],
        kind=row["kind"],
        call_id=row["call_id"],
        queue_id=row["letter_queue_id"],
        type=event.name if event else "agent_status_changed",
        reason=row["why"],
        failed_at=row["given_up_at"],
        attempts=row["tries"],
        body=as_sent(event) if event else {"agents": row["letter_agents"]},
    )
