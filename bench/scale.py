"""Plan past one machine: `python -m bench.scale` simulates the sharded relay and adds up what a million calls cost.

A simulation by events, not a measurement: its one service time is a trial's, and what it says is as good as that.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

# What the floor does.
CALLS, HANDLING_SECONDS, EVENTS_A_CALL = 50_000, 240.0, 5
DASHBOARDS, QUEUES = 5_000, 200
# Taken from one early trial of aiohttp against API Gateway's emulator on 2 cores, without a relay (docs/scale.md).
POSTS_PER_SECOND = 3_700
SIMULATED_SECONDS, WARM_SECONDS = 12.0, 4.0

# List prices, us-east-1, in dollars, as others quote them (docs/scale.md says who and when).
REST_REQUEST, LAMBDA_REQUEST, LAMBDA_GB_SECOND = 3.50e-6, 0.20e-6, 1.33334e-5
SOCKET_MESSAGE, SOCKET_MINUTE, LOG_GB = 1.00e-6, 0.25e-6, 0.50
INGEST_SECONDS, MEMORY_GB, LOG_BYTES_A_REQUEST = 0.007, 0.5, 700


@dataclass(frozen=True)
class Told:
    shards: int
    posts: float  # a second, of the busiest shard
    p50: float
    p99: float

    @property
    def load(self) -> float:
        return self.posts / POSTS_PER_SECOND


def simulate(shards: int, *, events: float = CALLS / HANDLING_SECONDS * EVENTS_A_CALL, seed: int = 1) -> Told:
    """The busiest of so many shards. A connection that waits for its post already gets all news in that one post."""
    dice = random.Random(seed)
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
            free_at = begun + dice.expovariate(POSTS_PER_SECOND)
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
    return Told(shards, posts / (SIMULATED_SECONDS - WARM_SECONDS), _rank(delays, 0.5), _rank(delays, 0.99))


def _rank(values: list[float], part: float) -> float:
    return heapq.nsmallest(max(1, int(len(values) * part)), values)[-1]


def cost_of_a_million_calls(batch: int = 1) -> dict[str, float]:
    """Dollars, without Postgres and Redis. `batch` is how many events come in one request."""
    calls = 1e6
    events = calls * EVENTS_A_CALL
    requests = events / batch
    hours = calls / CALLS * HANDLING_SECONDS / 3600
    posts = events * DASHBOARDS / QUEUES
    return {
        "REST requests": requests * REST_REQUEST,
        "ingest": requests * (LAMBDA_REQUEST + INGEST_SECONDS * MEMORY_GB * LAMBDA_GB_SECOND),
        "logs": requests * LOG_BYTES_A_REQUEST / 1e9 * LOG_GB,
        "sweep and 16 relays": 17 * hours * 3600 * MEMORY_GB * LAMBDA_GB_SECOND,
        "posts to dashboards": posts * SOCKET_MESSAGE,
        "connected minutes": DASHBOARDS * hours * 60 * SOCKET_MINUTE,
    }


def main() -> None:
    console = Console()
    table = Table(title=f"{CALLS:,} calls at once, {DASHBOARDS:,} dashboards: the busiest shard")
    for heading in ("shards", "posts/s", "load", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for told in (simulate(shards) for shards in (1, 2, 4, 8, 16, 32)):
        table.add_row(
            str(told.shards),
            f"{told.posts:,.0f}",
            f"{told.load:.2f}",
            f"{told.p50 * 1000:,.1f}",
            f"{told.p99 * 1000:,.1f}",
        )
    console.print(table)
    costs = Table(title="Dollars for a million calls, without Postgres and Redis")
    costs.add_column("part")
    for batch in (1, 25):
        costs.add_column(f"{batch} a request", justify="right")
    one, many = cost_of_a_million_calls(), cost_of_a_million_calls(25)
    for part in one:
        costs.add_row(part, f"{one[part]:,.2f}", f"{many[part]:,.2f}")
    costs.add_row("all", f"{sum(one.values()):,.2f}", f"{sum(many.values()):,.2f}")
    console.print(costs)


if __name__ == "__main__":
    main()
