"""How long readers wait at size, through the handler. `make bench` takes fewer calls than the promise names, which
`python -m bench.reads --calls 10000000` takes.

Reading is measured with two thousand open calls and an hour of calls that have just ended beside the history. A page
deep in the list is one in its middle. `--keep FOLDER` keeps the database, and uses it again.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from rich.console import Console

from bench import ingest
from bench.report import table
from bench.stage import KEY, Figure, Stage, per_second, stage
from infra.database import history, migrate
from shared.adapters import clock
from shared.adapters.auth import tokens
from shared.contracts.base import rfc3339

CALLS, MONTHS, OPEN, JUST_ENDED = 300_000, 12, 2_000, 3_000
ROUNDS, INGEST_ROUNDS, BATCHES = 200, 5, 8
# A quarter of a small server's memory for its cache, as is usual, and room to load without a checkpoint a minute.
SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB", "effective_cache_size": "8GB", "random_page_cost": "1.1"}
FIRST, FLOOR, DAY, MONTH = 15, 10, 50, 200  # milliseconds promised
AGENTS = [f"agent-{n:04}" for n in range(0, history.AGENTS, 7)]
QUEUES = [f"queue-{n:02}" for n in range(history.QUEUES)]
FILTERS: dict[str, dict[str, list[str]]] = {
    "no filter": {},
    "status=ended": {"status": ["ended"]},
    "queueId": {"queueId": QUEUES},
    "three of queueId": {"queueId": ["queue-01,queue-17,queue-39"]},
    "twenty of queueId": {"queueId": [",".join(QUEUES[:20])]},  # as a supervisor's token has them
    "twenty of queueId, sort=-wait": {"queueId": [",".join(QUEUES[:20])], "sort": ["-wait"]},
    "agentId": {"agentId": AGENTS},
    "forty of agentId": {"agentId": [",".join(AGENTS[:40])]},
    "agentId=-": {"agentId": ["-"]},
    "language": {"language": list(history.LANGUAGES)},
    "type": {"type": ["video", "voice"]},
    "flag": {"flag": ["sla_breached", "hold_exceeded", "short_call", "rerouted"]},
    "two of flag": {"flag": ["hold_exceeded,short_call"]},
    "noFlag": {"noFlag": ["sla_breached"]},
    "endReason": {"endReason": ["abandoned", "failed", "completed"]},
    "answered": {"answered": ["true", "false"]},
    "waited": {"waited": ["true", "false"]},
    "held": {"held": ["true"]},
    "missed": {"missed": ["true"]},
    "transferred": {"transferred": ["true"]},
    "queueId and flag": {"queueId": QUEUES, "flag": ["sla_breached"]},
    "agentId and endReason": {"agentId": AGENTS, "endReason": ["completed"]},
    "sort=start": {"sort": ["start"]},
    "sort=-wait": {"sort": ["-wait"]},
    "sort=duration": {"sort": ["duration"]},
}
_LIVE = """
insert into calls_live (id, version, initiated_at, answered_at, ended_at, settled_at, due_at, wait_seconds,
    duration_seconds, attempts, status, type, queue_id, language, agent_id, end_reason, state)
select 'live-' || n, 3, begun, answered, ended, ended, case when ended is null then begun + interval '30 s' end,
    case when answered is not null then 12 end, case when ended is not null then 240 end, 1,
    case when ended is not null then 'ended' when answered is null then 'waiting' else 'active' end, 'voice',
    'queue-' || to_char(n %% 40, 'FM00'), 'es',
    case when answered is not null then 'agent-' || to_char(n %% 1000, 'FM0000') end,
    case when ended is not null then 'completed' end,
    jsonb_build_object('limits', %(limits)s::jsonb, 'last_at', begun, 'tried', '[]'::jsonb)
from (
    select n, begun, case when n %% 2 = 0 or n > %(open)s then begun + interval '12 s' end as answered,
        case when n > %(open)s then begun + interval '252 s' end as ended
    from (
        select n, %(now)s::timestamptz
            - make_interval(secs => case when n > %(open)s then 300 + n %% 3000 else n %% 280 end) as begun
        from generate_series(1, %(open)s + %(ended)s) n
    ) begun
) stages
"""
# Calls of a time whose log is there, a second after they were answered. A run takes some away from the next one.
_ANSWERED = """
select id, answered_at + interval '1 s' from calls
where archive_time >= %s and archive_time < %s
    and answered_at is not null and duration_seconds > 5 and right(id, 5) ~ '[05]0$'
order by initiated_at limit %s
"""
# A shift of each agent's on every day of calls: figures by agent show how it was spent.
_SHIFTS = """
insert into agent_rollups (grain, start, agent_id, ringing_ms, on_call_ms, wrap_up_ms, available_ms, away_ms)
select '1d agent', start, agent_id, 4000 * offered, talk_ms + hold_ms, 20000 * handled,
    greatest(27000000 - talk_ms - hold_ms - 24000 * offered, 0), 1800000
