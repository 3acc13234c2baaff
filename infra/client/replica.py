"""A client's copy of the live calls and agents. The order and number of frames do not change the result. Pure."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Json = dict[str, Any]
Value = TypeVar("Value")

# Bound on remembered ended calls and events. A copy that comes after this many others is not recognised.
REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """The effects of a frame or a read."""

    calls: tuple[Json, ...] = ()
    """New views, also of calls that ended or moved to a queue that is not followed."""
    events: tuple[Json, ...] = ()
    """New events, and events that became void or valid again."""
    agents: tuple[Json, ...] = ()
    """New views."""
    left: tuple[Json, ...] = ()
    """Departures of calls that the replica held (`id` and `version`)."""


NO_CHANGE = Change()


@dataclass(frozen=True, slots=True)
class HeldVersions:
    """The versions in the replica when a snapshot was requested."""

    calls: Mapping[str, int]
    """By call id."""
    agents: Mapping[str, int]
    """By agent id."""


@dataclass
class Replica:
    """Live calls and agents by id."""

    follows: Callable[[Json], bool] = lambda _: True
    """Whether a call belongs to the followed topics."""
    follows_agent: Callable[[Json], bool] = lambda _: True
    """Whether an agent belongs to the followed topics."""
    calls: dict[str, Json] = field(default_factory=dict)
    """Live calls."""
    agents: dict[str, Json] = field(default_factory=dict)
    """All agents."""
    ended: OrderedDict[str, Json] = field(default_factory=OrderedDict)
    """The last calls that ended."""
    position: int | None = None
    """The highest position seen."""
    is_uncertain: bool = False
    """Whether a call or an agent may be out of date, so that another snapshot is needed."""
    _left: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _snapshot_at: int = -1  # position of the last snapshot: calls that it lacks were not live then
    _frame_positions: dict[str, int] = field(default_factory=dict)  # by call: the position of the frame with its view
    _events: OrderedDict[str, int] = field(default_factory=OrderedDict)  # by event: the highest version seen

    def apply(self, frame: Mapping[str, Any]) -> Change:
        """Apply an `update` frame."""
        calls: Collection[Json] = frame.get("calls") or ()
        agents: Collection[Json] = frame.get("agents") or ()
        position = frame["position"]
        unknown = {call["id"] for call in calls} - self.calls.keys()
        unknown_agents = {agent["id"] for agent in agents} - self.agents.keys()
        change = Change(
            tuple(call for call in calls if self._apply_call(call, position)),
            tuple(event for event in frame.get("events") or () if self._apply_event(event)),
            self.apply_agents(agents).agents,
            self._apply_departures(frame.get("left") or ()),
        )
        # A frame's position is a place to resume from. It may be older than the changes in the frame.
        is_late = position <= self._snapshot_at
        self.is_uncertain |= is_late and not (unknown.isdisjoint(self.calls) and unknown_agents.isdisjoint(self.agents))
        self.advance_to(position)
        return change

    def held_versions(self) -> HeldVersions:
        """Call this when a snapshot is requested. Pass the result to `apply_snapshot` with the answer."""
        versions = ({key: view["version"] for key, view in views.items()} for views in (self.calls, self.agents))
        return HeldVersions(*versions)

    def apply_views(self, calls: Iterable[Json], position: int | None = None) -> Change:
        """Apply single views from REST. Calls that are absent stay."""
        return Change(tuple(call for call in calls if self._apply_call(call, -1 if position is None else position)))

    def apply_snapshot(self, held: HeldVersions, calls: Iterable[Json], position: int | None = None) -> Change:
        """Apply all live calls as REST returned them, at the position of the first page.

        A call that is absent has ended, unless its view changed after the snapshot was requested.
        """
        views = list(calls)
        self.is_uncertain = False
        change = self.apply_views(views, position)
        snapshot_at = -1 if position is None else position
        for call_id in self.calls.keys() - {call["id"] for call in views}:
            call = self.calls[call_id]
            if self._frame_positions.get(call_id, -1) > snapshot_at:
                continue  # it began after the snapshot, and a later frame will report its end
            if held.calls.get(call_id) == call["version"]:
                self._end({**call, "status": "ended"})
            else:
                self.is_uncertain = (
                    True  # a frame brought it during the read, from before the snapshot or from after it
                )
        self._snapshot_at = max(self._snapshot_at, snapshot_at)
        self.advance_to(position)
        return change

    def apply_all_agents(self, held: HeldVersions, agents: Iterable[Json]) -> Change:
        """Apply all agents as REST returned them. An agent who is absent has left the reader's queues."""
        views = list(agents)
        change = self.apply_agents(views)
        for agent_id in self.agents.keys() - {agent["id"] for agent in views}:
            if held.agents.get(agent_id) == self.agents[agent_id]["version"]:
                del self.agents[agent_id]
            else:
                self.is_uncertain = True
        return change

    def apply_changes(
        self, calls: Iterable[Json], left: Iterable[Json], agents: Iterable[Json], position: int
    ) -> Change:
        """Apply the changes since a position, as a poll returned them."""
        views = self.apply_views(calls)
        change = Change(views.calls, (), self.apply_agents(agents).agents, self._apply_departures(left))
        self.advance_to(position)
        return change

    def apply_agents(self, agents: Iterable[Json]) -> Change:
        return Change(agents=tuple(agent for agent in agents if self._apply_agent(agent)))

    def remove_unfollowed(self) -> None:
        """Remove the calls that no longer belong to any topic."""
        for call in [call for call in self.calls.values() if not self.follows(call)]:
            self._remove(call["id"])

    def advance_to(self, position: int | None) -> None:
        if position is not None and (self.position is None or position > self.position):
            self.position = position

    def _apply_call(self, call: Json, position: int) -> bool:
        """Keep the highest version."""
        if not self.follows(call):
            return self._depart(call["id"], call["version"])
        if call["version"] <= self._version_of(call["id"]):
            return False
        if call["status"] == "ended":
            self._end(call)
        else:
            self.ended.pop(call["id"], None)
            self.calls[call["id"]] = call
            self._frame_positions[call["id"]] = position
        return True

    def _version_of(self, call_id: str) -> int:
        held = self.calls.get(call_id) or self.ended.get(call_id) or {"version": -1}
        return max(held["version"], self._left.get(call_id, -1))

    def _apply_departures(self, left: Iterable[Json]) -> tuple[Json, ...]:
        return tuple(each for each in left if self._depart(each["id"], each["version"]))

    def _depart(self, call_id: str, version: int) -> bool:
        """Remove a call that moved to a queue that is not followed. Returns whether the replica held it.

        A view of the same version can bring it back, because a topic for its queue may be added.
        """
        if self._version_of(call_id) > version:
            return False
        _remember(self._left, call_id, version - 1)
        return self._remove(call_id)

    def _end(self, call: Json) -> None:
        self._remove(call["id"])
        _remember(self.ended, call["id"], call)

    def _remove(self, call_id: str) -> bool:
        self._frame_positions.pop(call_id, None)
        return self.calls.pop(call_id, None) is not None

    def _apply_event(self, event: Json) -> bool:
        # An event that becomes void, or valid again, is sent again with the call's version at that time.
        version = event.get("version") or 0
        held = self._events.get(event["id"], -1)
        _remember(self._events, event["id"], max(held, version))
        return version > held

    def _apply_agent(self, agent: Json) -> bool:
        """Keep the highest version. `callId` can change within a version: the reader gained or lost sight of it."""
        if not self.follows_agent(agent):
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
