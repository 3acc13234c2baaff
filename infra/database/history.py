"""A centre's past, made up: months of calls that are over, to try and to measure reading at size.

Forty queues in twelve languages, a thousand agents; callers come by the hour and the day as to a real centre. A share
of the calls has its events, which fold to exactly the recorded call; the others have none. Only for a database without
calls.
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

QUEUES, AGENTS = 40, 1000
LANGUAGES = ("es", "en", "zh", "vi", "ru", "ar", "fr", "pt", "ht", "ko", "so", "pl")
# Callers by hour of the day and by day of the week, Monday first, in parts of the busiest.
HOURS = (3, 2, 2, 2, 3, 6, 14, 38, 72, 94, 100, 97, 86, 88, 92, 88, 78, 64, 47, 36, 27, 19, 11, 6)
DAYS = (100, 96, 94, 93, 88, 46, 31)
SETTLED = timedelta(hours=2)  # what began later would not be on the shelf yet
# Without waiting for the disk at each commit: who generates a past can do it again.
_BULK = "set synchronous_commit = off; set work_mem = '256MB'; set maintenance_work_mem = '512MB'"

_FLOOR = """
insert into queues (id, name, language)
select 'queue-' || to_char(n, 'FM00'), 'Queue ' || n, (%(languages)s::text[])[n %% %(spoken)s + 1]
from generate_series(0, %(queues)s - 1) n on conflict (id) do nothing;
insert into agents (id, name, languages, queues, status, status_since)
select 'agent-' || to_char(n, 'FM0000'), 'Agent ' || n,
    array[(%(languages)s::text[])[n %% %(queues)s %% %(spoken)s + 1], 'en'],
    array['queue-' || to_char(n %% %(queues)s, 'FM00'), 'queue-' || to_char((n + 27) %% %(queues)s, 'FM00')],
    'offline', now()
from generate_series(0, %(agents)s - 1) n on conflict (id) do nothing
"""
# An hour of callers. Times are whole milliseconds. Each so many-th call has events, so nothing befell it that its five
# kinds of events do not tell; of the others some were missed by an agent, and some transferred.
_CALLS = """
insert into calls (
    id, archive_time, version, initiated_at, answered_at, ended_at, settled_at, wait_seconds, duration_seconds,
    hold_seconds, longest_hold_seconds, hold_excess_seconds, attempts, misses, missed_by, transfers, holds, history,
    status, type, queue_id, language, agent_id, end_reason, flags, state
)
select id, begun, 3 + answered::int * 2 + holds, begun, case when answered then over_wait end, over, over, wait,
    case when answered then talk else 0 end, held, held, greatest(held - 60, 0),
    case when answered then 1 + misses else misses end, misses,
    case when misses > 0 then array['agent-' || to_char((queue + 40 * pick + 40) %% 1000, 'FM0000')] end, transfers,
    holds, true, 'ended', type, 'queue-' || to_char(queue, 'FM00'), language, agent, reason,
    array_remove(array[
        case when wait > 30 then 'sla_breached' end, case when held > 60 then 'hold_exceeded' end,
        case when answered and talk < 10 then 'short_call' end, case when misses > 0 then 'rerouted' end
    ], null),
    jsonb_strip_nulls(jsonb_build_object(
        'limits', %(limits)s::jsonb, 'last_at', over, 'rerouted', case when misses > 0 then true end,
        'tried', case when answered then jsonb_build_array(agent) end, 'last_event_id', id || '-5',
        'last_fingerprint', ''
    ))
