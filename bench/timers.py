"""Timers at size: how fast several sweeps claim and settle them, and how late one is that falls due among many."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import psycopg

from bench.stage import Figure, Stage
from shared.adapters import clock

ARMED = 100_000
SWEEPS = 2  # as many as the schedule keeps alive at a time
DUE_A_SECOND, SECONDS = 200, 15
LEAD = timedelta(seconds=15)  # until the first is due: to arm them takes a while, and so do the sweeps' cold starts

# Calls that wait, each owed the promise of its queue: by far the most common timer.
_CALLS = """
insert into calls (id, status, type, queue_id, initiated_at, version, state)
select 'call-' || n, 'waiting', 'voice', 'medical_spanish', d, 1, jsonb_build_object('last_at', d, 'limits',
    jsonb_build_object('sla_seconds', 30))
from generate_series(1, %(many)s) n, lateral (select %(first)s + n * %(step)s - interval '30 s') as due (d)
"""
_TIMERS = """
insert into timers (call_id, kind, due_at) select id, 'sla_wait', initiated_at + interval '30 s' from calls
"""
# How late each conclusion was recorded, by the clock of the function that recorded it.
_LATENESS = "select extract(epoch from received_at - at) from events where name = 'sla_breached'"


def measure(stage: Stage) -> Iterator[Figure]:
    yield _claims(stage)
    yield _lateness(stage)


def _claims(stage: Stage) -> Figure:
    """All are due: until none is left, whoever claims it."""
    database = stage.database()
    _arm(database, ARMED, clock.now() - timedelta(hours=1), timedelta(milliseconds=1))
    begun = time.perf_counter()
    _sweep(stage, database, _until_none_is_left)
    rate = ARMED / (time.perf_counter() - begun)
    return Figure(f"timers, {ARMED:,} due, {SWEEPS} sweeps", rate, "claims/s", 5000, "what the floor needs")


def _lateness(stage: Stage) -> Figure:
    """The real loop, with 100,000 armed behind those that fall due."""
    database = stage.database()
    first = clock.now() + LEAD
    _arm(database, ARMED, first, timedelta(seconds=1 / DUE_A_SECOND))
    assert clock.now() < first - LEAD / 3, "too slow a machine: some were due before anybody swept"
    _sweep(stage, database, partial(_until, first + timedelta(seconds=SECONDS)))
    with psycopg.connect(database) as connection:
        late = [float(row[0]) * 1000 for row in connection.execute(_LATENESS)]
    p50, p99 = statistics.median(late), statistics.quantiles(late, n=100)[98]
    note = f"{len(late):,} due, p50 {p50:.0f} ms"
    return Figure(f"timers, {DUE_A_SECOND} due a second: lateness p99", p99, "ms", 250, "the promise", note)


def _arm(database: str, many: int, first: datetime, step: timedelta) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(_CALLS, {"many": many, "first": first, "step": step})
        connection.execute(_TIMERS)
        connection.execute("analyze")


def _sweep(stage: Stage, database: str, work: Callable[[], None]) -> None:
    stage.become_function(database)
    context = multiprocessing.get_context("spawn")
    sweeps = [context.Process(target=work) for _ in range(SWEEPS)]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join()
        assert sweep.exitcode == 0, "a sweep failed: its error stands above"


def _until_none_is_left() -> None:
    from shared import wiring
    from shared.usecases.sweep.after_commit import publish
    from shared.usecases.sweep.fire_due_timers import fire_due_timers

    services = wiring.sweep_services()
    while (fired := fire_due_timers(services, clock.now())).count:
        publish(services, fired.notices)


def _until(ending: datetime) -> None:
    from shared import wiring
    from shared.usecases.sweep.run_sweep import run_sweep

    run_sweep(wiring.sweep_services(), wiring.upkeep(), ending, clock.now, clock.sleep)
