"""Plan past one machine: `python -m bench.scale` measures how long a post and a request take here and what they log,
simulates the sharded relay with the first, and adds up what a million calls cost with the others.

Measured are service times of this machine; what 50,000 calls do is a simulation by events, what they cost a sum.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench import feed, ingest, logs
from bench.gateway import gateway
from bench.idle import LAMBDA_GB_SECOND, LAMBDA_REQUEST, LOG_GB
from bench.stage import stage

# What the floor does.
CALLS, HANDLING_SECONDS, EVENTS_A_CALL = 50_000, 240.0, 5
DASHBOARDS, QUEUES = 5_000, 200
SHARDS = (1, 2, 4, 8, 16, 32)
BATCHES = (1, 25)
SIMULATED_SECONDS, WARM_SECONDS = 12.0, 4.0

# Lambda gives a function a processor's part by its memory, a whole one at 1,769 MB ("Configure Lambda function memory",
# AWS' developer guide). All work is taken to be the processor's: what waits is no slower there, so this errs upwards.
MEMORY_MB, WHOLE_PROCESSOR_MB = 512, 1769

# List prices, us-east-1, in dollars; those of a month without calls are in `bench.idle`. docs/scale.md has the sources.
REST_REQUEST, GB_OUT = 3.50e-6, 0.09
SOCKET_MESSAGE, SOCKET_MINUTE = 1.00e-6, 0.25e-6


@dataclass(frozen=True)
class Measured:
    """Of this machine, with a processor of its own: not of Lambda."""

    posts_per_second: float
    frame_bytes: float
    request_seconds: dict[int, float]  # by how many events come in a request
    log_bytes: dict[int, float]  # of a request, likewise: ingest's lines, and the relay's for one dashboard


def measure() -> Measured:
    with stage() as ground, gateway() as taking:
        posts = feed.posting(ground, taking)[0].value
        frame = feed.frame_bytes(ground, taking)
        seconds = {batch: ingest.seconds_a_request(ground, batch) for batch in BATCHES}
    return Measured(posts, frame, seconds, logs.measure().request)


@dataclass(frozen=True)
class Told:
    shards: int
    posts: float  # a second, of the busiest shard
    capacity: float  # posts a second
    p50: float
    p99: float

    @property
    def load(self) -> float:
        return self.posts / self.capacity


def simulate(shards: int, capacity: float, *, seed: int = 1) -> Told:
    """The busiest of so many shards. A connection that waits for its post already gets all news in that one post."""
    dice, events = random.Random(seed), CALLS / HANDLING_SECONDS * EVENTS_A_CALL
    queues = -(-QUEUES // shards)
    rate, listeners = events * queues / QUEUES, DASHBOARDS // QUEUES
    waiting: deque[tuple[int, int]] = deque()
    oldest: dict[tuple[int, int], float] = {}
    clock, free_at, posts = dice.expovariate(rate), 0.0, 0
    delays: list[float] = []
    while clock < SIMULATED_SECONDS or waiting:
        if waiting and (free_at <= clock or clock >= SIMULATED_SECONDS):
            connection = waiting.popleft()
            begun = max(free_at, oldest[connection])
            free_at = begun + dice.expovariate(capacity)
            if WARM_SECONDS < oldest[connection] < SIMULATED_SECONDS:
                delays.append(free_at - oldest[connection])
                posts += 1
            del oldest[connection]
            continue
        if clock >= SIMULATED_SECONDS:
            break
        queue = dice.randrange(queues)
        for connection in ((queue, n) for n in range(listeners)):
            if connection not in oldest:
                oldest[connection] = clock
                waiting.append(connection)
        clock += dice.expovariate(rate)
    return Told(shards, posts / (SIMULATED_SECONDS - WARM_SECONDS), capacity, _rank(delays, 0.5), _rank(delays, 0.99))


def _rank(values: list[float], part: float) -> float:
    return heapq.nsmallest(max(1, int(len(values) * part)), values)[-1]


def cost_of_a_million_calls(measured: Measured, batch: int) -> dict[str, float]:
    """Dollars, without Postgres and Redis, where a request has so many events."""
    calls = 1e6
    events = calls * EVENTS_A_CALL
    requests, posts = events / batch, events * DASHBOARDS / QUEUES
    seconds = measured.request_seconds[batch] * WHOLE_PROCESSOR_MB / MEMORY_MB
    hours = calls / CALLS * HANDLING_SECONDS / 3600
    gb_second = MEMORY_MB / 1024 * LAMBDA_GB_SECOND
    return {
        "REST requests": requests * REST_REQUEST,
        "ingest": requests * (LAMBDA_REQUEST + seconds * gb_second),
        "logs": requests * measured.log_bytes[batch] / 1e9 * LOG_GB,
        "sweep and 16 relays": 17 * hours * 3600 * gb_second,
        "posts to dashboards": posts * SOCKET_MESSAGE,
        "their bytes": posts * measured.frame_bytes / 1e9 * GB_OUT,
        "connected minutes": DASHBOARDS * hours * 60 * SOCKET_MINUTE,
    }


def main() -> None:
    console = Console()
    with Console(stderr=True).status("Measuring …"):
        measured = measure()
    console.print(f"A relay posts {measured.posts_per_second:,.0f}/s here.")
    console.print(f"A frame that tells of one event has {measured.frame_bytes:,.0f} bytes.")
    for batch, seconds in measured.request_seconds.items():
        logged = measured.log_bytes[batch]
        console.print(
            f"A request with {batch} events takes {seconds * 1000:.1f} ms here, and logs {logged:,.0f} bytes."
        )
    for memory in (MEMORY_MB, WHOLE_PROCESSOR_MB):
        console.print(_delays(memory, measured.posts_per_second * memory / WHOLE_PROCESSOR_MB))
    console.print(_costs(measured))


def _delays(memory: int, capacity: float) -> Table:
    table = Table(title=f"Relays of {memory:,} MB, {capacity:,.0f} posts/s each: the busiest")
    for heading in ("shards", "posts/s", "load", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for told in (simulate(shards, capacity) for shards in SHARDS):
        table.add_row(
            str(told.shards),
            f"{told.posts:,.0f}",
            f"{told.load:.2f}",
            f"{told.p50 * 1000:,.0f}",
            f"{told.p99 * 1000:,.0f}",
        )
    return table


def _costs(measured: Measured) -> Table:
    table = Table(title="Dollars for a million calls, without Postgres and Redis")
    table.add_column("part")
    columns = [cost_of_a_million_calls(measured, batch) for batch in BATCHES]
    for batch in BATCHES:
        table.add_column(f"{batch} a request", justify="right")
    for part in columns[0]:
        table.add_row(part, *(f"{costs[part]:,.2f}" for costs in columns))
    table.add_row("all", *(f"{sum(costs.values()):,.2f}" for costs in columns))
    return table


if __name__ == "__main__":
    main()
