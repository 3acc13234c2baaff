"""Compares the sums of each month with its archived calls, and recomputes them.

Statements may take minutes: pass a connection of `connections.connect`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from shared.adapters.postgres.figures import rollups
from shared.adapters.postgres.queries import load_queries

_SQL = load_queries(__file__)
# The lock lasts until the transaction ends. Dropping a month updates this row.
_IS_KEPT = "select from call_retention where kept_since <= %(beginning)s for share"


@dataclass(frozen=True, slots=True)
class Month:
    beginning: datetime
    ending: datetime


def months(connection: psycopg.Connection[Any]) -> list[Month]:
    """The months that have all of their calls, oldest first."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("set local timezone = 'UTC'")  # months end in UTC
        return [Month(*row) for row in cursor.execute(_SQL["months"])]


def differing(connection: psycopg.Connection[Any], month: Month) -> int:
    """How many sums of this month differ from its calls."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        if cursor.execute(_IS_KEPT, _parameters(month)).fetchone() is None:
            return 0
        row = cursor.execute(rollups.DIFFERING, _parameters(month)).fetchone()
    assert row is not None, "a count has a row"
    return row[0]


def compare(connection: psycopg.Connection[Any]) -> Iterator[tuple[Month, int]]:
    """Each month, with the number of its sums that differ."""
    for month in months(connection):
        yield month, differing(connection, month)


def rebuild(connection: psycopg.Connection[Any], month: Month) -> None:
    """Recompute this month's sums while no other transaction updates sums. Skips a dropped month."""
    with connection.transaction():
        if connection.execute(_IS_KEPT, _parameters(month)).fetchone() is None:
            return
        connection.execute(rollups.LOCK)
        connection.execute(rollups.EMPTY_MONTH, _parameters(month))
        connection.execute(rollups.COUNT_MONTH, _parameters(month))


def _parameters(month: Month) -> dict[str, datetime]:
    return {"beginning": month.beginning, "ending": month.ending}
