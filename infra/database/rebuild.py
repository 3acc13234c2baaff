"""Recomputes every call from the event log, in batches of one snapshot each."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from infra.database import connections
from shared.adapters.postgres import row_mapping
from shared.usecases.recording.ports import EventRow
from shared.usecases.recording.rebuild_call import Difference, differences

CALLS_PER_BATCH = 500
_SNAPSHOT = "begin isolation level repeatable read read only"  # a call and its log as of the same moment
_CALLS = "select * from calls where id > %s order by id limit %s"
_LOGS = "select * from events where call_id = any(%s) order by position"


def count(database_url: str) -> int:
    with connections.connect(database_url) as connection:
        row = connection.execute("select count(*) from calls").fetchone()
    return row[0] if row else 0


def compare(database_url: str) -> Iterator[tuple[int, list[Difference]]]:
    """For each batch: the number of calls, and their differences from the log."""
    with connections.connect(database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        after = ""
        while rows := _batch(cursor, after):
            calls, logs = rows
            yield (
                len(calls),
                [found for row in calls for found in differences(row_mapping.record_from_row(row), logs[row["id"]])],
            )
            after = calls[-1]["id"]


def _batch(cursor: psycopg.Cursor[DictRow], after: str) -> tuple[list[Any], dict[str, list[EventRow]]] | None:
    cursor.execute(_SNAPSHOT)
    calls = cursor.execute(_CALLS, [after, CALLS_PER_BATCH]).fetchall()
    logs: dict[str, list[EventRow]] = defaultdict(list)
    for row in cursor.execute(_LOGS, [[call["id"] for call in calls]]):
        logs[row["call_id"]].append(row_mapping.event_from_row(row))
    cursor.execute("commit")
    return (calls, logs) if calls else None