from call_rollups where grain = '1d agent only' and agent_id <> '-'
union all
select '1d', start, '', sum(4000 * offered), sum(talk_ms + hold_ms), sum(20000 * handled), 0, 0
from call_rollups where grain = '1d agent only' and agent_id <> '-' group by start
on conflict do nothing
"""
Asked = dict[str, list[str]]


def measure(ground: Stage, calls: int = CALLS, *, kept: bool = False) -> Iterator[Figure]:
    begun, now = time.perf_counter(), clock.now()
    url, made = _database(ground, calls, kept=kept)
    if made:
        yield Figure(
            f"generate {calls:,} calls", time.perf_counter() - begun, "s", note="with indexes, events and rollups"
        )
    ground.become_function(url)
    middle = now - timedelta(days=15 * MONTHS)
    for name, asked in FILTERS.items():
        first, deep = _p99s(_pages(asked), _pages(asked, _place(url, asked.get("sort", ["-start"])[0], middle)))
        yield Figure(f"list, {name}: first page", first, "ms p99", note=_judged(first, FIRST))
        yield Figure(
            f"list, {name}: deep", deep, "ms p99", first, "its first page, promised 1.5" + _missed(deep, 1.5 * first)
        )
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    found = _p99(_pages({"id": [f"{day:%Y%m%d}{hour}-0000" for hour in (10, 14)]}))
    yield Figure("list, id begins", found, "ms p99", note=_judged(found, FIRST))
    found = _p99(
        _pages({"from": [rfc3339(day)], "to": [rfc3339(day + timedelta(hours=9))], "sort": ["start", "-wait"]})
    )
    yield Figure("list, a day", found, "ms p99", note=_judged(found, FIRST))
    floor: Asked = {"status": ["waiting,active,on_hold"], "sort": ["urgency"]}
    found = _p99(_pages(floor))
    yield Figure(f"the floor, {OPEN:,} open calls, 50 of them", found, "ms p99", note=_judged(found, FLOOR))
    yield Figure(
        "the floor, 500 of them", _p99(_pages(floor | {"limit": ["500"]})), "ms p99", note="told, not promised"
    )
    month = (day.replace(day=1) - timedelta(days=1)).replace(day=1)
    next_month = (month + timedelta(days=31)).replace(day=1)
    yield from _metrics("a day's figures", day, day + timedelta(days=1), DAY, "1h")
    yield from _metrics("a month's figures", month, next_month, MONTH, "1d")
    yield from _late(ground, url, middle)
    yield from _ingest(ground, url)


def _metrics(name: str, start: datetime, end: datetime, promised: int, bucket: str) -> Iterator[Figure]:
    for parted, asked in {
        "": {},
        " by queue": {"groupBy": ["queue"]},
        " by agent": {"groupBy": ["agent"]},
        " by language and type": {"groupBy": ["language,type"]},
        f" by {bucket}": {"bucket": [bucket]},
    }.items():
        span = {"from": [rfc3339(start)], "to": [rfc3339(end)], "zone": ["UTC"]}
        found = _p99(_asking("/api/metrics", span | asked), ROUNDS // 4)
        yield Figure(name + parted, found, "ms p99", note=_judged(found, promised))


def _late(ground: Stage, url: str, middle: datetime) -> Iterator[Figure]:
    """Each takes its call off the shelf and out of the sums. Beside it, turn by turn, new calls."""
    with psycopg.connect(url) as connection:
        old = connection.execute(_ANSWERED, [middle, middle + timedelta(days=60), 2 * ROUNDS]).fetchall()
    ground.become_function(url)
    holds = (
        {"event": "call_hold", "callId": call_id, "holdDuration": 1, "occurredAt": at.isoformat()}
        for call_id, at in old
    )  # fmt: skip
    begun = ingest.lifecycles(2 * ROUNDS)[: 2 * ROUNDS]
    late, usual = _p99s(_posts(holds), _posts(event | {"callId": f"{time.time_ns()}"} for event in begun))
    yield Figure("ingest, a late event for a call of months ago", late, "ms p99", usual, "one that begins a call")


def _posts(events: Iterable[dict[str, Any]]) -> Iterator[Callable[[], None]]:
    for event in events:
        request = ingest._request(event)
        yield lambda request=request: ingest._post(request)


def _ingest(ground: Stage, url: str) -> Iterator[Figure]:
    """Turn by turn on an empty database and on this one, so that both have the same machine."""
    places = {"empty": ground.database(), "large": url}
    rates: dict[str, list[float]] = {"empty": [], "large": []}
    for turn, place in itertools.product(range(INGEST_ROUNDS + 1), places):
        ground.become_function(places[place])
        requests = _requests(f"{place}-{turn}-{time.time_ns()}")
        rate = per_second(lambda requests=requests: [ingest._post(request) for request in requests], len(requests))
        if turn:
            rates[place].append(rate * ingest.BATCH)
    large, empty = median(rates["large"]), median(rates["empty"])
    yield Figure("ingest, 500 a request, at this size", large, "events/s", empty, "on an empty database, promised 0.9"
                 + _missed(0.9 * empty, large))  # fmt: skip


def _requests(prefix: str) -> list[dict[str, Any]]:
    events = [
        event | {"callId": f"{prefix}-{event['callId']}"}
        for event in ingest.lifecycles(BATCHES * ingest.BATCH // 5)
    ]  # fmt: skip
    return [ingest._request(events[at : at + ingest.BATCH]) for at in range(0, len(events), ingest.BATCH)]


def _database(ground: Stage, calls: int, *, kept: bool) -> tuple[str, bool]:
    """With so many calls in the past, made or kept, and a floor of this moment."""
    url = ground.postgres.url_of(f"history_{calls}")
    with psycopg.connect(ground.postgres.url_of("postgres"), autocommit=True) as connection:
        known = connection.execute("select 1 from pg_database where datname = %s", [f"history_{calls}"]).fetchone()
    if kept and known:
        migrate.migrate(url)
    else:
        fresh = ground.database()
        history.generate(fresh, history.Past(calls, MONTHS), clock.now())
        with psycopg.connect(ground.postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(f"alter database {fresh.rpartition('/')[2]} rename to history_{calls}")  # type: ignore[arg-type]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("truncate calls_live, timers, outbox")
        live = {"now": clock.now(), "open": OPEN, "ended": JUST_ENDED, "limits": history._LIMITS}
        connection.execute(_LIVE, live)
        connection.execute("vacuum analyze calls_live" if kept and known else "vacuum analyze")  # as autovacuum does
        connection.execute(_SHIFTS)
        connection.execute("vacuum analyze agent_rollups")
        connection.execute("checkpoint")
    return url, not (kept and known)


def _place(url: str, order: str, middle: datetime) -> tuple[str, str]:
    """Where the middle of a list lies: the key and the id that a cursor seals."""
    column = {"wait": "wait_seconds", "duration": "duration_seconds"}.get(order.lstrip("-"))
    if column is None:
        return middle.isoformat(), "~"
    middling = f"select percentile_cont(0.5) within group (order by {column}) from calls tablesample system (1)"  # noqa: S608 - our own column
    with psycopg.connect(url) as connection:
        row = connection.execute(middling).fetchone()  # type: ignore[arg-type]  # our own column
    return str(row and row[0]), "~"


def _pages(asked: Asked, place: tuple[str, str] | None = None) -> Iterator[Callable[[], None]]:
    return _asking("/api/calls", asked, place)


def _asking(resource: str, asked: Asked, place: tuple[str, str] | None = None) -> Iterator[Callable[[], None]]:
    """Requests without end, each a value further in what is asked for."""
    for number in itertools.count():
        query = {name: values[number % len(values)] for name, values in asked.items()}
        if place:
            query["cursor"] = _cursor(query, place)
        request = _request(resource, query)
        yield lambda request=request: _get(request)


def _cursor(query: dict[str, str], place: tuple[str, str]) -> str:
    from shared import wiring
    from shared.contracts.queries import CallsQuery, parse_query

    asked = parse_query(CallsQuery, query)
    listed = ["calls", asked.model_dump(mode="json", exclude={"limit", "cursor", "fields", "format"})]
    return wiring.cursors().seal(listed, *place)


def _p99(requests: Iterator[Callable[[], None]], rounds: int = ROUNDS) -> float:
    """Milliseconds; after some that warm up."""
    return _p99s(requests, rounds=rounds)[0]


def _p99s(*several: Iterator[Callable[[], None]], rounds: int = ROUNDS) -> list[float]:
    """Of each, turn by turn, so that all have the same machine."""
    taken: list[list[float]] = [[] for _ in several]
    for together in itertools.islice(zip(*several, strict=False), rounds + rounds // 5):
        for request, times in zip(together, taken, strict=True):
            begun = time.perf_counter()
            request()
            times.append((time.perf_counter() - begun) * 1000)
    return [sorted(times[rounds // 5 :])[int(rounds * 0.99) - 1] for times in taken]


def _judged(value: float, promised: float) -> str:
    return f"promised {promised} ms" + _missed(value, promised)


def _missed(value: float, promised: float) -> str:
    return " - MISSED" if value > promised else ""


def _get(request: dict[str, Any]) -> None:
    from functions.query.app import app

    answer = app(request, None)
    assert answer["statusCode"] == 200, answer["body"]


def _request(resource: str, query: dict[str, str]) -> dict[str, Any]:
    bearer = f"Bearer {tokens.mint(KEY, role='admin')}"
    return {
        "httpMethod": "GET",
        "path": resource,
        "requestContext": {"resourcePath": resource, "httpMethod": "GET", "path": resource},
        "pathParameters": None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "headers": {"content-type": "application/json", "authorization": bearer},
        "body": json.dumps(None),
        "isBase64Encoded": False,
        "stageVariables": None,
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--calls", type=int, default=CALLS)
    asked.add_argument("--keep", type=Path)
    options = asked.parse_args()
    with stage(options.keep, SETTINGS) as ground:
        figures: list[Figure] = []
        for figure in measure(ground, options.calls, kept=options.keep is not None):
            figures.append(figure)
            Console(stderr=True).print(figure.name, f"{figure.value:,.1f}", figure.note or figure.ceiling_name)
    Console().print(table(figures))


if __name__ == "__main__":
    main()
