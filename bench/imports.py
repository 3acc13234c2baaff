"""What a cold start pays before its first line: the import of each function, from its package, in a fresh process."""

import platform
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.stage import Figure
from infra.deployment import package, template
from infra.environment import environment
from infra.toolchain import pythons

RUNS = 7
LIMIT_MS = 250
_PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
__import__(sys.argv[2])
print(time.perf_counter() - began)
"""


def measure() -> Iterator[Figure]:
    """As Lambda does it: a bare Python, a package with its bytecode, and nothing else to be imported."""
    python = pythons.find("3.13") or pythons.find(platform.python_version().rpartition(".")[0])
    assert python
    version = subprocess.run([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                             capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    target = package.Target("x86_64" if platform.machine() == "x86_64" else "arm64", version)
    start = _bare_start_seconds(python) * 1000
    for name in package.NAMES:
        module = next(h for h in template.functions(template.load()).values() if template.package_of(h) == name)
        milliseconds = _import_seconds(python, package.complete(name, target), module.rpartition(".")[0]) * 1000
        note = f"at most; Python {version}, whose own start takes {start:.0f} ms"
        yield Figure(f"import of functions.{name}", milliseconds, "ms", LIMIT_MS, note)


def _import_seconds(python: Path, folder: Path, module: str) -> float:
    command = [python, "-I", "-S", "-B", "-c", _PROGRAM, folder, module]
    runs = [subprocess.run(command, env=environment(), capture_output=True, check=True) for _ in range(RUNS + 1)]
    return statistics.median(float(run.stdout) for run in runs[1:])  # the first one fills the file system's cache


def _bare_start_seconds(python: Path) -> float:
    begun = time.perf_counter()
    for _ in range(RUNS):
        subprocess.run([python, "-I", "-S", "-c", "pass"], check=True)
    return (time.perf_counter() - begun) / RUNS
