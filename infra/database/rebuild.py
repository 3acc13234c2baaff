"""Fold every call on record anew from the event log, in batches of one snapshot each."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from shared.adapters.postgres import codec
from shared.adapters.postgres.connection import Moments
from shared.usecases.journal import EventRow
from shared.usecases.rebuild import Difference, differences

A_BATCH = 500
_SNAPSHOT = "begin isolation level repeatable read read only"  # a call and its log as they were at one moment
_CALLS = "select * from calls where id > %s order by id limit %s"
_LOGS = "select * from events where call_id = any(%s) order by position"  # in every month


def count(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select count(*) from calls").fetchone()
    return row[0] if row else 0


def compare(database_url: str) -> Iterator[tuple[int, list[Difference]]]:
    """Batch by batch: how many calls were folded, and what differs in them."""
    with psycopg.Connection[DictRow].connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        connection.adapters.register_loader("timestamptz", Moments)
        after = ""
        while rows := _batch(connection, after):
            calls, logs = rows
            yield (
                len(calls),
                [found for row in calls for found in differences(codec.record_from_row(row), logs[row["id"]])],
            )
            after = calls[-1]["id"]


def _batch(connection: psycopg.Connection[DictRow], after: str) -> tuple[list[Any], dict[str, list[EventRow]]] | None:
    connection.execute(_SNAPSHOT)
    calls = connection.execute(_CALLS, [after, A_BATCH]).fetchall()
    logs: dict[str, list[EventRow]] = defaultdict(list)
    for row in connection.execute(_LOGS, [[call["id"] for call in calls]]):
        logs[row["call_id"]].append(codec.event_from_row(row))
    connection.execute("commit")
    return (calls, logs) if calls else None
