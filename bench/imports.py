"""What a cold start pays before its first line: the import of each function in a fresh process."""

import statistics
import subprocess
import sys
from collections.abc import Iterator

from bench.stage import Figure
from infra.environment import environment

FUNCTIONS = ("ingest", "query", "timers", "broadcast")
RUNS = 5
_PROGRAM = "import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"


def measure() -> Iterator[Figure]:
    floor = _seconds("json")
    for name in FUNCTIONS:
        milliseconds = _seconds(f"functions.{name}.app") * 1000
        yield Figure(f"import of functions.{name}", milliseconds, "ms", note=f"a bare json: {floor * 1000:.1f} ms")


def _seconds(module: str) -> float:
    program = _PROGRAM.format(module=module)
    # With bytecode, as a package has it: the first run writes what is missing, and is not counted.
    compiled = environment(PYTHONDONTWRITEBYTECODE="")
    command = [sys.executable, "-c", program]
    runs = [subprocess.run(command, env=compiled, capture_output=True, check=True) for _ in range(RUNS + 1)][1:]
    return statistics.median(float(run.stdout) for run in runs)
