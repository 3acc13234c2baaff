"""Shared by all measurements: servers, a local cloud, timing, and the table of results."""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from platform import python_version
from statistics import median
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from infra.database import migrate
from infra.home import Home
from infra.local.postgres import Postgres
from infra.local.redis import Redis
from infra.machine.ports import claim
from shared import settings, wiring

KEY = "a key for measurements, long enough for HS256"
REPOSITORY = Path(__file__).parent.parent
SWITCHBOARD = Path(sys.executable).with_name("switchboard")
ROUNDS = 5  # the median of these counts

console = Console(file=sys.stdout)  # the real stdout: `servers` redirects the name


@dataclass(frozen=True)
class Figure:
    """One measured value and what it is compared with."""

    name: str
    """What was measured."""
    value: float
    """The measured value, in `unit`."""
    unit: str
    """The unit of `value` and `reference`."""
    reference: float | None = None
    """A target, or the speed of the same machine without Switchboard's rules. None if there is nothing to compare."""
    reference_name: str = ""
    """What the reference is."""
    note: str = ""
    """Further values, such as other percentiles."""

    @property
    def ratio(self) -> float | None:
        return self.value / self.reference if self.reference else None


def show(figure: Figure) -> None:
    ratio = f", {figure.ratio:.2f} of {_number(figure.reference or 0)}" if figure.ratio else ""
    console.print(f"{figure.name}: {_number(figure.value)} {figure.unit}{ratio} {figure.note}", highlight=False)


def table(figures: Iterable[Figure]) -> Table:
    result = Table(title=f"Switchboard's speed, one run on Python {python_version()}", title_justify="left")
    for heading in ("measure", "value", "reference", "ratio", "the reference is"):
        result.add_column(heading, justify="left" if heading in ("measure", "the reference is") else "right")
    for figure in figures:
        reference = f"{_number(figure.reference)} {figure.unit}" if figure.reference else "—"
        ratio = f"{figure.ratio:.2f}" if figure.ratio else "—"
        explanation = "; ".join(filter(None, (figure.reference_name, figure.note)))
        result.add_row(figure.name, f"{_number(figure.value)} {figure.unit}", reference, ratio, explanation)
    return result


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def medians_in_turn(*measures: Callable[[], float], rounds: int = ROUNDS) -> list[float]:
    """The median of each measure. They run in turn, so that a slow moment of the machine affects all of them.

    Each round begins with another measure, so that none always runs after the same one.
    """
    values: list[list[float]] = [[] for _ in measures]
    for turn in range(rounds):
        for place in range(len(measures)):
            index = (turn + place) % len(measures)
            values[index].append(measures[index]())
    return [median(several) for several in values]


def per_second(work: Callable[[], object], items: int) -> float:
    began = time.perf_counter()
    work()
    return items / (time.perf_counter() - began)


def p99(values: Iterable[float]) -> float:
    ordered = sorted(values)
    return ordered[max(0, int(len(ordered) * 0.99) - 1)]


@dataclass
class Servers:
    """A Postgres and a Redis that only one measurement uses."""

    postgres: Postgres
    redis: Redis
    _numbers: Iterator[int]

    def new_database(self) -> str:
        """The URL of a new database with the schema and the sample data."""
        name = f"bench_{next(self._numbers)}"
        with psycopg.connect(self.postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name}")  # type: ignore[arg-type]  # a name made here
        url = self.postgres.url_of(name)
        migrate.migrate(url)
        migrate.load(url, REPOSITORY / "infra" / "database" / "sample.sql")
        return url

    def act_as_function(self, database_url: str) -> None:
        """Give this process the environment of a function after a cold start."""
        os.environ.update(DATABASE_URL=database_url, REDIS_URL=self.redis.url, TOKEN_KEY=KEY)  # noqa: TID251 - as Lambda does
        for cached in (settings.settings, *(v for v in vars(wiring).values() if hasattr(v, "cache_clear"))):
            cached.cache_clear()


@contextmanager
def servers(postgres_settings: Mapping[str, str] | None = None) -> Iterator[Servers]:
    """Postgres as in production: each commit is on disk before it is acknowledged.

    SIGTERM stops the servers too. Functions write their logs as when deployed, but to nowhere.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        log = logging.getLogger()
        before = log.handlers[:], log.level
        wiring.logger("bench")
        home = Path(folder)
        home.chmod(0o755)
        postgres = Postgres(home / "data", claim(), "bench", home / "postgres.log", postgres_settings or {})
        redis = Redis(claim(), home, home / "redis.log")
        try:
            postgres.start()
            redis.start()
            yield Servers(postgres, redis, count())
        finally:
            redis.stop()
            postgres.stop()
            log.handlers[:], log.level = before


@dataclass(frozen=True)
class Cloud:
    """A local cloud that only one measurement uses, started by the command that users run."""

    home: Home
    """The folder with its data and logs. It is deleted at the end."""
    status: dict[str, Any]
    """The output of `switchboard status --json`."""

    @property
    def environment(self) -> dict[str, str]:
        return _environment(self.home)


@contextmanager
def local_cloud(*options: str) -> Iterator[Cloud]:
    """`options` are those of `switchboard up`."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder).resolve())
        try:
            _switchboard(home, "up", "--detach", *options)
            yield Cloud(home, json.loads(_switchboard(home, "status", "--json")))
        finally:
            _switchboard(home, "down")


def _environment(home: Home) -> dict[str, str]:
    return {**os.environ, "SWITCHBOARD_HOME": str(home.root)}  # noqa: TID251 - the environment of a child


def _switchboard(home: Home, *arguments: str) -> str:
    command = [SWITCHBOARD, *arguments]
    return subprocess.run(command, env=_environment(home), check=True, capture_output=True, text=True).stdout
