"""The protocol of docs/feed.md without sockets or clocks: what a client knows, and what it must do next. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.client.replica import NO_CHANGE, Change, HeldVersions, Replica

Json = dict[str, Any]

# While one relay hands over to another, both may post to a connection, so a frame can overtake an earlier one. A client
# that resumed at the newest position would then miss the earlier frame. An overlap costs some copies, which versions
# make harmless.
OVERLAP_SECONDS = 5.0


@dataclass
class ResumePoint:
    """The position to resume from. Times are seconds of any monotonic clock."""

    since: int | None = None
    """None before anything was received."""
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    def connected(self) -> None:
        """Drop the recent frames: earlier frames that they overtook may be lost with the old connection."""
        self._recent.clear()

    def add_frame(self, position: int, at: float) -> None:
        """A frame arrived. Only later frames show that the connection still delivers; time alone does not.

        The first frame is `subscribed`, and no earlier frame can follow it.
        """
        if self.since is None:
            self.since = position
        self._recent.append((at, position))
        while self._recent and at - self._recent[0][0] >= OVERLAP_SECONDS:
            self.add_read(self._recent.popleft()[1])

    def add_read(self, position: int | None) -> None:
        """Everything up to this position is known, whatever frames are still under way."""
        if position is not None:
            self.since = position if self.since is None else max(self.since, position)


@dataclass(frozen=True, slots=True)
class SnapshotRead:
    """A snapshot that was requested."""

    held: HeldVersions
    """The versions in the replica at that time."""
    gaps: int
    """The number of gaps at that time."""


@dataclass
class FeedState:
    """Takes frames, answers of REST, and times (seconds of any monotonic clock)."""

    topics: list[str]
    """The followed topics."""
    replica: Replica = field(init=False)
    """Live calls and agents."""
    is_subscribed: bool = False
    """Whether the current connection has answered `subscribed`."""
    _resume: ResumePoint = field(default_factory=ResumePoint)
    _gaps: int = 1  # a gap is closed by a snapshot that was requested after it and read to its end
    _closed_gaps: int = 0

    def __post_init__(self) -> None:
        self.topics = list(dict.fromkeys(self.topics))
        self.replica = Replica(self.follows, self.follows_agent)

    @property
    def since(self) -> int | None:
        """The position to resume or to poll from. None before there is one."""
        return self._resume.since

    @property
    def has_gap(self) -> bool:
        """Whether changes may be missing that no frame will bring."""
        return self._closed_gaps < self._gaps

    @property
    def needs_snapshot(self) -> bool:
        return self.has_gap or self.replica.is_uncertain

    def follows(self, call: Json) -> bool:
        return not topics_of(call).isdisjoint(self.topics)

    def follows_agent(self, agent: Json) -> bool:
        topics = {f"agent:{agent['id']}", *(f"queue:{queue_id}" for queue_id in agent.get("queues", ()))}
        return not topics.isdisjoint(self.topics)

    def subscribe(self) -> Json:
        """The first message on a new connection."""
        self.is_subscribed = False
        self._resume.connected()
        resuming = {} if self.since is None else {"since": self.since}
        return {"action": "subscribe", "topics": self.topics, **resuming}

    def apply_frame(self, frame: Json, now: float) -> Change:
        """Frames of unknown types change nothing."""
        change = NO_CHANGE
        match frame.get("type"):
            case "update":
                change = self.replica.apply(frame)
            case "subscribed":
                self.is_subscribed = True
                self._gaps += not frame["replayed"]
                self.replica.advance_to(frame["position"])
            case "reset":
                self._gaps += 1
            case _:
                return NO_CHANGE
        self._resume.add_frame(frame["position"], now)
        return change

    def refuse(self, problem: Json) -> bool:
        """Drop the topics of calls and agents that moved out of the token's queues, after a refused subscription.

        Returns False if the refusal is final: it has another reason, or no topic remains.
        """
        fields = {error.get("field") for error in problem.get("errors") or ()}
        refused = [topic for number, topic in enumerate(self.topics) if f"topics[{number}]" in fields]
        remaining = [topic for topic in self.topics if topic not in refused]
        if not refused or not remaining or not all(topic.startswith(("call:", "agent:")) for topic in refused):
            return False
        self.topics = remaining
        self.replica.remove_unfollowed()
        return True

    def disconnected(self) -> None:
        self.is_subscribed = False

    def begin_snapshot(self) -> SnapshotRead:
        """Call this when the first page of a snapshot is requested."""
        return SnapshotRead(self.replica.held_versions(), self._gaps)

    def apply_snapshot(self, read: SnapshotRead, pages: Sequence[Json], agents: Iterable[Json]) -> Change:
        """Apply all pages of the live calls, and all agents, which were read after the calls."""
        calls = [call for page in pages for call in page["data"]]
        position = pages[0].get("position")  # the oldest, so that resuming there misses nothing
        if read.gaps < self._gaps:
            change = self.replica.apply_views(calls, position)
            return Change(change.calls, (), self.replica.apply_agents(agents).agents)
        change = self.replica.apply_snapshot(read.held, calls, position)
        self._resume.add_read(position)
        self._closed_gaps = read.gaps
        return Change(change.calls, (), self.replica.apply_all_agents(read.held, agents).agents)

    def apply_poll(self, changes: Json) -> Change:
        """Apply the answer to a poll from `since`, if it is not a reset."""
        change = self._apply_changes(changes, changes["position"])
        self._resume.add_read(changes["position"])
        return change

    def apply_audit(self, changes: Json, since: int) -> Change:
        """Apply the answer to a poll that only checks the feed.

        Its position is not a place to resume from, because frames with the events of these calls are under way.
        """
        return self._apply_changes(changes, since)

    def reset(self) -> None:
        """Call this after a poll whose answer is a reset."""
        self._gaps += 1

    def _apply_changes(self, changes: Json, position: int) -> Change:
        return self.replica.apply_changes(changes["calls"], changes["left"], changes["agents"], position)


def topics_of(call: Json) -> set[str]:
    """The topics that a call belongs to."""
    topics = {f"queue:{call['queueId']}", f"call:{call['id']}", f"agent:{call.get('agentId')}"}
    return topics | ({f"alerts:{call['queueId']}"} if call.get("flags") else set())
