"""Long vectors: a model of the server at work, with frames that overtake each other, cuts, replays and snapshots.

The expected picture is the model's own state. Where the client must resume is checked against what it has received.
"""

import random
from dataclasses import dataclass, field

from infra.specs.vectors.build import (
    OTHER,
    QUEUE,
    TOPICS,
    Json,
    Vector,
    agent,
    answer,
    call,
    cut,
    frame,
    left,
    page,
    read,
    reset,
    subscribed,
    update,
)

STEPS = 110
CALLS = [f"c{number}" for number in range(7)]
AGENTS = ["ana", "bea"]
LONGEST_DELAY = 4.0  # seconds in which one relay may overtake another; less than the overlap of 5 s


@dataclass
class Server:
    """Transactions are numbered. Everything below `position` is committed and was sent to the subscribers.

    calls: the view of each call, as a reader of every queue sees it
    changed: by call or agent, the last transaction that changed it
    away: transactions by which a call or an agent left the queue, so that a replay would be incomplete
    """

    chance: random.Random
    position: int = 100
    calls: dict[str, Json] = field(default_factory=dict[str, Json])
    agents: dict[str, Json] = field(default_factory=dict[str, Json])
    changed: dict[str, int] = field(default_factory=dict[str, int])
    away: list[int] = field(default_factory=list[int])

    def transaction(self) -> Json | None:
        """One change, and the frame that a subscriber of the queue gets, if any."""
        number, self.position = self.position, self.position + 1
        position = max(100, number - int(self.chance.random() * 3))  # a frame's position may be older than its changes
        if self.chance.random() < 0.15:
            return self._agent(number, position)
        return self._call(number, position)

    def _call(self, number: int, position: int) -> Json | None:
        call_id = CALLS[int(self.chance.random() * len(CALLS))]
        before = self.calls.get(call_id) or call(call_id, 0, "ended")
        version, queue, luck = before["version"] + 1, before["queueId"], self.chance.random()
        if before["status"] == "ended":
            view = call(call_id, version, "waiting", QUEUE if luck < 0.8 else OTHER)
        elif luck < 0.25:
            view = call(call_id, version, "waiting", OTHER if queue == QUEUE else QUEUE)
        else:
            view = call(call_id, version, "ended" if luck < 0.45 else "active", queue)
        self.calls[call_id], self.changed[call_id] = view, number
        if view["queueId"] == QUEUE:
            return update(position, view)
        if before["version"] and queue == QUEUE:
            self.away.append(number)
            return update(position, left=[left(call_id, version)])
        return None

    def _agent(self, number: int, position: int) -> Json:
        agent_id = AGENTS[int(self.chance.random() * len(AGENTS))]
        version = self.agents.get(agent_id, {"version": 0})["version"] + 1
        leaves = version > 1 and self.chance.random() < 0.2
        self.agents[agent_id] = agent(agent_id, version, queues=[OTHER if leaves else QUEUE])
        self.changed[agent_id] = number
        if leaves:
            self.away.append(number)
            return reset(position)
        return update(position, agents=[self.agents[agent_id]])

    def live(self) -> list[Json]:
        return [view for view in self.calls.values() if view["queueId"] == QUEUE and view["status"] != "ended"]

    def staff(self) -> list[Json]:
        return [view for view in self.agents.values() if view["queues"] == [QUEUE]]

    def resumed(self, since: int) -> list[Json]:
        """The answer to a subscription: a replay, or that there can be none."""
        if any(number >= since for number in self.away):
            return [reset(self.position), subscribed(self.position)]
        calls = [view for view in self.calls.values() if view["queueId"] == QUEUE and self.changed[view["id"]] >= since]
        agents = [view for view in self.staff() if self.changed[view["id"]] >= since]
        replay = [update(since, *calls, agents=agents)] if calls or agents else []
        return [*replay, subscribed(self.position, replayed=True)]


@dataclass
class History:
    """Writes the steps down. `flying` are frames on their way: arrival time, transaction, frame."""

    chance: random.Random
    server: Server = field(init=False)
    steps: list[Json] = field(default_factory=list[Json])
    now: float = 0.0
    flying: list[tuple[float, int, Json]] = field(default_factory=list[tuple[float, int, Json]])
    pages: list[Json] | None = None  # of the snapshot that is being read
    seen: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])  # times and positions of frames
    safe: int | None = None  # where a client may resume at least, without counting snapshots
    read_at: int = 0  # the position of the last snapshot that was read

    def __post_init__(self) -> None:
        self.server = Server(self.chance)

    def connect(self) -> None:
        expect: Json = {} if self.safe is None else {"sinceAtMost": max(self.read_at, self._oldest_lost())}
        self.steps.append({"at": self._at(), "do": "connect", "expect": expect})
        self.flying, self.seen = [], []
        answers = [subscribed(self.server.position)] if self.safe is None else self.server.resumed(self.safe)
        for each in answers:
            self._hear(each)

    def cut(self) -> None:
        self.steps.append(cut(self._at()))

    def change(self) -> None:
        number, found = self.server.position, self.server.transaction()
        if found:
            self.flying.append((self.now + self.chance.random() * LONGEST_DELAY, number, found))

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        for at, _, each in sorted(self.flying, key=lambda one: one[:2]):
            if at <= until:
                self.now = at
                self._hear(each)
        self.now = until
        self.flying = [one for one in self.flying if one[0] > until]

    def read(self) -> None:
        """Begin a snapshot, or go on with the one that is being read: a client reads only if it needs to."""
        if self.pages is None:
            self.steps.append(read(self._at()) | {"if": "needed"})
            self.pages = [self._page(0, more=True)]
            return
        self.read_at = self.pages[0]["position"]
        pages = [*self.pages, self._page(1, more=False)]
        self.steps.append(answer(self._at(), *pages, agents=self.server.staff()))
        self.pages = None

    def finish(self) -> None:
        """Everything arrives, and the client reads as often as it may need to: after that it is the model's state."""
        for _ in range(2 if self.pages is None else 3):
            self.wait(LONGEST_DELAY)
            self.read()
        self.steps[-1]["expect"] = {
            "calls": {view["id"]: view["version"] for view in self.server.live()},
            "agents": {view["id"]: view["version"] for view in self.server.staff()},
            "snapshot": False,
        }

    def _page(self, number: int, *, more: bool) -> Json:
        calls = [view for view in self.server.live() if CALLS.index(view["id"]) % 2 == number]
        return page(self.server.position, *calls, more=more)

    def _hear(self, each: Json) -> None:
        self.steps.append(frame(self._at(), each))
        position = each["position"]
        safe = position if self.safe is None else self.safe
        self.seen.append((self._at(), position))
        while self._at() - self.seen[0][0] >= 5:
            safe = max(safe, self.seen.pop(0)[1])
        self.safe = safe

    def _oldest_lost(self) -> int:
        return min((number for _, number, _ in self.flying), default=self.server.position)

    def _at(self) -> float:
        return round(self.now, 3)


def history(seed: int) -> Vector:
    chance = random.Random(seed)
    course = History(chance)
    course.connect()
    for _ in range(STEPS):
        luck = chance.random()
        if luck < 0.7:
            course.change()
        elif luck < 0.9:
            course.read()
        else:
            course.cut()
            for _ in range(int(chance.random() * 3)):
                course.change()
            course.connect()
        course.wait(chance.random() * 2)
    course.finish()
    rule = "Whatever is lost, comes late or comes twice, the picture is in the end what REST shows."
    return Vector(f"long-{seed}", rule, course.steps, TOPICS)


VECTORS = tuple(history(seed) for seed in (1, 2, 3))
