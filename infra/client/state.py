"""All that a client of the feed knows, and what it must do next: the protocol without sockets or clocks. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.client.picture import NOTHING, Asked, Change, Picture
from infra.client.resume import ResumePoint

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Read:
    """A snapshot that was asked for: what the picture held then, and how many gaps there had been."""

    asked: Asked
    gaps: int


@dataclass
class FeedState:
    """Fed with frames, the answers of REST, and times (seconds of any monotonic clock). See docs/feed.md.

    topics: the topics that the client follows
    picture: live calls and agents
    is_subscribed: the present connection has answered `subscribed`
    """

    topics: list[str]
    picture: Picture = field(init=False)
    is_subscribed: bool = False
    _resume: ResumePoint = field(default_factory=ResumePoint)
    _gaps: int = 1  # a gap is healed by a snapshot that was asked for after it and read to its end
    _healed: int = 0

    def __post_init__(self) -> None:
        self.topics = list(dict.fromkeys(self.topics))
        self.picture = Picture(self.follows, self.follows_agent)

    @property
    def since(self) -> int | None:
        """The position to resume or to poll from; None before there is one."""
        return self._resume.since()

    @property
    def has_gap(self) -> bool:
        """The picture may lack changes that no frame will bring."""
        return self._healed < self._gaps

    @property
    def needs_snapshot(self) -> bool:
        return self.has_gap or self.picture.has_doubt

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

    def hear(self, frame: Json, now: float) -> Change:
        """Take a frame in. What it changed; frames of unknown types change nothing."""
        change = NOTHING
        match frame.get("type"):
            case "update":
                change = self.picture.apply(frame)
            case "subscribed":
                self.is_subscribed = True
                self._gaps += not frame["replayed"]
                self.picture.reached(frame["position"])
            case "reset":
                self._gaps += 1
            case _:
                return NOTHING
        self._resume.saw(frame["position"], now)
        return change

    def refuse(self, problem: Json) -> bool:
        """Drop the topics of calls and agents that a subscription was refused for: they have moved out of sight.

        False where the refusal is final, because it is about something else or nothing remains to follow.
        """
        fields = {error.get("field") for error in problem.get("errors") or ()}
        refused = [topic for number, topic in enumerate(self.topics) if f"topics[{number}]" in fields]
        remaining = [topic for topic in self.topics if topic not in refused]
        if not refused or not remaining or not all(topic.startswith(("call:", "agent:")) for topic in refused):
            return False
        self.topics = remaining
        self.picture.forget()
        return True

    def lost(self) -> None:
        """The connection is gone."""
        self.is_subscribed = False

    def ask(self) -> Read:
        """To be called when the first page of a snapshot is asked for."""
        return Read(self.picture.ask(), self._gaps)

    def take_snapshot(self, read: Read, pages: Sequence[Json], agents: Iterable[Json]) -> Change:
        """Take in all pages of the live calls, and all agents, which were read after them."""
        calls = [call for page in pages for call in page["data"]]
        position = pages[0].get("position")  # the oldest, so that resuming there misses nothing
        if read.gaps < self._gaps:
            found = self.picture.take_facts(calls, position)
            return Change(found.calls, (), self.picture.take_agents(agents).agents)
        change = self.picture.take_snapshot(read.asked, calls, position)
        self._resume.whole(position)
        self._healed = read.gaps
        return Change(change.calls, (), self.picture.take_all_agents(read.asked, agents).agents)

    def take_poll(self, changes: Json) -> Change:
        """Take in the answer to a poll from `since`, when it is not a reset."""
        change = self._take_changes(changes, changes["position"])
        self._resume.whole(changes["position"])
        return change

    def take_audit(self, changes: Json, since: int) -> Change:
        """Take in the answer to a poll that only checks the feed. Its position is not one to resume from: the events
        of the calls are still on their way.
        """
        return self._take_changes(changes, since)

    def reset(self) -> None:
        """A poll's answer said `reset`."""
        self._gaps += 1

    def _take_changes(self, changes: Json, position: int) -> Change:
        return self.picture.take_changes(changes["calls"], changes["left"], changes["agents"], position)


def topics_of(call: Json) -> set[str]:
    """The topics under which a call is sent."""
    topics = {f"queue:{call['queueId']}", f"call:{call['id']}", f"agent:{call.get('agentId')}"}
    return topics | ({f"alerts:{call['queueId']}"} if call.get("flags") else set())
