"""Our client and the example client against the published vectors of the feed, and both against deliberate faults."""

import json
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from infra.client.replica import Replica
from infra.client.state import FeedState, ResumePoint, SnapshotRead
from infra.specs import vectors
from tests.support.asyncapi import faults
from tests.support.paths import REPOSITORY

Json = dict[str, Any]
FOLDER = REPOSITORY / "docs" / "feed-vectors"
VECTORS = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
EXAMPLE = REPOSITORY / "examples" / "feed_client.py"
FOR_EXAMPLE = [vector for vector in VECTORS if not vector.get("concurrent")]
# What is done to the example client's source: name, text, replacement.
FAULTS = [
    ("compares no versions", "ahead > 0 or", "True or"),
    ("ignores a later view of one version", " or held is self.agents)", ")"),
    ("keeps calls of other topics", "left or topics_of(view).isdisjoint(self.topics)", "left"),
    ("ignores departures", '("calls", "left", "agents")', '("calls", "agents")'),
    ("takes a departed call back", 'view["version"] - left', "-1 if left else view['version']"),
    ("keeps ended calls", ' and view["status"] != "ended"', ""),
    ("ignores flags", 'for _ in view["flags"]', "for _ in ()"),
    ("has no doubts", "-1 < position <= self.whole", "False"),
    ("doubts every new call", "-1 < position <= self.whole", "True"),
    ("ignores reset", 'frame["type"] == "reset" or ', ""),
    ("ignores replayed", ' or not frame.get("replayed", True)', ""),
    ("resumes from the latest position", "now - at >= 5", "True"),
    ("has too short an overlap", "now - at >= 5", "now - at >= 4"),
    ("resumes from the first position", "*(position for", "*(first for"),
    ("counts time across connections", "self.recent = []\n", "pass\n"),
    ("removes nothing after a snapshot", "del held[missing]", "pass"),
    ("reads one page", "for page in pages for", "for page in pages[:1] for"),
    (
        "takes the last page's position",
        'max(self.since, pages[0]["position"])',
        'max(self.since, pages[-1]["position"])',
    ),
    ("ignores the snapshot's position", 'False, max(self.since, pages[0]["position"])', "False, self.since"),
]


class Client(Protocol):
    """What a vector needs of a client. `read` begins a snapshot, `answer` ends it, `fail` gives it up."""

    def subscribe(self) -> Json: ...
    def hear(self, frame: Json, now: float) -> None: ...
    def cut(self) -> None: ...
    def read(self) -> None: ...
    def answer(self, pages: list[Json], agents: list[Json]) -> None: ...
    def poll(self, changes: Json) -> None: ...
    @property
    def calls(self) -> dict[str, Json]: ...
    @property
    def agents(self) -> dict[str, Json]: ...
    @property
    def since(self) -> int | None: ...
    @property
    def needs_snapshot(self) -> bool: ...


class Ours:
    """infra/client, with the events that it reports as new."""

    def __init__(self, topics: list[str]) -> None:
        self._state = FeedState(topics)
        self._read: SnapshotRead | None = None
        self.events: dict[str, bool] = {}

    def subscribe(self) -> Json:
        return self._state.subscribe()

    def hear(self, frame: Json, now: float) -> None:
        for event in self._state.apply_frame(frame, now).events:
            self.events[event["id"]] = event["void"]

    def cut(self) -> None:
        self._state.disconnected()

    def read(self) -> None:
        self._read = self._state.begin_snapshot()

    def answer(self, pages: list[Json], agents: list[Json]) -> None:
        assert self._read
        self._state.apply_snapshot(self._read, pages, agents)

    def poll(self, changes: Json) -> None:
        if changes["reset"]:
            self._state.reset()
        else:
            self._state.apply_poll(changes)

    @property
    def calls(self) -> dict[str, Json]:
        return self._state.replica.calls

    @property
    def agents(self) -> dict[str, Json]:
        return self._state.replica.agents

    @property
    def since(self) -> int | None:
        return self._state.since

    @property
    def needs_snapshot(self) -> bool:
        return self._state.needs_snapshot


class Example:
    """examples/feed_client.py, whose source may have been broken. It takes no frames in during a read."""

    def __init__(self, topics: list[str], source: str) -> None:
        names: Json = {}
        exec(source, names)
        self._feed = names["Feed"](topics)
        self.subscribe, self.hear, self.answer = self._feed.subscribe, self._feed.hear, self._feed.snapshot

    def cut(self) -> None: ...

    def read(self) -> None: ...

    def poll(self, changes: Json) -> None:
        self._feed.needs_snapshot |= changes["reset"]
        if not changes["reset"]:
            self._feed.take(changes)
            self._feed.since = changes["position"]

    @property
    def calls(self) -> dict[str, Json]:
        return self._feed.calls

    @property
    def agents(self) -> dict[str, Json]:
        return self._feed.agents

    @property
    def since(self) -> int | None:
        return self._feed.since

    @property
    def needs_snapshot(self) -> bool:
        return self._feed.needs_snapshot


