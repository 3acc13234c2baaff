"""The sums that figures are made of, held month by month against the calls on the shelf, and made of them anew.

A connection given here should be one of `connections.connect`: a statement may take minutes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from shared.adapters.postgres.figures import rollups

# Months that have all of their calls. Sums of one that was forgotten stay, and are held against nothing: it has calls
# again where one comes late.
_MONTHS = """
select month, month + interval '1 month' from (
    select to_date(right(c.relname, 7), 'YYYY_MM')::timestamp at time zone 'UTC' as month
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'calls'::regclass and c.relname ~ '_\\d{4}_\\d{2}$'
    union select date_trunc('month', archive_time, 'UTC') from calls_other
) known where month >= (select kept_since from call_retention) order by month
"""
# It stays so until the transaction ends: who forgets writes here.
_IS_KEPT = "select from call_retention where kept_since <= %(beginning)s for share"


@dataclass(frozen=True, slots=True)
class Month:
    beginning: datetime
    ending: datetime


def months(connection: psycopg.Connection[Any]) -> list[Month]:
    """Oldest first."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("set local timezone = 'UTC'")  # where a month ends
        return [Month(*row) for row in cursor.execute(_MONTHS)]


def differing(connection: psycopg.Connection[Any], month: Month) -> int:
    """How many sums of this month are not what its calls give; 0 where all is well."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        if cursor.execute(_IS_KEPT, _asked(month)).fetchone() is None:
            return 0
        row = cursor.execute(rollups.DIFFERING, _asked(month)).fetchone()
    assert row is not None, "a count has a row"
    return row[0]


def compare(connection: psycopg.Connection[Any]) -> Iterator[tuple[Month, int]]:
    """Each month with how many of its sums differ."""
    for month in months(connection):
        yield month, differing(connection, month)


def rebuild(connection: psycopg.Connection[Any], month: Month) -> None:
    """Make this month's sums anew, in one transaction that nobody's counting comes between, if it was not forgotten."""
    with connection.transaction():
        if connection.execute(_IS_KEPT, _asked(month)).fetchone() is None:
            return
        connection.execute(rollups.LOCK)
        connection.execute(rollups.EMPTY_MONTH, _asked(month))
        connection.execute(rollups.COUNT_MONTH, _asked(month))


def _asked(month: Month) -> dict[str, datetime]:
    return {"beginning": month.beginning, "ending": month.ending}
