"""The floor as a client knows it: a fold over snapshots and frames, the same in any order and with any copies. Pure."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Json = dict[str, Any]
Value = TypeVar("Value")

# How many ended calls and seen events are remembered. A copy later than this many others is not known as one.
REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """What a frame told that was not known before."""

    calls: tuple[Json, ...] = ()
    events: tuple[Json, ...] = ()
    agents: tuple[Json, ...] = ()


NOTHING = Change()


@dataclass
class Picture:
    """Live calls and agents by id, the last calls that ended, and the highest position seen."""

    calls: dict[str, Json] = field(default_factory=dict)
    agents: dict[str, Json] = field(default_factory=dict)
    ended: OrderedDict[str, Json] = field(default_factory=OrderedDict)
    position: int | None = None
    _events: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def apply(self, frame: Mapping[str, Any]) -> Change:
        """Take an `update` frame in."""
        change = Change(
            tuple(call for call in frame.get("calls") or () if self._take_call(call)),
            tuple(event for event in frame.get("events") or () if self._take_event(event)),
            tuple(agent for agent in frame.get("agents") or () if self._take_agent(agent)),
        )
        self.reached(frame.get("position"))
        return change

    def known(self) -> dict[str, int]:
        """What stands in the picture as a snapshot is asked for, to be handed to `take_snapshot` with the answer."""
        return {call_id: call["version"] for call_id, call in self.calls.items()}

    def take_snapshot(self, asked_with: Mapping[str, int], live: Iterable[Json], position: int | None = None) -> Change:
        """Take in the live floor as REST told it. A call that was live as we asked, and is not in the answer, ended."""
        told = list(live)
        changed = tuple(call for call in told if self._take_call(call))
        present = {call["id"] for call in told}
        for call_id, version in asked_with.items():
            call = self.calls.get(call_id)
            # One that has moved on since we asked is newer than the snapshot: the snapshot has no say about it.
            if call_id not in present and call is not None and call["version"] == version:
                self._end({**self.calls[call_id], "status": "ended"})
        self.reached(position)
        return Change(calls=changed)

    def take_changes(
        self, calls: Iterable[Json], left: Iterable[Json], agents: Iterable[Json], position: int
    ) -> Change:
        """Take in what changed since a position, as a poll told it."""
        change = Change(tuple(call for call in calls if self._take_call(call)), (), self.take_agents(agents).agents)
        for gone in left:
            held = self.calls.get(gone["id"])
            if held is not None and held["version"] <= gone["version"]:
                del self.calls[gone["id"]]
        self.reached(position)
        return change

    def take_agents(self, agents: Iterable[Json]) -> Change:
        return Change(agents=tuple(agent for agent in agents if self._take_agent(agent)))

    def reached(self, position: int | None) -> None:
        if position is not None and (self.position is None or position > self.position):
            self.position = position

    def _take_call(self, call: Json) -> bool:
        """Keep the highest version. An ended call stays ended, however late an older view of it comes."""
        call_id = call["id"]
        held = self.calls.get(call_id) or self.ended.get(call_id)
        if held is not None and held["version"] >= call["version"]:
            return False
        if call["status"] == "ended":
            self._end(call)
        elif call_id in self.ended:
            return False
        else:
            self.calls[call_id] = call
        return True

    def _end(self, call: Json) -> None:
        self.calls.pop(call["id"], None)
        _remember(self.ended, call["id"], call)

    def _take_event(self, event: Json) -> bool:
        # A void event is the same event told anew: it is news once more.
        key = f"{event['id']}/{event.get('void', False)}"
        fresh = key not in self._events
        _remember(self._events, key, None)
        return fresh

    def _take_agent(self, agent: Json) -> bool:
        held = self.agents.get(agent["id"])
        if held == agent or (held is not None and (held.get("statusSince") or "") > (agent.get("statusSince") or "")):
            return False
        self.agents[agent["id"]] = agent
        return True


def _remember(memory: OrderedDict[str, Value], key: str, value: Value) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
