"""Timers and routing at size: claims by several sweeps, lateness among many timers, and the choice of an agent."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import psycopg

from bench.harness import Figure, Servers, p99
from shared.adapters import clock
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.domain.call import Call
from shared.domain.events import Limits
from shared.domain.routing import Search, Strategy

ARMED = 100_000
SWEEPS = 2  # as many as the schedule keeps running
DUE_PER_SECOND, SECONDS = 200, 15
LEAD = timedelta(seconds=15)  # for arming the timers and for the cold starts of the sweeps
AGENTS, QUEUES, CLAIMS = 10_000, 40, 200

# Waiting calls with a service level, which is the most common timer.
_CALLS = """
insert into calls (id, status, type, queue_id, initiated_at, version, state)
select 'call-' || n, 'waiting', 'voice', 'medical_spanish', d, 1, jsonb_build_object('last_at', d, 'limits',
    jsonb_build_object('sla_seconds', 30))
from generate_series(1, %(count)s) n, lateral (select %(first)s + n * %(step)s - interval '30 s') as due (d)
"""
_TIMERS = """
insert into timers (call_id, kind, due_at) select id, 'sla_wait', initiated_at + interval '30 s' from calls
"""
_LATENESS = "select extract(epoch from received_at - at) from events where name = 'sla_breached'"
# Half of the agents are free, and each serves two queues.
_AGENTS = """
insert into queues (id, name, routing) select 'q' || n, 'q', 'switchboard' from generate_series(0, %(queues)s) n;
insert into agents (id, name, queues, skills, status, status_since, occupied_seconds, signed_in_since)
select 'bench-' || n, 'b', array['q' || n %% %(queues)s, 'q' || (n * 7 + 1) %% %(queues)s],
    jsonb_build_object('q' || n %% %(queues)s, n %% 10 + 1),
    case when n %% 2 = 0 then 'available' else 'away' end,
    %(now)s::timestamptz - make_interval(secs => n %% 997), n %% 991,
    %(now)s::timestamptz - interval '12 hours' * (n * 7919 %% 1000 + 1) / 1000
from generate_series(1, %(agents)s) n;
"""


def measure(servers: Servers) -> Iterator[Figure]:
    yield _claims(servers)
    yield _lateness(servers)
    for strategy in Strategy:
        yield _choice_of_agent(servers, strategy)


def _claims(servers: Servers) -> Figure:
    database_url = servers.new_database()
    _arm(database_url, clock.now() - timedelta(hours=1), timedelta(milliseconds=1))
    began = time.perf_counter()
    _sweep(servers, database_url, _until_none_is_due)
    rate = ARMED / (time.perf_counter() - began)
    return Figure(f"timers: {ARMED:,} due, {SWEEPS} sweeps", rate, "claims/s", 5000, "the target")


def _lateness(servers: Servers) -> Figure:
    """The sweep's own loop, while 100,000 other timers are armed."""
    database_url = servers.new_database()
    first = clock.now() + LEAD
    _arm(database_url, first, timedelta(seconds=1 / DUE_PER_SECOND))
    assert clock.now() < first - LEAD / 3, "this machine is too slow: the first timers were due before the sweep ran"
    _sweep(servers, database_url, partial(_until, first + timedelta(seconds=SECONDS)))
    with psycopg.connect(database_url) as connection:
        late = [float(row[0]) * 1000 for row in connection.execute(_LATENESS)]
    note = f"{len(late):,} due, p50 {statistics.median(late):.0f} ms"
    return Figure(f"timers: {DUE_PER_SECOND} due a second, lateness p99", p99(late), "ms", 250, "the target", note)


def _arm(database_url: str, first: datetime, step: timedelta) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_CALLS, {"count": ARMED, "first": first, "step": step})
        connection.execute(_TIMERS)
        connection.execute("analyze")


def _sweep(servers: Servers, database_url: str, work: Callable[[], None]) -> None:
    servers.act_as_function(database_url)
    context = multiprocessing.get_context("spawn")
    sweeps = [context.Process(target=work) for _ in range(SWEEPS)]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join()
        assert sweep.exitcode == 0, "a sweep failed: see its error above"


def _until_none_is_due() -> None:
    from shared import wiring
    from shared.usecases.sweep.after_commit import publish
    from shared.usecases.sweep.fire_due_timers import fire_due_timers

    services = wiring.sweep_services()
    while (fired := fire_due_timers(services, clock.now())).count:
        publish(services, fired.notices)


def _until(end: datetime) -> None:
    from shared import wiring
    from shared.usecases.sweep.run_sweep import run_sweep

    run_sweep(wiring.sweep_services(), wiring.housekeeping(), end, clock.now, clock.sleep)


def _choice_of_agent(servers: Servers, strategy: Strategy) -> Figure:
    """Each in a transaction that is rolled back, so that the next one finds the same agents free."""
    url, now = servers.new_database(), clock.now()
    with psycopg.connect(url, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(_AGENTS, {"agents": AGENTS, "queues": QUEUES, "now": now})
        cursor.execute("vacuum analyze")
    database = Database(url)
    milliseconds: list[float] = []
    for number in range(CLAIMS):
        call = Call("bench", "voice", f"q{number % QUEUES}", None, Limits(), now, now)
        with PostgresTransactions(database).begin() as unit_of_work:
            began = time.perf_counter()
            assert unit_of_work.claim_agent(call, Search(call.queue_id), strategy, now)
            milliseconds.append((time.perf_counter() - began) * 1000)
    database.close()
    name = f"routing: choose the {strategy.value.replace('_', ' ')} of {AGENTS:,} agents"
    return Figure(name, statistics.median(milliseconds), "ms", 2, "the target")
