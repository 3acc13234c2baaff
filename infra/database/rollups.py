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

# Months whose calls are complete. The sums of a dropped month stay and are not compared: late calls may have created
# its partition again.
_MONTHS = """
select month, month + interval '1 month' from (
    select to_date(right(c.relname, 7), 'YYYY_MM')::timestamp at time zone 'UTC' as month
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'calls'::regclass and c.relname ~ '_\\d{4}_\\d{2}$'
    union select date_trunc('month', archive_time, 'UTC') from calls_other
) known where month >= (select kept_since from call_retention) order by month
"""
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
        return [Month(*row) for row in cursor.execute(_MONTHS)]


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
