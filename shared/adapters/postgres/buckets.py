"""The buckets of a range, in SQL: parts of the zone's days, a day, or all; the first and the last may be cut short."""

from collections.abc import Mapping
from typing import Any, LiteralString

from shared.usecases.metrics import Span

_WIDTHS: Mapping[str, LiteralString] = {
    "5m": "5 minutes", "15m": "15 minutes", "30m": "30 minutes", "1h": "1 hour", "1d": "1 day",
}  # fmt: skip


def begin(span: Span, moment: LiteralString) -> LiteralString:
    """Of the bucket in which a moment lies."""
    if span.bucket is None:
        return "%(start)s::timestamptz"
    day: LiteralString = f"date_trunc('day', {moment}, %(zone)s)"
    return day if span.bucket == "1d" else f"date_bin(%(width)s::interval, {moment}, {day})"


def ending(start: LiteralString) -> LiteralString:
    """Of the bucket that begins at `start`, or of the range where that is earlier."""
    return f"""case when %(bucket)s::text is null then %(end)s::timestamptz
        else least(({start} at time zone %(zone)s + %(width)s::interval) at time zone %(zone)s, %(end)s) end"""


def touched(span: Span, since: LiteralString, until: LiteralString) -> LiteralString:
    """The buckets that a stretch of time reaches into, each with its `following`: for a lateral."""
    if span.bucket is None:
        return "select %(start)s::timestamptz as bucket, %(end)s::timestamptz as following"
    days: LiteralString = f"""select day, date_add(day, interval '1 day', %(zone)s) as following
        from generate_series(date_trunc('day', {since}, %(zone)s), {until}, interval '1 day', %(zone)s) day
        where day < {until}"""
    if span.bucket == "1d":
        return f"select day as bucket, following from ({days}) days"
    return f"""select bucket, least(bucket + %(width)s::interval, following) as following
        from ({days}) days, generate_series(
            date_bin(%(width)s::interval, greatest({since}, day), day), least({until}, following), %(width)s::interval
        ) bucket where bucket < least({until}, following)"""


def parameters(span: Span) -> dict[str, Any]:
    return {
        "start": span.start,
        "end": span.end,
        "bucket": span.bucket,
        "width": _WIDTHS.get(span.bucket or ""),
        "zone": zone(span.zone),
    }


def zone(name: str) -> str:
    """An offset as POSIX has it, which Postgres goes by: there, east is negative."""
    if name[0] not in "+-":
        return name
    return f"<{name}>{'-' if name[0] == '+' else '+'}{name[1:]}"
