"""The live calls and agents as a client knows them: the same for any order and any number of copies of frames. Pure."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Json = dict[str, Any]
Value = TypeVar("Value")

# How many ended calls and seen events are remembered. A copy later than this many others is not recognised as one.
REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """What a frame or a read changed in the picture.

    calls: views that were new, among them views of calls that ended or moved to a queue that is not followed
    events: events that were new, or that became void or valid again
    agents: views that were new
    left: departures of calls that were in the picture (`id` and `version`)
    """

    calls: tuple[Json, ...] = ()
    events: tuple[Json, ...] = ()
    agents: tuple[Json, ...] = ()
    left: tuple[Json, ...] = ()


NOTHING = Change()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the picture held when a snapshot was asked for: versions by the ids of calls and of agents."""

    calls: Mapping[str, int]
    agents: Mapping[str, int]


@dataclass
class Picture:
    """Live calls and agents by id, the last calls that ended, and the highest position seen.

    concerns: whether a call belongs to the topics that the client follows
    concerns_agent: whether an agent does
    has_doubt: a call or an agent may be out of date, and another snapshot is needed to decide
    """

    concerns: Callable[[Json], bool] = lambda _: True
    concerns_agent: Callable[[Json], bool] = lambda _: True
    calls: dict[str, Json] = field(default_factory=dict)
    agents: dict[str, Json] = field(default_factory=dict)
    ended: OrderedDict[str, Json] = field(default_factory=OrderedDict)
    position: int | None = None
    has_doubt: bool = False
    _left: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _whole_at: int = -1  # the last snapshot's position: calls that it did not name were not live then
    _told_at: dict[str, int] = field(default_factory=dict)  # by call, the position of the frame that brought the view
    _events: OrderedDict[str, int] = field(default_factory=OrderedDict)  # the highest version of each that was sent

    def apply(self, frame: Mapping[str, Any]) -> Change:
        """Take an `update` frame in."""
        calls: Collection[Json] = frame.get("calls") or ()
        agents: Collection[Json] = frame.get("agents") or ()
        position = frame["position"]
        unknown = {call["id"] for call in calls} - self.calls.keys()
        unknown_agents = {agent["id"] for agent in agents} - self.agents.keys()
        change = Change(
            tuple(call for call in calls if self._take_call(call, position)),
            tuple(event for event in frame.get("events") or () if self._take_event(event)),
            self.take_agents(agents).agents,
            self._take_departures(frame.get("left") or ()),
        )
        # A frame's position is where to resume. It may be older than the changes in the frame.
        is_late = position <= self._whole_at
        self.has_doubt |= is_late and not (unknown.isdisjoint(self.calls) and unknown_agents.isdisjoint(self.agents))
        self.reached(position)
        return change

    def ask(self) -> Asked:
        """To be called when a snapshot is asked for. Hand the result to `take_snapshot` with the answer."""
        versions = ({key: view["version"] for key, view in views.items()} for views in (self.calls, self.agents))
        return Asked(*versions)

    def take_facts(self, calls: Iterable[Json], position: int | None = None) -> Change:
        """Take in single views that REST returned, and conclude nothing from the absence of others."""
        return Change(tuple(call for call in calls if self._take_call(call, -1 if position is None else position)))

    def take_snapshot(self, asked: Asked, calls: Iterable[Json], position: int | None = None) -> Change:
        """Take in all live calls as REST returned them, from the first page's position.

        A call that is not among them has ended, if the picture has held the same view since the snapshot was asked for.
        """
        told = list(calls)
        self.has_doubt = False
        change = self.take_facts(told, position)
        whole_at = -1 if position is None else position
        for call_id in self.calls.keys() - {call["id"] for call in told}:
            call = self.calls[call_id]
            if self._told_at.get(call_id, -1) > whole_at:
                continue  # it began after the snapshot's position, and a later frame will say if it has ended
            if asked.calls.get(call_id) == call["version"]:
                self._end({**call, "status": "ended"})
            else:
                self.has_doubt = True  # a frame brought it meanwhile, from before the snapshot or from after it
        self._whole_at = max(self._whole_at, whole_at)
        self.reached(position)
        return change

    def take_all_agents(self, asked: Asked, agents: Iterable[Json]) -> Change:
        """Take in all agents as REST returned them. An agent who is not among them has left the reader's queues."""
        told = list(agents)
        change = self.take_agents(told)
        for agent_id in self.agents.keys() - {agent["id"] for agent in told}:
            if asked.agents.get(agent_id) == self.agents[agent_id]["version"]:
                del self.agents[agent_id]
            else:
                self.has_doubt = True
        return change

    def take_changes(
        self, calls: Iterable[Json], left: Iterable[Json], agents: Iterable[Json], position: int
    ) -> Change:
        """Take in what changed since a position, as a poll returned it."""
        facts = self.take_facts(calls)
        change = Change(facts.calls, (), self.take_agents(agents).agents, self._take_departures(left))
        self.reached(position)
        return change

    def take_agents(self, agents: Iterable[Json]) -> Change:
        return Change(agents=tuple(agent for agent in agents if self._take_agent(agent)))

    def forget(self) -> None:
        """Remove the calls that belong to none of the topics any more."""
        for call in [call for call in self.calls.values() if not self.concerns(call)]:
            self._remove(call["id"])

    def reached(self, position: int | None) -> None:
        if position is not None and (self.position is None or position > self.position):
            self.position = position

    def _take_call(self, call: Json, position: int) -> bool:
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
            self._told_at[call["id"]] = position
        return True

    def _version_of(self, call_id: str) -> int:
        held = self.calls.get(call_id) or self.ended.get(call_id) or {"version": -1}
        return max(held["version"], self._left.get(call_id, -1))

    def _take_departures(self, left: Iterable[Json]) -> tuple[Json, ...]:
        return tuple(gone for gone in left if self._depart(gone["id"], gone["version"]))

    def _depart(self, call_id: str, version: int) -> bool:
        """Remove a call that moved to a queue that is not followed. Whether the picture had it.

        A view of this very version may bring it back, because a topic may be added that follows its queue.
        """
        if self._version_of(call_id) > version:
            return False
        _remember(self._left, call_id, version - 1)
        return self._remove(call_id)

    def _end(self, call: Json) -> None:
        self._remove(call["id"])
        _remember(self.ended, call["id"], call)

    def _remove(self, call_id: str) -> bool:
        self._told_at.pop(call_id, None)
        return self.calls.pop(call_id, None) is not None

    def _take_event(self, event: Json) -> bool:
        # An event that became void, or is valid again, is sent again with the version of the call that saw it so.
        version = event.get("version") or 0
        held = self._events.get(event["id"], -1)
        _remember(self._events, event["id"], max(held, version))
        return version > held

    def _take_agent(self, agent: Json) -> bool:
        """Keep the highest version. `callId` may change within a version: the call came in sight or went out of it."""
        if not self.concerns_agent(agent):
            return self.agents.pop(agent["id"], None) is not None
        held = self.agents.get(agent["id"])
        if held is not None and (held["version"] > agent["version"] or held == agent):
            return False
        self.agents[agent["id"]] = agent
        return True


def _remember(memory: OrderedDict[str, Value], key: str, value: Value) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
