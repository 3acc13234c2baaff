"""The buckets of a range in SQL: parts of a day in a time zone, days, or the whole range. The first and the last may be
shorter.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

from shared.usecases.reading.figures import FigureQuery

_WIDTHS: Mapping[str, LiteralString] = {
    "5m": "5 minutes", "15m": "15 minutes", "30m": "30 minutes", "1h": "1 hour", "1d": "1 day",
}  # fmt: skip


def begin(query: FigureQuery, moment: LiteralString) -> LiteralString:
    """The beginning of the bucket that contains a moment."""
    if query.bucket is None:
        return "%(start)s::timestamptz"
    if query.bucket == "1d":
        return day(query.zone, moment)
    return f"date_bin(%(width)s::interval, {moment}, {_midnight(moment)})"


def ending(query: FigureQuery, start: LiteralString) -> LiteralString:
    """The end of the bucket that begins at `start`, or of the range if that is earlier.

    An hour lasts an hour even when clocks are set back.
    """
    if query.bucket is None:
        return "%(end)s::timestamptz"
    following = _following(query.zone, _midnight(start))
    if query.bucket == "1d":
        return f"least({following}, %(end)s)"
    return f"least({start} + %(width)s::interval, {following}, %(end)s)"


def day(zone: str, moment: LiteralString) -> LiteralString:
    """The beginning of the day that contains a moment.

    If clocks are set back at midnight, as in Havana, a day has two midnights, and `date_trunc` returns the second.
    """
    midnight = _midnight(moment)
    if "/" not in zone:
        return midnight
    return f"""case when date_trunc('day', {midnight} - interval '1 hour', %(zone)s) = {midnight}
        then {midnight} - interval '1 hour' else {midnight} end"""


def _midnight(moment: LiteralString) -> LiteralString:
    return f"date_trunc('day', {moment}, %(zone)s)"


def _following(zone: str, moment: LiteralString) -> LiteralString:
    """The day after the one that begins at `moment`: not always a day later, if clocks change at midnight (Cairo)."""
    return day(zone, f"({moment} + interval '30 hours')")


def touched(query: FigureQuery, since: LiteralString, until: LiteralString) -> LiteralString:
    """For a lateral join: the buckets that overlap a range, each with the beginning of the `following` one."""
    if query.bucket is None:
        return "select %(start)s::timestamptz as bucket, %(end)s::timestamptz as following"
    days: LiteralString = f"""select day, following from generate_series(
            date_trunc('day', {since}, %(zone)s), {until} + interval '1 day', interval '1 day', %(zone)s
        ) moment, lateral (
            select {day(query.zone, "moment")} as day, {_following(query.zone, "moment")} as following
        ) days
        where day < {until}"""
    if query.bucket == "1d":
        return f"select day as bucket, following from ({days}) days"
    return f"""select bucket, least(bucket + %(width)s::interval, following) as following
        from ({days}) days, generate_series(
            date_bin(%(width)s::interval, greatest({since}, day), day), least({until}, following), %(width)s::interval
        ) bucket where bucket < least({until}, following)"""


def parameters(query: FigureQuery) -> dict[str, Any]:
    return {
        "start": query.start,
        "end": query.end,
        "bucket": query.bucket,
        "width": _WIDTHS.get(query.bucket or ""),
        "zone": zone(query.zone),
    }


def zone(name: str) -> str:
    """An offset in POSIX notation, as Postgres expects it: east is negative."""
    if name[0] not in "+-":
        return name
    return f"<{name}>{'-' if name[0] == '+' else '+'}{name[1:]}"
