"""The response of `GET /api/metrics`. Shares are 0 to 1, times are seconds. A figure of no calls is null."""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Contract, Moment
from shared.contracts.views import AgentStatusName

Share = Annotated[float | None, Field(description="0 to 1; null if the denominator is 0")]
Mean = Annotated[float | None, Field(description="seconds; null if nothing was counted")]
GroupName = Literal["queue", "agent", "language", "type"]
BucketName = Literal["5m", "15m", "30m", "1h", "1d"]


class ServiceLevel(Contract):
    """The service level by four common formulas. `formulas` of the response names their sources."""

    of_answered: Share
    of_offered: Share
    without_short_abandons: Share
    with_abandons_in_time: Share


class HandleTime(Contract):
    """Mean seconds of answered calls that have ended. `aht` is the sum of the known parts."""

    aht: Mean
    talk: Mean
    hold: Mean
    acw: Mean = Field(
        description="after-call work: the agents' wrap-up time in this bucket divided by the calls handled; null if "
        "agents' time is not known, and then `aht` is talk and hold"
    )


class AgentTimeView(Contract):
    """Seconds of signed-in agents' time in the bucket, up to now. `staffed` is the sum of the others."""

    staffed: float
    ringing: float
    on_call: float = Field(description="talk and hold")
    wrap_up: float
    available: float
    away: float


class MetricsRow(Contract):
    """The figures of one group in one bucket. A key is null if it was not requested, or if the calls have no value.

    A call counts in the bucket of its start. Agents' time counts in the bucket in which it passes. `offered` =
    answered + abandoned + failed + calls that still wait.
    """

    start: Moment = Field(description="the beginning of the bucket, or of the range if no bucket was requested")
    end: Moment
    queue_id: str | None
    agent_id: str | None
    language: str | None
    type: str | None
    offered: int
    answered: int
    answered_in_time: int = Field(description="within the queue's limit at the beginning of the call")
    abandoned: int = Field(description="the caller left before an answer")
    short_abandons: int = Field(description="abandoned calls within the limit, also called abandons in time")
    failed: int
    sla_breached: int
    service_level: ServiceLevel
    abandon_rate: Share
    asa: Mean = Field(description="average speed of answer: mean wait of answered calls, in seconds")
    mean_wait_of_all: Mean
    longest_wait: Mean
    handle_time: HandleTime
    handled: int
    occupancy: Share = Field(
        description="(talk + hold + wrap-up + ringing) / time signed in, away included; if it is null, `notes` of "
        "the response gives the reason"
    )
    occupancy_without_away: Share = Field(description="the same divided by the time signed in and not away")
    agent_time: AgentTimeView | None = Field(description="the parts of occupancy; null if they are not known")
    rona: int = Field(
        description="redirections on no answer: missed offers; by agent, the offers that this agent missed"
    )
    missed: int = Field(description="calls with at least one missed offer; by agent, the calls that this agent missed")
    transfers: int
    transferred: int = Field(description="calls with at least one transfer")
    holds: int
    held: int = Field(description="calls with at least one hold")
    hold_exceeded: int = Field(description="calls with a hold beyond the queue's limit")
    hold_excess_seconds: float = Field(description="all seconds on hold beyond the limit")
    short_calls: int
    links: dict[str, str] = Field(description="for each figure, the address of the calls that it counts")


class Formula(Contract):
    name: str
    formula: str
    source: str


class Gauges(Contract):
    """Calls and agents now, independent of the requested range."""

    waiting: int
    longest_current_wait: float = Field(description="seconds; 0 if no caller waits")
    active: int
    on_hold: int
    agents: dict[AgentStatusName, int]


class Metrics(Contract):
    """Rows, ordered by bucket and key, and the calls and agents now."""

    start: Moment = Field(serialization_alias="from")
    end: Moment = Field(serialization_alias="to")
    bucket: BucketName | None
    zone: str
    group_by: list[GroupName]
    data: list[MetricsRow]
    now: Gauges
    formulas: list[Formula]
    notes: list[str] = Field(description="the reasons for null figures")
