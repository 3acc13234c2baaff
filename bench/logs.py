"""Bytes of log that the functions write: for a request with events, and for sweep and relay while no call comes.

`python -m bench.logs` measures them in an embedded cloud of its own. They are counted as CloudWatch counts them, with
26 bytes for each line, and with the lines that Lambda adds to each invocation.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from bench.ingest import lifecycles
from bench.live import cloud
from bench.report import console
from infra.home import Home

CALLS = 300  # of five events each, for each batch size
BATCHES = (1, 25)
IDLE_RUNS = 2  # of sweep and relay each
QUIET_SECONDS = 3.0  # without a new line, the log is complete
LINE_OVERHEAD = 26  # bytes that CloudWatch adds to the size of each line
ID, TRACE, SEGMENT = "0" * 36, "1-" + "0" * 8 + "-" + "0" * 24, "0" * 16
# What Lambda writes for each invocation where tracing is on. The embedded cloud does not write it.
PLATFORM = (
    f"START RequestId: {ID} Version: $LATEST",
    f"END RequestId: {ID}",
    f"REPORT RequestId: {ID}\tDuration: 12.34 ms\tBilled Duration: 13 ms\t"
    "Memory Size: 512 MB\tMax Memory Used: 120 MB\t\n"
    f"XRAY TraceId: {TRACE}\tSegmentId: {SEGMENT}\tSampled: true\t",
)


@dataclass(frozen=True)
class LogVolume:
    """Bytes, as CloudWatch counts them."""

    request: dict[int, float]
    """Of a request, by its number of events: ingest's lines, and the relay's while one dashboard follows the queue."""
    sweep: float
    """Of a run of the sweep without calls."""
    relay: float
    """Of a run of the relay without calls."""
    look: float
    """Of the relay that the schedule starts each minute, where every shard has its relay."""

    def idle_hour(self, shards: int) -> float:
        """Of one hour without calls: each minute a sweep, a run of each shard's relay, and the schedule's look."""
        return 60 * (self.sweep + shards * self.relay + self.look)


def counted(line: str) -> int:
    return len(line.encode()) + LINE_OVERHEAD


PLATFORM_BYTES = sum(map(counted, PLATFORM))


def measure() -> LogVolume:
    """Takes some minutes, because a sweep lasts 65 s."""
    with cloud("--no-dashboard") as status:
        log = Home(Path(status["home"])).function_log
        idle = _idle(log)
        return LogVolume({batch: _requests(status, log, batch) for batch in BATCHES}, **idle)


def _idle(log: Path) -> dict[str, float]:
    """The means of the lines of which a run consists."""
    found: dict[str, list[int]] = defaultdict(list)
    while min(len(found["sweep ends"]), len(found["relayed"])) < IDLE_RUNS:
        time.sleep(QUIET_SECONDS)
        found.clear()
        for _, line in _lines(log, 0):
            found[_kind(line)].append(counted(line))
    mean = {kind: sum(sizes) / len(sizes) for kind, sizes in found.items()}
    sweep = mean["sweep begins"] + mean["sweep ends"] + mean["OutboxAge"] + PLATFORM_BYTES
    return {
        "sweep": sweep,
        "relay": mean["relayed"] + PLATFORM_BYTES,
        "look": mean.get("Every shard has its relay", mean["relayed"]) + PLATFORM_BYTES,
    }


def _kind(line: str) -> str:
    kinds = ("sweep begins", "sweep ends", "OutboxAge", "relayed", "Every shard has its relay")
    return next((kind for kind in kinds if kind in line), "other")


def _requests(status: dict[str, Any], log: Path, batch: int) -> float:
    """Bytes a request, of ingest and of the relay that tells one dashboard."""
    events = lifecycles(CALLS, f"log-{batch}")
    bodies = [events[i : i + batch] for i in range(0, len(events), batch)]
    begin = log.stat().st_size
    with (
        httpx.Client(headers={"Authorization": f"Bearer {status['token']}"}, timeout=60, trust_env=False) as http,
        connect(f"{status['websocket']}?token={status['token']}", max_queue=None) as socket,
    ):
        socket.send(json.dumps({"action": "subscribe", "topics": ["queue:medical_spanish"]}))
        for body in bodies:
            http.post(f"{status['api']}/api/events", json=body if batch > 1 else body[0]).raise_for_status()
        _await_quiet(log)
    lines = [(name, line) for name, line in _lines(log, begin) if name.endswith(("-ingest", "-relay"))]
    own = sum(counted(line) for _, line in lines if _kind(line) == "other")
    return own / len(bodies) + PLATFORM_BYTES


def _await_quiet(log: Path) -> None:
    size = -1
    while size != (size := _written(log)):
        time.sleep(QUIET_SECONDS)


def _written(log: Path) -> int:
    """The number of lines of ingest and the relay that concern events."""
    return sum(name.endswith(("-ingest", "-relay")) and _kind(line) == "other" for name, line in _lines(log, 0))


def _lines(log: Path, begin: int) -> Iterator[tuple[str, str]]:
    """Each complete line from this byte on, with the name of its function."""
    with log.open() as file:
        file.seek(begin)
        for row in file:
            name, tab, line = row.rstrip("\n").partition("\t")
            if tab and row.endswith("\n"):
                yield name, line


def main() -> None:
    volume = measure()
    for batch, size in volume.request.items():
        console.print(f"A request with {batch} events writes {size:,.0f} bytes, {size / batch:,.0f} an event.")
    console.print(
        f"A run without calls: sweep {volume.sweep:,.0f} bytes, relay {volume.relay:,.0f}, look {volume.look:,.0f}."
    )
    console.print(f"An hour without calls, with one shard: {volume.idle_hour(1):,.0f} bytes.")


if __name__ == "__main__":
    main()
