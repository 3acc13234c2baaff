"""The shelf: months of calls that are over. What must happen beside a call's move happens in the same transaction."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from shared.adapters.postgres.figures import rollups

Query = tuple[LiteralString, Any]

MONTHS_OF = timedelta(days=5 * 366)  # what claims to be older has no month of its own, so that nobody can make hundreds

# To be there before its first event: this month's partition of the log, and the next one's.
MAKE_EVENT_MONTHS = "select make_month('events', %(now)s), make_month('events', %(now)s + interval '1 month')"
MAKE_CALL_MONTH = "select make_month('calls', %s)"
FORGET_MONTH = "select forget_month(%s)"  # the oldest that is over before that time


def months(started: Iterable[datetime], now: datetime) -> list[datetime]:
    """The months, by their beginnings, that must be there before calls that started then can be shelved."""
    moments = {moment.astimezone(UTC) for moment in started if moment > now - MONTHS_OF}
    return sorted({datetime(moment.year, moment.month, 1, tzinfo=UTC) for moment in moments})


def kept_since(now: datetime, keep_months: int) -> datetime:
    """The beginning of the oldest month to keep: so many before the one that goes on."""
    now = now.astimezone(UTC)
    year, month = divmod(now.year * 12 + now.month - 1 - keep_months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def recount(call_ids: Sequence[str], sign: int) -> Sequence[Query]:
    """What adds these calls to the rollups (1: just shelved) or takes them out (-1: just off the shelf, unchanged)."""
    return rollups.added(call_ids) if sign > 0 else rollups.removed(call_ids)
