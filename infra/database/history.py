"""Generates the history of a call centre: months of archived calls, to measure reading.

It has forty queues in twelve languages and a thousand agents. The number of callers depends on the hour and the day, as
in a real centre. Some calls have events, which give exactly the stored call; the others have none. The database must
have no calls.
"""

import calendar
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from infra.database import connections
from infra.errors import InfraError
from shared.adapters.postgres.figures.rollups import COUNT_MONTH
from shared.adapters.postgres.queries import load_queries

QUEUES, AGENTS = 40, 1000
LANGUAGES = ("es", "en", "zh", "vi", "ru", "ar", "fr", "pt", "ht", "ko", "so", "pl")
# Callers by hour of the day and by day of the week (Monday first), relative to the busiest.
HOURS = (3, 2, 2, 2, 3, 6, 14, 38, 72, 94, 100, 97, 86, 88, 92, 88, 78, 64, 47, 36, 27, 19, 11, 6)
DAYS = (100, 96, 94, 93, 88, 46, 31)
SETTLED = timedelta(hours=2)  # later calls would not be archived yet
# Commits do not wait for the disk, because a lost history can be generated again.
_BULK = "set synchronous_commit = off; set work_mem = '256MB'; set maintenance_work_mem = '512MB'"

_SQL = load_queries(__file__)
_LIMITS = (
    '{"sla_seconds": 30, "answer_seconds": 15, "hold_seconds": 60, "short_call_seconds": 10, "wrap_up_seconds": 0, '
    '"routing": "telephony"}'
)


@dataclass(frozen=True, slots=True)
class Past:
    """What to generate.

    calls: number of calls
    months: number of months
    every: one call in this many has events
    jobs: months that are generated at the same time
    """

    calls: int
    months: int
    every: int = 50
    jobs: int = 2


@dataclass(frozen=True, slots=True)
class _Hour:
    beginning: datetime
    seconds: float
    calls: int


def generate(database_url: str, past: Past, now: datetime, made: Callable[[int], None] = lambda _: None) -> None:
    """Fill months of the archive, then create their indexes and sums. `made` gets the number of created calls."""
    with connections.connect(database_url) as connection:
        _must_be_empty(connection)
        sizes = {"languages": list(LANGUAGES), "spoken": len(LANGUAGES), "queues": QUEUES, "agents": AGENTS}
        for name in ("queues", "agents"):
            connection.execute(_SQL[name], sizes)
        months = _months(past, now)
        for hours in months:  # one at a time, because each locks the default partitions
            connection.execute(
                "select make_month('calls', %(at)s), make_month('events', %(at)s)", {"at": hours[0].beginning}
            )
    with ThreadPoolExecutor(past.jobs) as pool:
        for done in [pool.submit(_fill, database_url, hours, past.every, made) for hours in months]:
            done.result()


def _must_be_empty(connection: psycopg.Connection) -> None:
    if connection.execute("select 1 from calls limit 1").fetchone():
        raise InfraError("This database has calls. Generate a history in an empty one.")


def _months(past: Past, now: datetime) -> list[list[_Hour]]:
    """The hours of each month, with their share of the callers."""
    end = now.astimezone(UTC) - SETTLED
    first = end.year * 12 + end.month - past.months
    begin = datetime(first // 12, first % 12 + 1, 1, tzinfo=UTC)
    hours = [begin + timedelta(hours=n) for n in range(int((end - begin) / timedelta(hours=1)) + 1)]
    total = sum(map(_weight, hours))
    months: dict[tuple[int, int], list[_Hour]] = {}
    remainder = 0.0
    for hour in hours:
        remainder += past.calls * _weight(hour) / total
        calls, remainder = int(remainder + 1e-6), remainder - int(remainder + 1e-6)
        seconds = min(3600.0, (end - hour).total_seconds())
        months.setdefault((hour.year, hour.month), []).append(_Hour(hour, seconds, calls))
    return list(months.values())


def _weight(hour: datetime) -> float:
    return HOURS[hour.hour] * DAYS[calendar.weekday(hour.year, hour.month, hour.day)]


def _fill(database_url: str, hours: list[_Hour], every: int, made: Callable[[int], None]) -> None:
    beginning, ending = hours[0].beginning, hours[-1].beginning + timedelta(hours=1)
    month = f"calls_{beginning:%Y_%m}"
    with connections.connect(database_url) as connection:
        for setting in _BULK.split(";"):
            connection.execute(setting)  # type: ignore[arg-type]  # our own text
        connection.execute("select setseed(%s)", [beginning.month / 13])
        key = f"{month}_pkey"
        connection.execute("select drop_month_indexes(%s)", [month])
        connection.execute(f"alter table {month} drop constraint {key}")  # type: ignore[arg-type]  # our own name
        parameters = {
            "beginning": beginning,
            "ending": ending,
            "every": every,
            "limits": _LIMITS,
            "languages": list(LANGUAGES),
            "spoken": len(LANGUAGES),
        }
        for hour in hours:
            connection.execute(
                _SQL["calls"], parameters | {"hour": hour.beginning, "seconds": hour.seconds, "calls": hour.calls}
            )
            made(hour.calls)
        connection.execute(f"alter table {month} add constraint {key} primary key (id)")  # type: ignore[arg-type]  # our own name
        connection.execute("select create_month_indexes(%s)", [month])
        connection.execute(f"analyze {month}")  # type: ignore[arg-type]  # our own name
        connection.execute(_SQL["events"], parameters)
        connection.execute(COUNT_MONTH, parameters)
