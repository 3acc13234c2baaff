"""The response of `GET /api/health/deep`: the state of each part of the system."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field

from shared.contracts.base import Contract
from shared.contracts.problems import Problem, problem


class Alive(Contract):
    """The function answers."""

    status: Literal["ok"]


class HealthPart(Contract):
    """The `status` of one part, and its figures.

    - `milliseconds`: a round trip.
    - `alive`: the number of processes that work.
    - `connections`: the number of open sockets.
    - `owed`, `ageSeconds`: the number of messages in the outbox, and the age of the oldest.
    - `lateSeconds`: the delay of the oldest timer.
    - `behind`: the number of events that agents' time does not include yet.
    - `count`: the number of dead letters or shards.
    - `withoutRelay`: the shards without a relay. Dashboards get no updates of their queues.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int | float | list[int]]  # pyright: ignore[reportIncompatibleVariableOverride] - pydantic reads it

    status: Literal["ok", "slow", "down"]


Parts = dict[str, HealthPart]
_PARTS = Field(
    description="postgres, redis, sweep, relay, shards, outbox, timers, agentTime, deadLetters, as far as known"
)


class HealthReport(Contract):
    """`ok`: every part works. `degraded`: a part is slow or down, but calls are recorded and shown."""

    status: Literal["ok", "degraded"]
    parts: Parts = _PARTS


class HealthProblem(Problem):
    """An essential part is down: Postgres, the sweep or the relay."""

    parts: Parts = _PARTS

    @classmethod
    def of(cls, parts: dict[str, dict[str, Any]]) -> Self:
        """Return a 503 that names the parts that are down."""
        down = ", ".join(name for name, part in parts.items() if part["status"] == "down")
        views = {name: HealthPart.model_validate(part) for name, part in parts.items()}
        return cls(**problem(503, f"Down: {down}.").model_dump(), parts=views)
