"""Sends the simulated events to a running Switchboard, and passes its answers and views on to the simulation."""

import asyncio
import statistics
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from infra.client import Api, Feed, Problem, Recorded, Unreachable
from infra.simulator.model import SimulatedCallCentre
from infra.simulator.people import Send
from shared.contracts.base import rfc3339

# Each request under way at once is a process of its own in the local cloud: few are faster than many.
IN_FLIGHT = 8
PEOPLE_READ_SECONDS = 15.0
LATENCIES_KEPT = 1_000
PROBLEMS_KEPT = 5


@dataclass
class Sent:
    """What came of the events sent so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))
    problems: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    def count(self, recorded: Recorded) -> None:
        self.outcomes[f"{recorded.status} {recorded.outcome}"] += 1
        self.latencies.append(recorded.seconds)

    def count_problem(self, send: Send, problem: Exception) -> None:
        self.refused += 1
        text = f"{send.event['event']}: {problem}"
        if text in self.problems or len(self.problems) < PROBLEMS_KEPT:
            self.problems[text] += 1

    @property
    def accepted(self) -> int:
        return self.outcomes.total()

    @property
    def median_seconds(self) -> float:
        return statistics.median(self.latencies) if self.latencies else 0.0


class Telephony:
    """Sends the simulated events: in order for each call and agent, at most `IN_FLIGHT` at once."""

    def __init__(
        self, api: Api, call_centre: SimulatedCallCentre, feed: Feed | None, now: Callable[[], datetime]
    ) -> None:
        self.sent = Sent()
        self.waiting_to_send = 0
        self._api = api
        self._call_centre = call_centre
        self._feed = feed
        self._now = now
        self._woken = asyncio.Event()
        self._permits = asyncio.Semaphore(IN_FLIGHT)
        self._last_of: dict[str, asyncio.Task[None]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None

    async def run(self, until: float) -> None:
        """Simulate until that time. Raises a `Problem` that is final."""
        async with asyncio.TaskGroup() as listening:
            listeners = [listening.create_task(self._read_people())]
            if self._feed is not None:
                listeners.append(listening.create_task(self._listen(self._feed)))
            try:
                await self._play(until)
            finally:
                for listener in listeners:
                    listener.cancel()

    async def close(self) -> None:
        """End what is open, and see everything through."""
        self._dispatch(self._call_centre.close(self._seconds()))
        await self.settle()

    async def settle(self) -> None:
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _play(self, until: float) -> None:
        while (now := self._seconds()) < until:
            self._woken.clear()
            if self._broken:
                raise self._broken
            self._dispatch(self._call_centre.advance(now))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(self._call_centre.next_at, until) - self._seconds())):
                    await self._woken.wait()

    async def _listen(self, feed: Feed) -> None:
        async with aclosing(feed.updates()) as updates:
            async for item in updates:
                now = self._seconds()
                for agent in item.change.agents:
                    self._call_centre.hear_agent(agent, now)
                for call in item.change.calls:
                    self._call_centre.hear_call(call, now)
                self._woken.set()

    async def _read_people(self) -> None:
        """The feed tells at once; this is for what it could not tell, and for a Switchboard without sockets."""
        while True:
            await asyncio.sleep(PEOPLE_READ_SECONDS)
            with suppress(Problem, Unreachable):
                for agent in await self._api.agents():
                    self._call_centre.hear_agent(agent, self._seconds())

    def _dispatch(self, sends: Iterable[Send]) -> None:
        for send in sends:
            before = {self._last_of[key] for key in send.keys if key in self._last_of}
            task = asyncio.create_task(self._deliver(send, before))
            self.waiting_to_send += 1
            self._under_way.add(task)
            task.add_done_callback(self._done)
            self._last_of.update(dict.fromkeys(send.keys, task))

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._broken = error
            self._woken.set()

    async def _deliver(self, send: Send, before: set[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        async with self._permits:
            await self._post(send)
        self.waiting_to_send -= 1
        for key in send.keys:
            if self._last_of.get(key) is asyncio.current_task():
                del self._last_of[key]
        self._woken.set()

    async def _post(self, send: Send) -> None:
        try:
            occurred_at = rfc3339(datetime.fromtimestamp(send.at, UTC))
            recorded = await self._api.record({**send.event, "occurredAt": occurred_at})
        except (Problem, Unreachable) as problem:
            if _is_overtaken(send, problem):
                self.sent.outcomes["409 overtaken"] += 1
                return
            self.sent.count_problem(send, problem)
            self._dispatch(self._call_centre.refuse(send, self._seconds()))
        else:
            self.sent.count(recorded)
            self._call_centre.settle(send, recorded.call, self._seconds())

    def _seconds(self) -> float:
        return self._now().timestamp()


def _is_overtaken(send: Send, problem: Exception) -> bool:
    """Switchboard offered the interpreter a call in the instant when they wanted to go: the call goes first."""
    is_status = send.event["event"] == "agent_status_changed"
    return is_status and isinstance(problem, Problem) and problem.status == 409
