"""The archive of ended calls, by month. Moving a call and updating the sums is one transaction."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from shared.adapters.postgres.figures import rollups

Query = tuple[LiteralString, Any]

MONTHS_OF = timedelta(days=5 * 366)  # older calls get no partition, so that false dates cannot create hundreds

# Creates the log's partitions of this month and the next, before their first events.
MAKE_EVENT_MONTHS = "select make_month('events', %(now)s), make_month('events', %(now)s + interval '1 month')"
MAKE_CALL_MONTH = "select make_month('calls', %s)"
FORGET_MONTH = "select forget_month(%s)"  # drops the oldest month that ended by that time


def months(started: Iterable[datetime], now: datetime) -> list[datetime]:
    """Beginnings of the months whose partitions must exist before calls that started then can be archived."""
    moments = {moment.astimezone(UTC) for moment in started if moment > now - MONTHS_OF}
    return sorted({datetime(moment.year, moment.month, 1, tzinfo=UTC) for moment in moments})


def kept_since(now: datetime, keep_months: int) -> datetime:
    """Beginning of the oldest month to keep. The current month is not counted."""
    now = now.astimezone(UTC)
    year, month = divmod(now.year * 12 + now.month - 1 - keep_months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def update_rollups(call_ids: Sequence[str], sign: int) -> Sequence[Query]:
    """Statements that add calls to the sums (`sign` 1: just archived) or subtract them (-1: just moved back)."""
    return rollups.added(call_ids) if sign > 0 else rollups.removed(call_ids)
