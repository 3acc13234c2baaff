"""`make soak MINUTES=60`: calls at a steady rate in a local cloud, and a list of what grew.

Samples memory, open files, processes and table sizes every few seconds. Compares the first quarter with the last one.
Ends with exit code 1 if a value grew beyond its allowance, or if the client's calls differ from GET /api/calls.
"""

import argparse
import asyncio
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import psycopg
from rich.table import Table

from bench.harness import SWITCHBOARD, Cloud, console, local_cloud
from infra.client import LIVE, Api, Feed
from infra.machine import processes

SAMPLE_SECONDS = 5.0
# Caches fill, and two minutes' sweeps and relays must overlap before each has its processes.
WARM_UP_SECONDS, WARM_UP_SHARE = 150.0, 0.5
SETTLE_SECONDS = 30.0
# Calls of 37 s on average, 56 s with ringing and wrap-up, and enough agents for a steady number of open calls.
SERVICE_LOG_MEAN, AGENTS_PER_CALL_PER_MINUTE = 3.2, 1.4
MB = 2**20

# Unit and allowance: growth within the allowance is noise. Memory excludes shared pages, because all processes of
# Postgres share them.
ALLOWANCES: dict[str, tuple[str, float | None]] = {
    "functions: memory": ("MB", 40),
    "functions: processes": ("", 2),
    "functions: open files": ("", 30),
    "postgres: memory": ("MB", 30),
    "postgres: open files": ("", 100),
    "redis: memory": ("MB", 10),
    "redis: open files": ("", 10),
    "aws: memory": ("MB", 60),  # MiniStack is not deployed, but runs for days on a developer's machine
    "aws: open files": ("", 50),
    "postgres: connections": ("", 4),
    "outbox": ("rows", 20),
    "calls open": ("rows", 100),
    "connections": ("rows", 1),
    "subscriptions": ("rows", 8),
    "heartbeats": ("rows", 4),
    "timers: lateness, p99": ("s", 1),
}
# Tables with history grow by design. They have no allowance.
HISTORY = {f"table {name}" for name in ("calls", "events", "call_rollups", "agent_events", "agent_intervals", "timers")}
TABLE_ALLOWANCE_MB = 4.0
COUNTS = ("postgres: connections", "outbox", "calls open", "connections", "subscriptions", "heartbeats")

_COUNTS = """
    select (select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()),
        (select count(*) from outbox), (select count(*) from calls_live where ended_at is null),
        (select count(*) from connections), (select count(*) from subscriptions), (select count(*) from heartbeats)
"""
_LATENESS = """
    select percentile_cont(0.99) within group (order by extract(epoch from received_at - at))::float from events
    where name in ('sla_breached', 'answer_timed_out', 'hold_exceeded') and received_at > now() - interval '60 seconds'
"""
_SIZES = """
    select 'table ' || coalesce(p.relname, c.relname), sum(pg_total_relation_size(c.oid))::float from pg_class c
    left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace group by 1
"""


