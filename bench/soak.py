"""`make soak MINUTES=60`: a busy floor on a cloud of its own, and in words what did not stay flat."""

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
from rich.console import Console
from rich.table import Table

from bench.cloud import SWITCHBOARD, Cloud, cloud
from infra.client import LIVE, Api, Feed
from infra.machine import processes

SAMPLE_SECONDS = 5.0
# Caches fill, and the sweeps and relays of two minutes have to overlap before each has its processes.
WARM_UP_SECONDS, WARM_UP_SHARE = 150.0, 0.5
SETTLE_SECONDS = 30.0
# Calls of 37 s at the mean, 56 s with ringing and wrap-up, and so many agents that the floor is steady.
SERVICE_LOG_MEAN, AGENTS_A_CALL_A_MINUTE = 3.2, 1.4
MB = 2**20

console = Console(soft_wrap=True)


@dataclass
class Series:
    """One figure over time. What `allowance` it has (in its unit, beside a fifth of where it began) it may grow by;
    without one it grows by its nature and is only told."""

    name: str
    unit: str
    allowance: float | None
    at: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def first(self) -> float:
        return statistics.fmean(self.values[: self._quarter])

    @property
    def last(self) -> float:
        return statistics.fmean(self.values[-self._quarter :])

    @property
    def slope_per_hour(self) -> float:
        return statistics.linear_regression(self.at, self.values).slope * 3600

    @property
    def grows(self) -> bool:
        return self.allowance is not None and self.last - self.first > max(self.allowance, 0.2 * self.first)

    @property
    def _quarter(self) -> int:
        return max(1, len(self.values) // 4)


# What must stay flat, and by how much noise moves it. Memory is what a process has for itself: pages that Postgres
# shares would be counted for each of its processes.
ALLOWANCES: dict[str, tuple[str, float | None]] = {
    "functions: memory": ("MB", 40),
    "functions: processes": ("", 2),
    "functions: open files": ("", 30),
    "postgres: memory": ("MB", 30),
    "postgres: open files": ("", 100),
    "redis: memory": ("MB", 10),
    "redis: open files": ("", 10),
    "aws: memory": ("MB", 60),  # MiniStack is not what is deployed, but runs for days on a developer's machine
    "aws: open files": ("", 50),
    "postgres: connections": ("", 4),
    "outbox": ("rows", 20),
    "outbox: oldest": ("s", 2),
    "timers: lateness, p99": ("s", 1),
    "calls open": ("rows", 100),
    "connections": ("rows", 1),
    "subscriptions": ("rows", 8),
    "heartbeats": ("rows", 4),
}
# Tables that history fills: shelved by the month, and forgotten by dropping months.
HISTORY = {"calls", "events", "call_rollups", "agent_events", "agent_intervals", "timers"}
TABLE_ALLOWANCE_MB = 4.0

FIGURES = """
    select (select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()),
        (select count(*) from outbox),
        (select count(*) from calls_live where ended_at is null),
        (select count(*) from connections), (select count(*) from subscriptions), (select count(*) from heartbeats)
"""
# Age of the oldest transaction that was told to nobody yet; asked apart, for it has none when the outbox is empty.
OLDEST = """
    select extract(epoch from now() - min(received_at))::float from events
    where txid = (select min(txid) from outbox) and received_at > now() - interval '1 day'
"""
LATENESS = """
    select percentile_cont(0.99) within group (order by extract(epoch from received_at - at))::float from events
    where name in ('sla_breached', 'answer_timed_out', 'hold_exceeded') and received_at > now() - interval '60 seconds'
"""
SIZES = """
    select coalesce(p.relname, c.relname), sum(pg_total_relation_size(c.oid))::float from pg_class c
    left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace group by 1
"""


class Sampler:
    """Looks at everything every few seconds."""

    def __init__(self, cloud: Cloud) -> None:
        self.series: dict[str, Series] = {}
        self._home = cloud.home
        self._database = psycopg.connect(cloud.status["database"], autocommit=True)
        self._began = time.monotonic()

    def close(self) -> None:
        self._database.close()

    def look(self) -> None:
        at = time.monotonic() - self._began
        for name, value in {**self._processes(), **self._rows(), **self._tables()}.items():
            self._series(name).at.append(at)
            self._series(name).values.append(value)

    def warm_up(self) -> None:
        """Forget the beginning."""
        for series in self.series.values():
            begins = min(WARM_UP_SECONDS, WARM_UP_SHARE * series.at[-1])
            kept = [(at, value) for at, value in zip(series.at, series.values, strict=True) if at >= begins]
            series.at, series.values = [at for at, _ in kept], [value for _, value in kept]

    def _series(self, name: str) -> Series:
        if name not in self.series:
            unit, allowance = ALLOWANCES.get(name) or ("MB", None if name in _tables(HISTORY) else TABLE_ALLOWANCE_MB)
            self.series[name] = Series(name, unit, allowance)
        return self.series[name]

    def _processes(self) -> dict[str, float]:
        seen: dict[str, float] = {}
        for role, found in self._roles().items():
            seen[f"{role}: memory"] = _total(found, _own_memory_mb)
            seen[f"{role}: open files"] = _total(found, lambda process: process.num_fds())
        return seen | {"functions: processes": len(processes.running_from(self._home.temporary))}

    def _roles(self) -> dict[str, list[psutil.Process]]:
        workers = processes.running_from(self._home.temporary)
        roles = {"functions": workers}
        for name, identity in self._home.read_state().get("processes", {}).items():
            if server := processes.find(identity):
                roles[name] = [server, *(set(server.children(recursive=True)) - set(workers))]
        return roles

    def _rows(self) -> dict[str, float]:
        names = ("postgres: connections", "outbox", "calls open", "connections", "subscriptions", "heartbeats")
        counted = dict(zip(names, self._ask(FIGURES), strict=True))
        (oldest,), (lateness,) = self._ask(OLDEST), self._ask(LATENESS)
        return {**counted, "outbox: oldest": oldest or 0.0, "timers: lateness, p99": lateness or 0.0}

    def _tables(self) -> dict[str, float]:
        rows = self._database.execute(SIZES).fetchall()
        return dict(zip(_tables(name for name, _ in rows), (size / MB for _, size in rows), strict=True))

    def _ask(self, query: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a row
        row = self._database.execute(query).fetchone()
        assert row, "each asks for figures, of which there is one row"
        return row


def _tables(names: Iterable[str]) -> list[str]:
    return [f"table {name}" for name in names]


def _own_memory_mb(process: psutil.Process) -> float:
    memory = process.memory_info()
    return (memory.rss - getattr(memory, "shared", 0)) / MB


def _total(found: list[psutil.Process], figure: Callable[[psutil.Process], float]) -> float:
    total = 0.0
    for process in found:
        with suppress(psutil.Error):  # it ended as we looked
            total += figure(process)
    return total


async def soak(cloud: Cloud, minutes: float, calls_per_minute: float) -> bool:
    """Whether all that must be was flat, and the picture right."""
    sampler = Sampler(cloud)
    async with Api(cloud.status["api"], cloud.status["token"]) as api:
        queues = await api.queues()
        await _staff(api, queues, round(AGENTS_A_CALL_A_MINUTE * calls_per_minute))
        topics = [f"queue:{queue['id']}" for queue in queues]
        feed = Feed(api, cloud.status["websocket"], cloud.status["token"], topics)
        following = asyncio.create_task(_follow(feed))
        try:
            with ExitStack() as stack, suppress(asyncio.CancelledError):
                playing = _simulate(cloud, minutes, calls_per_minute, stack)
                await _sample(sampler, playing, minutes)
            is_right = await _is_right(api, feed)
        finally:
            following.cancel()
            sampler.close()
    console.print("The client's picture equals GET /api/calls." if is_right else "[red]The client's picture is wrong.")
    console.print(f"It connected {feed.connections} times.", highlight=False)
    return _tell(sampler) and is_right


async def _staff(api: Api, queues: list[dict[str, Any]], count: int) -> None:
    skills = {"languages": sorted({queue["language"] for queue in queues}), "queues": [queue["id"] for queue in queues]}
    for number in range(count):
        agent_id = f"soak-{number:04}"
        await api.put_agent(agent_id, {"name": f"Agent {number}", "status": "available", **skills})


async def _follow(feed: Feed) -> None:
    async with aclosing(feed.news()) as news:
        async for _ in news:
            pass


def _simulate(cloud: Cloud, minutes: float, rate: float, stack: ExitStack) -> subprocess.Popen[bytes]:
    """Calls stay open at the end: a picture of an empty floor would prove little."""
    told = ["--calls-per-minute", f"{rate:g}", "--duration", f"{minutes * 60:g}", "--seed", "1", "--leave-open"]
    told += ["--service-log-mean", f"{SERVICE_LOG_MEAN:g}"]
    path = cloud.home.logs / "simulate.log"
    stack.callback(lambda: console.print(processes.tail(path, 4), markup=False, highlight=False))
    log = stack.enter_context(path.open("wb"))
    playing = subprocess.Popen([SWITCHBOARD, "simulate", *told], env=cloud.environment, stdout=log, stderr=log)
    stack.callback(processes.end, playing, signal.SIGINT)
    return playing


async def _sample(sampler: Sampler, playing: subprocess.Popen[bytes], minutes: float) -> None:
    with console.status("") as shown:
        while playing.poll() is None:
            await asyncio.to_thread(sampler.look)
            lasted, figures = sampler.series["outbox"].at[-1] / 60, sampler.series
            shown.update(
                f"{lasted:.1f} of {minutes:g} min; {figures['calls open'].values[-1]:.0f} calls open, "
                f"{figures['functions: memory'].values[-1]:.0f} MB in functions, "
                f"{figures['outbox'].values[-1]:.0f} in the outbox"
            )
            await asyncio.sleep(SAMPLE_SECONDS)


async def _is_right(api: Api, feed: Feed) -> bool:
    """Timers still move the floor: the two are equal as soon as nothing is on its way."""
    give_up_at = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < give_up_at:
        told = {call["id"]: call for call in await api.calls(status=LIVE)}
        if told == feed.picture.calls:
            console.print(f"{len(told)} calls are open.", highlight=False)
            return True
        await asyncio.sleep(0.5)
    return False


def _tell(sampler: Sampler) -> bool:
    sampler.warm_up()
    table = Table(title="First quarter beside last, warmed up", title_justify="left")
    for heading in ("figure", "first", "last", "an hour", ""):
        table.add_column(heading, justify="left" if heading in ("figure", "") else "right")
    told = sorted((series for series in sampler.series.values() if len(series.values) > 1), key=lambda one: one.name)
    for series in told:
        verdict = "history" if series.allowance is None else "[red]grows" if series.grows else "flat"
        figures = (f"{figure:,.1f} {series.unit}".rstrip() for figure in (series.first, series.last))
        table.add_row(series.name, *figures, f"{series.slope_per_hour:+,.1f}", verdict)
    console.print(table)
    growing = [series for series in told if series.grows]
    for series in growing:
        console.print(
            f"[red]{series.name} grew from {series.first:,.1f} to {series.last:,.1f} {series.unit}, "
            f"{series.slope_per_hour:+,.1f} an hour."
        )
    if not growing:
        console.print("[green]All that must be flat is flat.")
    return bool(told) and not growing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--calls-per-minute", type=float, default=300)
    told = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way the cloud is taken down
    with cloud() as started:
        return 0 if asyncio.run(soak(started, told.minutes, told.calls_per_minute)) else 1


if __name__ == "__main__":
    sys.exit(main())
