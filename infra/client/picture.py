"""The floor as a client knows it: a fold over snapshots and frames, the same in any order and with any copies. Pure."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
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
    """Live calls and agents by id, the last calls that ended, and the highest position seen.

    `concerns` says which calls are ours: a call that moves on is told to the topic that loses it, and then no more.
    """

    concerns: Callable[[Json], bool] = lambda _: True
    calls: dict[str, Json] = field(default_factory=dict)
    agents: dict[str, Json] = field(default_factory=dict)
    ended: OrderedDict[str, Json] = field(default_factory=OrderedDict)
    position: int | None = None
    # A frame told a call or an agent that the last snapshot did not, without proof of being newer. Another one decides.
    has_doubt: bool = False
    _left: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _whole_at: int = -1  # the last snapshot's position: what it did not name was not live then
    _events: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def apply(self, frame: Mapping[str, Any]) -> Change:
        """Take an `update` frame in."""
        calls = frame.get("calls") or ()
        agents = frame.get("agents") or ()
        unknown = {call["id"] for call in calls} - self.calls.keys()
        has_strangers = not {agent["id"] for agent in agents} <= self.agents.keys()
        change = Change(
            tuple(call for call in calls if self._take_call(call)),
            tuple(event for event in frame.get("events") or () if self._take_event(event)),
            self.take_agents(agents).agents,
        )
        # A frame's position is where to resume from, which may be older than what it tells.
        is_told_late = frame["position"] <= self._whole_at
        self.has_doubt |= is_told_late and (has_strangers or not unknown.isdisjoint(self.calls))
        self.reached(frame["position"])
        return change

    def known(self) -> dict[str, int]:
        """What stands in the picture as a snapshot is asked for, to be handed to `take_snapshot` with the answer."""
        return {call_id: call["version"] for call_id, call in self.calls.items()}

    def take_snapshot(self, asked_with: Mapping[str, int], live: Iterable[Json], position: int | None = None) -> Change:
        """Take in the live floor as REST told it. A call that was live as we asked, and is not in the answer, ended."""
        told = list(live)
        self.has_doubt = False
        changed = tuple(call for call in told if self._take_call(call))
        for call_id in self.calls.keys() - {call["id"] for call in told}:
            call = self.calls[call_id]
            if asked_with.get(call_id) == call["version"]:
                self._end({**call, "status": "ended"})
            else:
                self.has_doubt = True  # told while we read, of before or after: kept until another snapshot says
        self._whole_at = max(self._whole_at, -1 if position is None else position)
        self.reached(position)
        return Change(calls=changed)

    def take_changes(
        self, calls: Iterable[Json], left: Iterable[Json], agents: Iterable[Json], position: int
    ) -> Change:
        """Take in what changed since a position, as a poll told it."""
        change = Change(tuple(call for call in calls if self._take_call(call)), (), self.take_agents(agents).agents)
        for gone in left:
            self._depart(gone["id"], gone["version"])
        self.reached(position)
        return change

    def take_agents(self, agents: Iterable[Json]) -> Change:
        return Change(agents=tuple(agent for agent in agents if self._take_agent(agent)))

    def known_agents(self) -> dict[str, int]:
        """As `known`, to be handed to `take_all_agents`."""
        return {agent_id: agent["version"] for agent_id, agent in self.agents.items()}

    def take_all_agents(self, asked_with: Mapping[str, int], agents: Iterable[Json]) -> Change:
        """Take in the agents as REST told them. Who was there as we asked and is not in the answer left our queues."""
        told = list(agents)
        change = self.take_agents(told)
        for agent_id in self.agents.keys() - {agent["id"] for agent in told}:
            if asked_with.get(agent_id) == self.agents[agent_id]["version"]:
                del self.agents[agent_id]
            else:
                self.has_doubt = True
        return change

    def reached(self, position: int | None) -> None:
        if position is not None and (self.position is None or position > self.position):
            self.position = position

    def _take_call(self, call: Json) -> bool:
        """Keep the highest version."""
        if not self.concerns(call):
            return self._depart(call["id"], call["version"])
        if call["version"] <= self._version_of(call["id"]):
            return False
        if call["status"] == "ended":
            self._end(call)
        else:
            self.ended.pop(call["id"], None)
            self.calls[call["id"]] = call
        return True

    def _version_of(self, call_id: str) -> int:
        held = self.calls.get(call_id) or self.ended.get(call_id) or {"version": -1}
        return max(held["version"], self._left.get(call_id, -1))

    def _depart(self, call_id: str, version: int) -> bool:
        """It went on beyond our topics. Should it come back, the view that left may be the one that returns."""
        if self._version_of(call_id) > version:
            return False
        _remember(self._left, call_id, version - 1)
        return self.calls.pop(call_id, None) is not None

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
        if held is not None and held["version"] >= agent["version"]:
            return False
        self.agents[agent["id"]] = agent
        return True


def _remember(memory: OrderedDict[str, Value], key: str, value: Value) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
