"""Compare two checkouts: python -m bench.compare BEFORE [AFTER] [--pairs 10]

BEFORE and AFTER are folders with a checkout each, made ready by `make .venv/.ready`. AFTER is this checkout if it is
not given. Each pair starts a new process in each checkout, with the checkout's own code and environment. They run the
core measures in short slices by turns: before, after, after, before, and so on. Both use the same Postgres and Redis,
each with a new database.

Two ratios are printed for each measure: after/before by wall-clock time, and by processor time. On a machine with other
load, only the second is steady.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from rich.table import Table

from bench.core import MEASURES
from bench.harness import KEY, REPOSITORY, Servers, console, servers
from shared.adapters.auth import tokens

SLICES, SLICE_SECONDS = 4, 0.8
ORDERS = (("before", "after"), ("after", "before"))


@dataclass
class Total:
    """The slices of one measure in one checkout and one pair."""

    items: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def add(self, part: dict[str, Any]) -> None:
        self.items += part["items"]
        self.seconds += part["seconds"]
        self.cpu_seconds += part["cpu_seconds"]

    @property
    def per_second(self) -> float:
        return self.items / self.seconds

    @property
    def per_cpu_second(self) -> float:
        return self.items / self.cpu_seconds


@dataclass(frozen=True)
class Ratios:
    """After/before of one measure in one pair. Above 1 is faster."""

    wall: float
    """By wall-clock time."""
    cpu: float
    """By processor time."""


class Checkout:
    """One of the two checkouts, with a template database that has its schema."""

    def __init__(self, folder: Path, name: str, servers: Servers) -> None:
        self._folder, self._name, self._servers = folder, name, servers
        self._python = folder / ".venv" / "bin" / "python"
        if not self._python.exists():
            raise SystemExit(f"{folder} has no environment. Run `make .venv/.ready` there.")
        self._execute(f"create database {name}")
        url = servers.postgres.url_of(name)
        command = [self._python.with_name("switchboard"), "migrate", "--database-url", url]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        with psycopg.connect(url) as connection:
            connection.execute((folder / "infra" / "database" / "sample.sql").read_bytes())

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[str]]:
        """A new process that measures in this checkout, on a new database."""
        database = f"{self._name}_pair"
        self._execute(f"drop database if exists {database} with (force)")
        self._execute(f"create database {database} template {self._name}")
        url, redis_url = self._servers.postgres.url_of(database), self._servers.redis.url
        token = tokens.mint(KEY, role="admin")
        with tempfile.TemporaryDirectory() as folder:
            # This checkout's `bench` before the other's, and the other's code for everything else.
            (Path(folder) / "bench").symlink_to(REPOSITORY / "bench")
            variables = {"DATABASE_URL": url, "REDIS_URL": redis_url, "TOKEN_KEY": KEY, "AWS_ENDPOINT_URL": "emulated"}
            environment = {**os.environ, **variables, "PYTHONPATH": f"{folder}:{self._folder}"}  # noqa: TID251 - a child's
            command = [self._python, "-P", "-m", "bench.core", url, redis_url, token]
            process = subprocess.Popen(command, cwd=self._folder, env=environment, text=True, bufsize=1,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
            try:
                yield process
            finally:
                process.stdin.close()  # type: ignore[union-attr]  # a pipe
                process.wait(30)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._servers.postgres.url_of("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]  # names made here


def measure_pair(before: Checkout, after: Checkout) -> dict[str, tuple[Total, Total]]:
    """By measure, the totals before and after."""
    with ExitStack() as stack:
        workers = {name: stack.enter_context(each.worker()) for name, each in (("before", before), ("after", after))}
        for worker in workers.values():
            _read(worker)
        totals = {measure: {"before": Total(), "after": Total()} for measure in MEASURES}
        for number in range(SLICES):
            for measure, name in product(MEASURES, ORDERS[number % 2]):
                totals[measure][name].add(_ask(workers[name], measure))
        return {measure: (both["before"], both["after"]) for measure, both in totals.items()}


def _ask(worker: subprocess.Popen[str], measure: str) -> dict[str, Any]:
    worker.stdin.write(f"{SLICE_SECONDS} {measure}\n")  # type: ignore[union-attr]  # a pipe
    return json.loads(_read(worker))


def _read(worker: subprocess.Popen[str]) -> str:
    line = worker.stdout.readline()  # type: ignore[union-attr]  # a pipe
    if not line:
        raise SystemExit("A measuring process ended. Its error is above.")
    return line


def compare(before: Path, after: Path, pairs: int) -> dict[str, list[Ratios]]:
    """By measure, the ratios of each pair."""
    ratios: dict[str, list[Ratios]] = defaultdict(list)
    with servers() as running:
        old, new = Checkout(before, "before", running), Checkout(after, "after", running)
        for number in range(pairs):
            began = time.perf_counter()
            console.print(f"Pair {number + 1}:", highlight=False)
            for measure, (one, other) in measure_pair(old, new).items():
                ratio = Ratios(other.per_second / one.per_second, other.per_cpu_second / one.per_cpu_second)
                ratios[measure].append(ratio)
                rates = f"{one.per_second:,.0f} → {other.per_second:,.0f}/s"
                console.print(f"  {measure}: {ratio.wall:.2f} ({rates}), CPU {ratio.cpu:.2f}", highlight=False)
            console.print(f"  {time.perf_counter() - began:.0f} s", highlight=False)
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="folder of the older checkout")
    parser.add_argument("after", type=Path, nargs="?", default=REPOSITORY, help="folder of the newer checkout")
    parser.add_argument("--pairs", type=int, default=10, help="number of interleaved pairs (default 10)")
    options = parser.parse_args()
    ratios = compare(options.before.resolve(), options.after.resolve(), options.pairs)
    headings = ("measure", "median after/before", "lowest", "highest", "median by CPU time", "lowest", "highest")
    result = Table(*headings, title=f"{options.pairs} interleaved pairs", title_justify="left")
    for measure, pairs in ratios.items():
        columns = [pair.wall for pair in pairs], [pair.cpu for pair in pairs]
        cells = (f"{summary(values):.3f}" for values in columns for summary in (median, min, max))
        result.add_row(measure, *cells)
    console.print(result)


if __name__ == "__main__":
    main()
