"""What a measurement stands on: a Postgres and a Redis of its own, settings as a function has them, a clock."""

import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from infra.database import migrate
from infra.local.postgres import Postgres
from infra.local.redis import Redis
from infra.machine.ports import claim
from shared import settings, wiring

KEY = "a key for measurements, long enough for HS256"
REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True)
class Figure:
    """A measured figure beside its ceiling. `higher_is_better` says which way the ratio reads."""

    name: str
    value: float
    unit: str
    ceiling: float | None = None
    ceiling_name: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.ceiling if self.ceiling else None


@dataclass
class Stage:
    postgres: Postgres
    redis: Redis
    _numbers: Iterator[int]

    def database(self) -> str:
        """A fresh database with the schema and the sample floor."""
        name = f"bench_{next(self._numbers)}"
        with psycopg.connect(self.postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(f"drop database if exists {name}")  # type: ignore[arg-type]  # a kept run's
            connection.execute(f"create database {name}")  # type: ignore[arg-type]  # our own name
        migrate.migrate(self.postgres.url_of(name))
        migrate.load(self.postgres.url_of(name), REPOSITORY / "infra" / "database" / "sample.sql")
        return self.postgres.url_of(name)

    def become_function(self, database_url: str) -> None:
        """Give this process the environment of a function, as from a cold start."""
        os.environ.update(DATABASE_URL=database_url, REDIS_URL=self.redis.url, TOKEN_KEY=KEY)  # noqa: TID251 - as Lambda does
        for cached in (settings.settings, *(v for v in vars(wiring).values() if hasattr(v, "cache_clear"))):
            cached.cache_clear()


@contextmanager
def stage(kept: Path | None = None, settings: Mapping[str, str] | None = None) -> Iterator[Stage]:
    """Postgres as it runs in production: every commit is on disk before it is answered.

    `kept` is a folder whose databases outlive the run; without it they go with it. Whoever ends this process ends them
    too: its servers would outlive a process that is told to go and takes no notice. Functions log as they do where they
    are deployed, though to nowhere: a terminal that scrolls is not what is measured.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        log = logging.getLogger()
        before = log.handlers[:], log.level
        wiring.logger("bench")
        home = kept or Path(folder)
        home.mkdir(exist_ok=True)
        home.chmod(0o755)
        postgres = Postgres(home / "data", claim(), "bench", home / "postgres.log", settings or {})
        redis = Redis(claim(), home, home / "redis.log")
        try:
            postgres.start()
            redis.start()
            yield Stage(postgres, redis, count())
        finally:
            redis.stop()
            postgres.stop()
            log.handlers[:], log.level = before


def per_second(work: Callable[[], Any], items: int) -> float:
    begun = time.perf_counter()
    work()
    return items / (time.perf_counter() - begun)
