"""What a cold start pays before its first line: the import of each function in a fresh process."""

import statistics
import subprocess
import sys
from collections.abc import Iterator

from bench.stage import Figure

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
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, check=True) for _ in range(RUNS)]
    return statistics.median(float(run.stdout) for run in runs)