def play(client: Client, vector: Json) -> None:
    """Raises AssertionError at the first step where the client is not as the vector expects."""
    is_reading = False
    steps = waiting_during_reads(vector["steps"]) if isinstance(client, Example) else vector["steps"]
    for number, step in enumerate(steps):
        expect, seen = step.get("expect", {}), dict[str, Any]()
        match step["do"]:
            case "connect":
                if "sinceAtMost" in expect:
                    assert client.since is not None and client.since <= expect["sinceAtMost"], (vector["name"], number)
                seen["sends"] = client.subscribe()
            case "frame":
                client.hear(step["frame"], step["at"])
            case "cut":
                client.cut()
            case "read":
                is_reading = step.get("if") != "needed" or client.needs_snapshot
                if is_reading:
                    client.read()
            case "answer":
                if is_reading:
                    client.answer(step["pages"], step["agents"])
                is_reading = False
            case "fail":
                is_reading = False
            case "poll":
                client.poll(step["changes"])
            case unknown:
                raise AssertionError(unknown)
        seen |= picture_of(client)
        wanted = {name: value for name, value in expect.items() if name in seen}
        assert {name: seen[name] for name in wanted} == wanted, (vector["name"], number, step["do"])


def waiting_during_reads(steps: list[Json]) -> list[Json]:
    """The steps in the order in which a client takes them that leaves frames in the socket during a read."""
    ordered: list[Json] = []
    read: Json | None = None
    waiting: list[Json] = []
    for step in steps:
        if step["do"] == "read":
            read = step
            ordered.append(step)
        elif step["do"] in ("answer", "fail"):
            ends = {key: value for key, value in step.items() if key != "expect"}
            last = {"do": "cut", "expect": step.get("expect", {})}  # what is expected once the frames were taken, too
            ordered += [ends, *waiting, last] if waiting else [step]
            read, waiting = None, []
        elif read:
            waiting.append({key: value for key, value in step.items() if key != "expect"})
        else:
            ordered.append(step)
    return ordered


def picture_of(client: Client) -> Json:
    events = getattr(client, "events", None)
    return {
        "calls": versions(client.calls),
        "agents": versions(client.agents),
        "agentCalls": {agent["id"]: agent["callId"] for agent in client.agents.values()},
        "flags": {call["id"]: call["flags"] for call in client.calls.values() if call["flags"]},
        "since": client.since,
        "snapshot": client.needs_snapshot,
    } | ({} if events is None else {"events": events})


def versions(views: dict[str, Json]) -> dict[str, int]:
    return {key: view["version"] for key, view in views.items()}


def failures(make: Callable[[list[str]], Client], vectors: list[Json] = VECTORS) -> list[str]:
    """The names of the vectors that a client fails, however it fails."""
    failed: list[str] = []
    for vector in vectors:
        try:
            play(make(vector["topics"]), vector)
        except Exception:
            failed.append(vector["name"])
    return failed


def test_the_vectors_are_all_there() -> None:
    assert {vector["name"] for vector in VECTORS} == {vector.name for vector in vectors.VECTORS}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_our_client_passes_the_vector(vector: Json) -> None:
    play(Ours(vector["topics"]), vector)


@pytest.mark.parametrize("vector", FOR_EXAMPLE, ids=lambda vector: vector["name"])
def test_the_example_client_passes_the_vector(vector: Json) -> None:
    play(Example(vector["topics"], EXAMPLE.read_text()), vector)


def test_the_example_client_has_forty_lines() -> None:
    assert len([line for line in EXAMPLE.read_text().splitlines() if line]) <= 40


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault[0])
def test_the_vectors_catch_a_broken_example(fault: tuple[str, str, str]) -> None:
    _, right, wrong = fault
    source = EXAMPLE.read_text()
    assert right in source
    assert failures(lambda topics: Example(topics, source.replace(right, wrong)), FOR_EXAMPLE)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_each_frame_of_a_vector_is_one_of_the_feed(vector: Json) -> None:
    """Except for the frames that a client must ignore."""
    frames = [step["frame"] for step in vector["steps"] if "frame" in step]
    sent = [step["expect"]["sends"] for step in vector["steps"] if "sends" in step.get("expect", {})]
    named = [(frame["type"], frame) for frame in frames] + [("subscribe", message) for message in sent]
    for name, message in named if vector["name"] != "frames-to-ignore" else []:
        assert faults(message, name) == []


def no_version_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Replica, "_version_of", lambda *_: -1)


def no_memory_of_departures(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Replica, "_depart", lambda self, call_id, _: self._remove(call_id))


def every_call_is_followed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FeedState, "follows", lambda *_: True)


def departures_are_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Replica, "_apply_departures", lambda *_: ())


def no_overlap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("infra.client.state.OVERLAP_SECONDS", 0.0)


def snapshots_do_not_move_the_position(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ResumePoint, "add_read", lambda *_: None)


def a_snapshot_removes_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Replica, "apply_snapshot", lambda self, _, calls, position: self.apply_views(calls, position))


def a_snapshot_heals_gaps_after_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FeedState, "begin_snapshot", lambda self: SnapshotRead(self.replica.held_versions(), 10**6))


def no_doubts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FeedState, "needs_snapshot", FeedState.has_gap)


def gaps_are_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FeedState, "has_gap", property(lambda state: not state._closed_gaps))


def agents_stay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Replica, "apply_all_agents", lambda self, _, agents: self.apply_agents(agents))


@pytest.mark.parametrize(
    "break_it",
    [
        no_version_check, no_memory_of_departures, every_call_is_followed, departures_are_ignored, no_overlap,
        snapshots_do_not_move_the_position, a_snapshot_removes_nothing, a_snapshot_heals_gaps_after_it, no_doubts,
        gaps_are_ignored, agents_stay,
    ],
    ids=lambda break_it: break_it.__name__,
)  # fmt: skip
def test_the_vectors_catch_a_broken_client(break_it: Callable[[pytest.MonkeyPatch], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        break_it(patch)
        assert failures(Ours)