@dataclass
class Series:
    """One value over time."""

    name: str
    """What is measured."""
    unit: str
    """The unit of the values."""
    allowance: float | None
    """The growth that counts as noise, in `unit`, if it is more than a fifth of the start. None: grows by design."""
    at: list[float] = field(default_factory=list)
    """Seconds since the beginning, by sample."""
    values: list[float] = field(default_factory=list)
    """The values, by sample."""

    @property
    def first(self) -> float:
        return statistics.fmean(self.values[: max(1, len(self.values) // 4)])

    @property
    def last(self) -> float:
        return statistics.fmean(self.values[-max(1, len(self.values) // 4) :])

    @property
    def per_hour(self) -> float:
        return statistics.linear_regression(self.at, self.values).slope * 3600

    @property
    def grows(self) -> bool:
        return self.allowance is not None and self.last - self.first > max(self.allowance, 0.2 * self.first)


class Sampler:
    """Takes samples of all values."""

    def __init__(self, cloud: Cloud) -> None:
        self.series: dict[str, Series] = {}
        self._home = cloud.home
        self._database = psycopg.connect(cloud.status["database"], autocommit=True)
        self._began = time.monotonic()

    def close(self) -> None:
        self._database.close()

    def sample(self) -> None:
        at = time.monotonic() - self._began
        tables = {name: size / MB for name, size in self._database.execute(_SIZES).fetchall()}
        for name, value in {**self._processes(), **self._rows(), **tables}.items():
            unit, allowance = ALLOWANCES.get(name) or ("MB", None if name in HISTORY else TABLE_ALLOWANCE_MB)
            series = self.series.setdefault(name, Series(name, unit, allowance))
            series.at.append(at)
            series.values.append(value)

    def drop_warm_up(self) -> None:
        for series in self.series.values():
            begin = min(WARM_UP_SECONDS, WARM_UP_SHARE * series.at[-1])
            kept = [(at, value) for at, value in zip(series.at, series.values, strict=True) if at >= begin]
            series.at, series.values = [at for at, _ in kept], [value for _, value in kept]

    def _processes(self) -> dict[str, float]:
        workers = processes.running_from(self._home.temporary)
        groups = {"functions": workers}
        for name, identity in self._home.read_state().get("processes", {}).items():
            if server := processes.find(identity):
                groups[name] = [server, *(set(server.children(recursive=True)) - set(workers))]
        values = {"functions: processes": float(len(workers))}
        for name, group in groups.items():
            values[f"{name}: memory"] = _total(group, _unshared_megabytes)
            values[f"{name}: open files"] = _total(group, lambda process: process.num_fds())
        return values

    def _rows(self) -> dict[str, float]:
        counts, lateness = self._database.execute(_COUNTS).fetchone(), self._database.execute(_LATENESS).fetchone()
        assert counts and lateness, "both queries return one row"
        return dict(zip(COUNTS, counts, strict=True)) | {"timers: lateness, p99": lateness[0] or 0.0}


def _unshared_megabytes(process: psutil.Process) -> float:
    memory = process.memory_info()
    return (memory.rss - getattr(memory, "shared", 0)) / MB


def _total(group: Iterable[psutil.Process], value: Callable[[psutil.Process], float]) -> float:
    total = 0.0
    for process in group:
        with suppress(psutil.Error):  # it has just ended
            total += value(process)
    return total


async def soak(cloud: Cloud, minutes: float, calls_per_minute: float) -> bool:
    """Whether nothing grew and the client's calls are right."""
    sampler = Sampler(cloud)
    async with Api(cloud.status["api"], cloud.status["token"]) as api:
        queues = await api.queues()
        await _add_agents(api, queues, round(AGENTS_PER_CALL_PER_MINUTE * calls_per_minute))
        topics = [f"queue:{queue['id']}" for queue in queues]
        feed = Feed(api, cloud.status["websocket"], cloud.status["token"], topics)
        following = asyncio.create_task(_follow(feed))
        try:
            with ExitStack() as stack, suppress(asyncio.CancelledError):
                simulation = _simulate(cloud, minutes, calls_per_minute, stack)
                while simulation.poll() is None:
                    await asyncio.to_thread(sampler.sample)
                    await asyncio.sleep(SAMPLE_SECONDS)
            is_right = await _is_right(api, feed)
        finally:
            following.cancel()
            sampler.close()
    console.print(f"{len(feed.replica.calls)} calls are open. The client connected {feed.connections} times.")
    console.print("The client's calls equal GET /api/calls." if is_right else "[red]The client's calls are wrong.")
    return _print_result(sampler) and is_right


async def _add_agents(api: Api, queues: list[dict[str, Any]], count: int) -> None:
    skills = {"languages": sorted({queue["language"] for queue in queues}), "queues": [queue["id"] for queue in queues]}
    for number in range(count):
        await api.put_agent(f"soak-{number:04}", {"name": f"Agent {number}", "status": "available", **skills})


async def _follow(feed: Feed) -> None:
    async with aclosing(feed.updates()) as updates:
        async for _ in updates:
            pass


def _simulate(cloud: Cloud, minutes: float, rate: float, stack: ExitStack) -> subprocess.Popen[bytes]:
    """Leaves calls open at the end, so that there are calls to compare."""
    options = ["--calls-per-minute", f"{rate:g}", "--duration", f"{minutes * 60:g}", "--seed", "1", "--leave-open"]
    options += ["--service-log-mean", f"{SERVICE_LOG_MEAN:g}"]
    path = cloud.home.logs / "simulate.log"
    stack.callback(lambda: console.print(processes.tail(path, 4), markup=False, highlight=False))
    log = stack.enter_context(path.open("wb"))
    simulation = subprocess.Popen([SWITCHBOARD, "simulate", *options], env=cloud.environment, stdout=log, stderr=log)
    stack.callback(processes.end, simulation, signal.SIGINT)
    return simulation


async def _is_right(api: Api, feed: Feed) -> bool:
    """Timers still change calls, so both are equal only when no update is under way."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        if {call["id"]: call for call in await api.calls(status=LIVE)} == feed.replica.calls:
            return True
        await asyncio.sleep(0.5)
    return False


def _print_result(sampler: Sampler) -> bool:
    """Whether nothing grew beyond its allowance."""
    sampler.drop_warm_up()
    table = Table("value", "first quarter", "last quarter", "an hour", "", title="After the warm-up")
    several = sorted((each for each in sampler.series.values() if len(each.values) > 1), key=lambda each: each.name)
    for series in several:
        verdict = "history" if series.allowance is None else "[red]grows" if series.grows else "steady"
        values = (f"{value:,.1f} {series.unit}".rstrip() for value in (series.first, series.last))
        table.add_row(series.name, *values, f"{series.per_hour:+,.1f}", verdict)
    console.print(table)
    return bool(several) and not any(series.grows for series in several)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--calls-per-minute", type=float, default=300)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the local cloud is stopped
    with local_cloud("--no-dashboard") as cloud:
        return 0 if asyncio.run(soak(cloud, options.minutes, options.calls_per_minute)) else 1


if __name__ == "__main__":
    sys.exit(main())
