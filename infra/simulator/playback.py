"""Sends a call log to a running Switchboard as history: at once in whole calls, or paced in the order of time."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infra.client import Api, Problem, Recorded
from infra.simulator.call_log import LoggedCall, events
from infra.simulator.tally import REASONS_KEPT, Figures

Json = dict[str, Any]

BATCH = 500
# Two requests under way keep Switchboard busy while the next batch is read; more only wait for each other.
AT_ONCE = 2
LONGEST_CALL_EVENTS = 4


@dataclass
class Played:
    """What Switchboard answered so far."""

    events: int = 0
    ended: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    refused: int = 0
    figures: Figures = field(default_factory=Figures)

    def count(self, batch: list[Json], answers: list[Recorded | Problem]) -> None:
        for event, answer in zip(batch, answers, strict=True):
            self.events += 1
            self.ended += event["event"] == "call_ended"
            if isinstance(answer, Problem):
                self.refused += 1
                self.problems += [answer] if len(self.problems) < REASONS_KEPT else []
                continue
            self.outcomes[answer.outcome] += 1
            if event["event"] == "call_ended" and answer.call is not None:
                self.figures.add_recorded(answer.call)


def at_once(calls: Iterable[LoggedCall]) -> Iterator[list[Json]]:
    """Batches of whole calls, so that several can be under way without a call's events overtaking each other."""
    batch: list[Json] = []
    for call in calls:
        if len(batch) + LONGEST_CALL_EVENTS > BATCH:
            yield batch
            batch = []
        batch += events(call)
    if batch:
        yield batch


def in_order(calls: Iterable[LoggedCall]) -> Iterator[tuple[datetime, Json]]:
    """Every event with its time, across calls in the order of time. Logs are not sorted, so this holds the calls."""
    under_way: list[tuple[datetime, str, Json]] = []
    for call in sorted(calls, key=lambda call: call.initiated_at):
        while under_way and under_way[0][0] < call.initiated_at:
            at, _, event = heapq.heappop(under_way)
            yield at, event
        for event in events(call):
            heapq.heappush(under_way, (datetime.fromisoformat(event["occurredAt"]), event["eventId"], event))
    while under_way:
        at, _, event = heapq.heappop(under_way)
        yield at, event


class Playback:
    """Posts history and counts the answers. `report` is called after each batch."""

    def __init__(self, api: Api, report: Callable[[], None]) -> None:
        self.played = Played()
        self._api = api
        self._report = report

    async def play(self, calls: Iterable[LoggedCall]) -> None:
        batches = at_once(calls)
        async with asyncio.TaskGroup() as posting:
            for _ in range(AT_ONCE):
                posting.create_task(self._post_each(batches))

    async def play_paced(self, calls: Iterable[LoggedCall], speed: float) -> None:
        """Keep the log's own pace, `speed` times as fast. One request at a time, so that order is kept."""
        clock = asyncio.get_running_loop().time
        began, first_at = clock(), None
        batch: list[Json] = []
        for at, event in in_order(calls):
            first_at = first_at or at
            early_seconds = (at - first_at).total_seconds() / speed - (clock() - began)
            if batch and (early_seconds > 0 or len(batch) == BATCH):
                await self._post(batch)
                batch = []
            if early_seconds > 0:
                await asyncio.sleep((at - first_at).total_seconds() / speed - (clock() - began))
            batch.append(event)
        if batch:
            await self._post(batch)

    async def _post_each(self, batches: Iterator[list[Json]]) -> None:
        for batch in batches:
            await self._post(batch)

    async def _post(self, batch: list[Json]) -> None:
        self.played.count(batch, await self._api.record_many(batch, history=True))
        self._report()
