"""How long reads take at size, through the handler: python -m bench.reads --calls 10000000

`make bench` uses fewer calls. Next to the history are 2,000 open calls and an hour of calls that have just ended. A
deep page is one in the middle of its list.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import psycopg

from bench.core import BATCH, batches, lifecycles, post_events, rest_request, send
from bench.harness import KEY, Figure, Servers, console, medians_in_turn, p99, per_second, servers, show, table
from infra.database import history
from shared.adapters import clock
from shared.adapters.auth import tokens
from shared.contracts.base import rfc3339

CALLS, MONTHS, OPEN, JUST_ENDED = 300_000, 12, 2_000, 3_000
ROUNDS, INGEST_CALLS = 100, 800
# A quarter of a small server's memory for its cache, as is usual, and room to load without a checkpoint a minute.
SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB", "effective_cache_size": "8GB", "random_page_cost": "1.1"}
FIRST_MS, OPEN_MS, DAY_MS, MONTH_MS, DEEP_RATIO, INGEST_RATIO = 15, 10, 50, 200, 1.5, 0.9  # targets
AGENTS = [f"agent-{n:04}" for n in range(0, history.AGENTS, 7)]
QUEUES = [f"queue-{n:02}" for n in range(history.QUEUES)]
Query = dict[str, list[str]]
"""By query parameter: the values that successive requests use in turn."""
FILTERS: dict[str, Query] = {
    "no filter": {},
    "queueId": {"queueId": QUEUES},
    "twenty of queueId, sort=-wait": {"queueId": [",".join(QUEUES[:20])], "sort": ["-wait"]},  # a supervisor's queues
    "agentId": {"agentId": AGENTS},
    "language": {"language": list(history.LANGUAGES)},
    "flag": {"flag": ["sla_breached", "hold_exceeded", "short_call", "rerouted"]},
    "noFlag": {"noFlag": ["sla_breached"]},
    "endReason": {"endReason": ["abandoned", "failed", "completed"]},
    "queueId and flag": {"queueId": QUEUES, "flag": ["sla_breached"]},
    "agentId and endReason": {"agentId": AGENTS, "endReason": ["completed"]},
    "sort=duration": {"sort": ["duration"]},
}
GROUPS: dict[str, Query] = {
    "": {},
    " by queue": {"groupBy": ["queue"]},
    " by agent": {"groupBy": ["agent"]},
    " by language and type": {"groupBy": ["language,type"]},
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


def measure(running: Servers, calls: int = CALLS) -> Iterator[Figure]:
    began = time.perf_counter()
    url = _database(running, calls)
    yield Figure(f"generate {calls:,} calls", time.perf_counter() - began, "s", note="with indexes, events and rollups")
    running.act_as_function(url)
    yield from _lists(url)
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    next_month = (month + timedelta(days=31)).replace(day=1)
    yield from _figures("a day's figures", today - timedelta(days=1), today, DAY_MS)
    yield from _figures("a month's figures", month, next_month, MONTH_MS)
    large, empty = medians_in_turn(lambda: _ingest(running, url), lambda: _ingest(running, running.new_database()))
    yield Figure("ingest, 500 events a request, at this size", large, "events/s", INGEST_RATIO * empty,
                 "0.9 of an empty database")  # fmt: skip


def _lists(url: str) -> Iterator[Figure]:
    middle = clock.now() - timedelta(days=15 * MONTHS)
    for name, query in FILTERS.items():
        place = _place(url, query.get("sort", ["-start"])[0], middle)
        first, deep = _p99s(_requests("/api/calls", query), _requests("/api/calls", query, place))
        yield Figure(f"list, {name}: first page, p99", first, "ms", FIRST_MS, "the target")
        yield Figure(f"list, {name}: deep page, p99", deep, "ms", DEEP_RATIO * first, "1.5 times its first page")
    open_calls: Query = {"status": ["waiting,active,on_hold"], "sort": ["urgency"]}
    [value] = _p99s(_requests("/api/calls", open_calls))
    yield Figure(f"list, 50 of {OPEN:,} open calls, p99", value, "ms", OPEN_MS, "the target")


def _figures(name: str, start: datetime, end: datetime, target: int) -> Iterator[Figure]:
    span = {"from": [rfc3339(start)], "to": [rfc3339(end)], "zone": ["UTC"]}
    for group, query in GROUPS.items():
        [value] = _p99s(_requests("/api/metrics", span | query), rounds=ROUNDS // 2)
        yield Figure(f"{name}{group}, p99", value, "ms", target, "the target")


def _ingest(running: Servers, url: str) -> float:
    """Events a second."""
    running.act_as_function(url)
    token, events = tokens.mint(KEY, role="admin"), lifecycles(INGEST_CALLS, f"size-{time.time_ns()}")
    post_events(token, lifecycles(10, f"warm-{time.time_ns()}"))
    return per_second(lambda: [post_events(token, batch) for batch in batches(events, BATCH)], len(events))


def _database(running: Servers, calls: int) -> str:
    """A database with a history of `calls` calls and the open calls of this moment."""
    url = running.new_database()
    history.generate(url, history.Past(calls, MONTHS), clock.now())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("truncate calls_live, timers, outbox")
        live = {"now": clock.now(), "open": OPEN, "ended": JUST_ENDED, "limits": history._LIMITS}
        connection.execute(_LIVE, live)
        connection.execute(_SHIFTS)
        connection.execute("vacuum analyze")  # as autovacuum does
        connection.execute("checkpoint")
    return url


def _place(url: str, order: str, middle: datetime) -> tuple[str, str]:
    """The key and the id of the middle of a list, as its cursor contains them."""
    column = {"wait": "wait_seconds", "duration": "duration_seconds"}.get(order.lstrip("-"))
    if column is None:
        return middle.isoformat(), "~"
    query = f"select percentile_cont(0.5) within group (order by {column}) from calls tablesample system (1)"  # noqa: S608 - our own column
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[arg-type]  # our own column
    return str(row and row[0]), "~"


def _requests(path: str, query: Query, place: tuple[str, str] | None = None) -> Iterator[Callable[[], object]]:
    """An endless sequence of requests, which use the values of each parameter in turn."""
    token = tokens.mint(KEY, role="admin")
    for number in itertools.count():
        parameters = {name: values[number % len(values)] for name, values in query.items()}
        if place:
            parameters["cursor"] = _cursor(parameters, place)
        request = rest_request("GET", path, token, query=parameters)
        yield lambda request=request: send(request)


def _cursor(parameters: dict[str, str], place: tuple[str, str]) -> str:
    from shared import wiring
    from shared.contracts.queries import CallsQuery, parse_query

    query = parse_query(CallsQuery, parameters)
    listed = ["calls", query.model_dump(mode="json", exclude={"limit", "cursor", "fields", "format"})]
    return wiring.cursors().encode(listed, *place)


def _p99s(*several: Iterator[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """The p99 of each in ms, after a warm-up. They run in turn."""
    warm_up = rounds // 5
    times: list[list[float]] = [[] for _ in several]
    for together in itertools.islice(zip(*several, strict=False), rounds + warm_up):
        for request, taken in zip(together, times, strict=True):
            began = time.perf_counter()
            request()
            taken.append((time.perf_counter() - began) * 1000)
    return [p99(taken[warm_up:]) for taken in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help="number of calls in the history")
    calls = parser.parse_args().calls
    figures: list[Figure] = []
    with servers(SETTINGS) as running:
        for figure in measure(running, calls):
            show(figure)
            figures.append(figure)
    console.print(table(figures))


if __name__ == "__main__":
    main()
