"""The messages of the WebSocket feed, and the message to a relay about one transaction."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.problems import Problem
from shared.contracts.views import AgentView, AlertView, CallView, Departure, EventView

# A topic has a kind and an id, such as queue:spanish, or is a name for the whole site.
TopicKind = Literal["queue", "call", "agent", "alerts"]
SiteTopic = Literal["ops"]
_KINDS, _SITE = "|".join(get_args(TopicKind)), "|".join(get_args(SiteTopic))
Topic = Annotated[str, Field(pattern=rf"^({_KINDS}):[A-Za-z0-9._:@+=-]{{1,128}}$|^{_SITE}$")]
Traceparent = Annotated[str, Field(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$")]
MAX_TRACES = 16  # per frame, so that traces do not make frames larger
Topics = Annotated[list[Topic], Field(min_length=1, max_length=500)]


class Subscribe(Contract):
    """Add topics. With `since`, the feed sends the changes since that position again."""

    action: Literal["subscribe"]
    topics: Topics
    since: Annotated[int, Field(ge=0)] | None = None


class Unsubscribe(Contract):
    """Remove topics."""

    action: Literal["unsubscribe"]
    topics: Topics


class Ping(Contract):
    """Request a `pong`."""

    action: Literal["ping"]


Request = Annotated[Subscribe | Unsubscribe | Ping, Field(discriminator="action")]


class Subscribed(Contract):
    """Resume at `position`. `replayed` is true if all changes since the requested position were sent."""

    type: Literal["subscribed"] = "subscribed"
    topics: list[str]
    position: int
    replayed: bool


class Update(Contract):
    """The latest view of each call and agent that changed, the events since the last frame, and their alerts.

    Resume at `position`. It may be older than the changes in the frame.
    """

    type: Literal["update"] = "update"
    position: int
    calls: list[CallView] = Field(default_factory=list[CallView])
    events: list[EventView] = Field(default_factory=list[EventView])
    agents: list[AgentView] = Field(default_factory=list[AgentView])
    alerts: list[AlertView] = Field(default_factory=list[AlertView])
    left: list[Departure] = Field(
        default_factory=list[Departure],
        description="calls that moved to a queue that the token does not permit; nothing else is sent about the move",
    )
    events_omitted: Annotated[
        int,
        Field(ge=0, description="events that the relay omitted because it was behind; the calls include their changes"),
    ] = 0
    traces: Annotated[
        list[Traceparent],
        Field(
            max_length=MAX_TRACES,
            description="`traceparent` (W3C Trace Context) of each request in this frame, the newest last; at most the "
            f"{MAX_TRACES} newest",
        ),
    ] = Field(default_factory=list[Traceparent])


class Reset(Contract):
    """Read the snapshot again. Changes could not be sent again, or an agent has left a queue."""

    type: Literal["reset"] = "reset"
    topics: list[str]
    position: int


class Pong(Contract):
    """The response to a `ping`."""

    type: Literal["pong"] = "pong"


class ErrorFrame(Contract):
    """A request that was refused."""

    type: Literal["error"] = "error"
    problem: Problem


class Change(Contract):
    """An event that was applied or became void, and its call after the transaction."""

    event: EventView
    call: CallView
    previous_queue_id: str | None = Field(None, description="the previous queue, if the call left it")
    previous_agent_id: str | None = Field(None, description="the previous agent, if the call left the agent")
    was_flagged: bool = Field(False, description="true if the call had a flag and has none now")


OutboxId = tuple[int, int]  # the key of an outbox row: its transaction and shard


class OutboxMessage(Contract):
    """The changes of one transaction for one relay, sent over Redis.

    - `transaction`, `shard`: the key of the outbox row, which the relay deletes after delivery. If the number of shards
      was reduced, a relay can get several rows of one transaction.
    - `traceparent`: the trace of the request.
    - `traces`: the traces of events that have one of their own, by event id.
    - `left`: queues that an agent was removed from, by agent id; and queues that a call left, by call id, if no event
      in `changes` contains the move.
    """

    transaction: int
    shard: int = 0
    changes: list[Change] = Field(default_factory=list[Change])
    agents: list[AgentView] = Field(default_factory=list[AgentView])
    traceparent: Traceparent | None = None
    traces: dict[str, Traceparent] = Field(default_factory=dict[str, Traceparent])
    left: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])

    @property
    def outbox_id(self) -> OutboxId:
        """The key of the outbox row."""
        return self.transaction, self.shard

    def trace_of(self, event_id: str) -> str | None:
        """Return the event's own trace, or the trace of the request."""
        return self.traces.get(event_id, self.traceparent)
