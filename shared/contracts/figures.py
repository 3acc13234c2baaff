"""The figures that `GET /api/metrics` answers. Shares are 0 to 1, times are seconds; null where nothing was counted."""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Contract, Moment
from shared.contracts.views import AgentStatusName

Share = Annotated[float | None, Field(description="0 to 1; null where the denominator is 0")]
Mean = Annotated[float | None, Field(description="seconds; null where nothing was counted")]
GroupName = Literal["queue", "agent", "language", "type"]
BucketName = Literal["5m", "15m", "30m", "1h", "1d"]


class ServiceLevel(Contract):
    """One figure, four formulas in use. `formulas` of the answer names each one's source."""

    of_answered: Share
    of_offered: Share
    without_short_abandons: Share
    with_abandons_in_time: Share


class HandleTime(Contract):
    """Mean seconds over the calls that were answered and are over; `aht` is the sum of the parts that are known."""

    aht: Mean
    talk: Mean
    hold: Mean
    acw: Mean = Field(
        description="after-call work: the time that agents wrapped up in this bucket over the calls handled; null "
        "where agents' time is not known, so that `aht` is talk and hold"
    )


class AgentTimeView(Contract):
    """Seconds of agents' time signed in that fall into the bucket, up to now; `staffed` is the sum of the others."""

    staffed: float
    ringing: float
    on_call: float = Field(description="talk and hold")
    wrap_up: float
    available: float
    away: float


class MetricsRow(Contract):
    """The figures of one group in one bucket. A key that was not asked for is null; so is a language nobody named.

    A call counts in the bucket of its start, an agent's time where it passed. `offered` = answered + abandoned +
    failed + those who still wait.
    """

    start: Moment = Field(description="the bucket's beginning, or the range's where no bucket was asked for")
    end: Moment
    queue_id: str | None
    agent_id: str | None
    language: str | None
    type: str | None
    offered: int
    answered: int
    answered_in_time: int = Field(description="within the queue's promise, by the limit that held when the call began")
    abandoned: int = Field(description="gave up before anybody answered")
    short_abandons: int = Field(description="of them, within the promise: also called abandons in time")
    failed: int
    sla_breached: int
    service_level: ServiceLevel
    abandon_rate: Share
    asa: Mean = Field(description="average speed of answer: mean seconds of waiting of those who were answered")
    mean_wait_of_all: Mean
    longest_wait: Mean
    handle_time: HandleTime
    handled: int
    occupancy: Share = Field(
        description="(talk + hold + wrap-up + ringing) / time signed in, away included; where it is null, `notes` of "
        "the answer says why"
    )
    occupancy_without_away: Share = Field(description="the same over the time signed in and not away")
    agent_time: AgentTimeView | None = Field(description="what occupancy is made of; null where that is not known")
    rona: int = Field(description="redirections on no answer: offers that rang out; by agent, with whom they did")
    missed: int = Field(description="calls with one of them at least; by agent, those that this agent missed")
    transfers: int
    transferred: int = Field(description="calls with one transfer at least")
    holds: int
    held: int = Field(description="calls with one hold at least")
    hold_exceeded: int = Field(description="calls with a hold beyond the queue's limit")
    hold_excess_seconds: float = Field(description="all seconds on hold beyond the limit")
    short_calls: int
    links: dict[str, str] = Field(description="for each figure, the address of exactly the calls that it counts")


class Formula(Contract):
    name: str
    formula: str
    source: str


class Gauges(Contract):
    """The floor at this moment, whatever range was asked for."""

    waiting: int
    longest_current_wait: float = Field(description="seconds; 0 where nobody waits")
    active: int
    on_hold: int
    agents: dict[AgentStatusName, int]


class Metrics(Contract):
    """History in rows, ordered by bucket and key, and the floor as it is now beside it."""

    start: Moment = Field(serialization_alias="from")
    end: Moment = Field(serialization_alias="to")
    bucket: BucketName | None
    zone: str
    group_by: list[GroupName]
    data: list[MetricsRow]
    now: Gauges
    formulas: list[Formula]
    notes: list[str] = Field(description="why a figure is null")
