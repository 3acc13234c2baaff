"""The WebSocket feed, and the message by which a recorder tells the relay what changed."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.problems import Problem
from shared.contracts.views import AgentView, AlertView, CallView, Departure, EventView

# Of one thing, which it names, or of the whole floor.
TopicKind = Literal["queue", "call", "agent", "alerts"]
FloorTopic = Literal["ops"]
_NAMED, _FLOOR = "|".join(get_args(TopicKind)), "|".join(get_args(FloorTopic))
Topic = Annotated[str, Field(pattern=rf"^({_NAMED}):[A-Za-z0-9._:@+=-]{{1,128}}$|^{_FLOOR}$")]
Traceparent = Annotated[str, Field(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$")]
TRACES_AT_MOST = 16  # in a frame: enough to find one's own request, and no frame grows by them
Topics = Annotated[list[Topic], Field(min_length=1, max_length=500)]


class Subscribe(Contract):
    action: Literal["subscribe"]
    topics: Topics
    since: Annotated[int, Field(ge=0)] | None = None


class Unsubscribe(Contract):
    action: Literal["unsubscribe"]
    topics: Topics


class Ping(Contract):
    action: Literal["ping"]


Request = Annotated[Subscribe | Unsubscribe | Ping, Field(discriminator="action")]


class Subscribed(Contract):
    """`position` is where to resume from; `replayed` says whether everything since the one asked for has been sent."""

    type: Literal["subscribed"] = "subscribed"
    topics: list[str]
    position: int
    replayed: bool


class Update(Contract):
    """The latest view of each call and agent that changed, the events since the last frame, and their alerts.

    `position` is where to resume. It may be older than the changes in the frame.
    """

    type: Literal["update"] = "update"
    position: int
    calls: list[CallView] = Field(default_factory=list[CallView])
    events: list[EventView] = Field(default_factory=list[EventView])
    agents: list[AgentView] = Field(default_factory=list[AgentView])
    alerts: list[AlertView] = Field(default_factory=list[AlertView])
    left: list[Departure] = Field(
        default_factory=list[Departure],
        description="calls that moved to a queue which the token does not permit; nothing else is sent about the move",
    )
    events_omitted: Annotated[
        int,
        Field(ge=0, description="events left out where the relay fell behind: the calls are as those left them"),
    ] = 0
    traces: Annotated[
        list[Traceparent],
        Field(
            max_length=TRACES_AT_MOST,
            description="`traceparent` (W3C Trace Context) of each request that this tells of, the newest last; of more"
            f" than {TRACES_AT_MOST} in one frame those of the newest",
        ),
    ] = Field(default_factory=list[Traceparent])


class Reset(Contract):
    """Something could not be sent again, or an agent has left a queue: read the snapshot anew."""

    type: Literal["reset"] = "reset"
    topics: list[str]
    position: int


class Pong(Contract):
    type: Literal["pong"] = "pong"


class ErrorFrame(Contract):
    type: Literal["error"] = "error"
    problem: Problem


class Change(Contract):
    """One event that was applied, or turned void, and the call as its transaction left it."""

    event: EventView
    call: CallView
    previous_queue_id: str | None = Field(None, description="set where a transfer moved the call: its queue may forget")
    previous_agent_id: str | None = Field(None, description="set where the call left an agent, who may forget it too")
    was_flagged: bool = Field(False, description="set where the call was flagged and is not any more")


OutboxId = tuple[int, int]  # a row of the outbox: a transaction, and the shard that it was shared out to


class Published(Contract):
    """What one transaction tells a relay over Redis, doorbell and payload in one. By its debt the outbox is cleared:
    where there were more shards than there are, a relay may owe several shares of one transaction.

    `traceparent` is the trace in which it was made, `traces` those of events, by their ids, that came with their own.
    `left` are, by agent, the queues out of which somebody took the agent, or by call, what no event says that it left.
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
        return self.transaction, self.shard

    def trace_of(self, event_id: str) -> str | None:
        return self.traces.get(event_id, self.traceparent)