from (
    select *, begun + make_interval(secs => wait) as over_wait,
        begun + make_interval(secs => wait + case when answered then talk else 0 end) as over,
        case when answered then 'agent-' || to_char((queue + 13 * (fate > 0.7)::int) %% 40 + 40 * pick, 'FM0000') end
            as agent,
        case when answered then 'completed' when fate > 0.9 then 'failed' else 'abandoned' end as reason,
        case when answered and not has_events and extra < 0.03 then 1 else 0 end as misses,
        case when answered and not has_events and extra > 0.98 then 1 else 0 end as transfers,
        case when answered and hold > 0 then 1 else 0 end as holds, case when answered then hold else 0 end as held
    from (
        select to_char(%(hour)s::timestamptz, 'YYYYMMDDHH24-') || to_char(n, 'FM00000') as id,
            n %% %(every)s = 0 as has_events,
            %(hour)s::timestamptz + make_interval(secs => floor(random() * %(seconds)s * 1000) / 1000) as begun,
            floor(40 * random() ^ 1.6)::int as queue, floor(random() * 25)::int as pick, random() as fate,
            random() as extra, case when random() < 0.15 then 'video' else 'voice' end as type,
            random() > 0.06 as answered,
            round((-ln(1 - random()) * 14 + 0.5)::numeric, 3)::float8 as wait,
            round((case when random() < 0.01 then 9 * random() else exp(random_normal(4.9, 0.9)) + 3 end)::numeric, 3
            )::float8 as talk,
            case when random() < 0.12 then ceil(-ln(1 - random()) * 35) else 0 end as hold
        from generate_series(1, %(calls)s) n
    ) drawn
) fated, lateral (
    select case when extra not between 0.5 and 0.53 then (%(languages)s::text[])[queue %% %(spoken)s + 1] end
        as language
) spoken
"""
_EVENTS = """
insert into events (
    at, received_at, version, dated, id, call_id, name, source, state, fingerprint, data
)
select e.at, e.at, e.step, true, c.id || '-' || e.step, c.id, e.name, 'history', 'applied', '', e.data
from (
    select * from calls
    where archive_time >= %(beginning)s and archive_time < %(ending)s and right(id, 5)::int %% %(every)s = 0
) c,
lateral (values
    (1, 'call_initiated', c.initiated_at, true, jsonb_build_object('type', c.type, 'queue_id', c.queue_id,
        'language', c.language, 'limits', %(limits)s::jsonb, 'priority', null)),
    (2, 'call_routed', c.initiated_at + (c.answered_at - c.initiated_at) / 2, c.answered_at is not null,
        jsonb_build_object('agent_id', c.agent_id, 'routing_seconds', c.wait_seconds / 2)),
    (3, 'call_answered', c.answered_at, c.answered_at is not null,
        jsonb_build_object('wait_seconds', c.wait_seconds, 'agent_id', c.agent_id)),
    (4, 'call_hold', c.answered_at + (c.ended_at - c.answered_at) / 2, c.holds > 0,
        jsonb_build_object('hold_seconds', c.hold_seconds)),
    (5, 'call_ended', c.ended_at, true,
        jsonb_build_object('reason', c.end_reason, 'duration_seconds', c.duration_seconds))
) e (step, name, at, happened, data)
where e.happened order by c.id, e.step
"""
_LIMITS = (
    '{"sla_seconds": 30, "answer_seconds": 15, "hold_seconds": 60, "short_call_seconds": 10, "wrap_up_seconds": 0, '
    '"routing": "telephony"}'
)


@dataclass(frozen=True, slots=True)
class Past:
    """`every`: each so many-th call of an hour has its events. `jobs`: so many months are made at once."""

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
    """Fill months of the shelf, their indexes and rollups made once they are full. `made` hears how many calls."""
    with connections.connect(database_url) as connection:
        _must_be_empty(connection)
        floor = {"languages": list(LANGUAGES), "spoken": len(LANGUAGES), "queues": QUEUES, "agents": AGENTS}
        for statement in _FLOOR.split(";"):
            connection.execute(statement, floor)  # type: ignore[arg-type]  # our own text
        months = _months(past, now)
        for hours in months:  # one at a time: each locks what is of no month
            connection.execute(
                "select make_month('calls', %(at)s), make_month('events', %(at)s)", {"at": hours[0].beginning}
            )
    with ThreadPoolExecutor(past.jobs) as pool:
        for done in [pool.submit(_fill, database_url, hours, past.every, made) for hours in months]:
            done.result()


def _must_be_empty(connection: psycopg.Connection) -> None:
    if connection.execute("select 1 from calls limit 1").fetchone():
        raise InfraError("This database has calls: a made-up past belongs into one of its own.")


def _months(past: Past, now: datetime) -> list[list[_Hour]]:
    """The hours of each month in which anybody calls, with as many callers as their weights give them."""
    end = now.astimezone(UTC) - SETTLED
    first = end.year * 12 + end.month - past.months
    begin = datetime(first // 12, first % 12 + 1, 1, tzinfo=UTC)
    hours = [begin + timedelta(hours=n) for n in range(int((end - begin) / timedelta(hours=1)) + 1)]
    total = sum(map(_weight, hours))
    months: dict[tuple[int, int], list[_Hour]] = {}
    owed = 0.0
    for hour in hours:
        owed += past.calls * _weight(hour) / total
        calls, owed = int(owed + 1e-6), owed - int(owed + 1e-6)
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
        asked = {
            "beginning": beginning,
            "ending": ending,
            "every": every,
            "limits": _LIMITS,
            "languages": list(LANGUAGES),
            "spoken": len(LANGUAGES),
        }
        for hour in hours:
            connection.execute(_CALLS, asked | {"hour": hour.beginning, "seconds": hour.seconds, "calls": hour.calls})
            made(hour.calls)
        connection.execute(f"alter table {month} add constraint {key} primary key (id)")  # type: ignore[arg-type]  # our own name
        connection.execute("select create_month_indexes(%s)", [month])
        connection.execute(f"analyze {month}")  # type: ignore[arg-type]  # our own name
        connection.execute(_EVENTS, asked)
        connection.execute(COUNT_MONTH, asked)
