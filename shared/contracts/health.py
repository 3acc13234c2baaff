"""How each part of the system is: what `GET /api/health/deep` answers."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field

from shared.contracts.base import Contract
from shared.contracts.problems import Problem, problem


class Alive(Contract):
    """The function answers."""

    status: Literal["ok"]


class HealthPart(Contract):
    """`status` of one part, and its figures by name.

    `milliseconds` is a round trip, `alive` how many work, `connections` how many sockets are open, `owed` how many
    messages wait in the outbox and `ageSeconds` for how long, `lateSeconds` how late the oldest timer is, `behind` how
    many events agents' time does not show yet, `count` how many dead letters or shards there are. `withoutRelay` lists
    the shards without a relay: dashboards get no updates of their queues.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int | float | list[int]]  # pyright: ignore[reportIncompatibleVariableOverride] - pydantic reads it

    status: Literal["ok", "slow", "down"]


Parts = dict[str, HealthPart]
_PARTS = Field(
    description="postgres, redis, sweep, relay, shards, outbox, timers, agentTime, deadLetters: those that are known"
)


class HealthReport(Contract):
    """`ok`: every part is. `degraded`: a part is slow or down, and calls are recorded and shown nevertheless."""

    status: Literal["ok", "degraded"]
    parts: Parts = _PARTS


class HealthProblem(Problem):
    """An essential part is down: Postgres, the sweep or the relay."""

    parts: Parts = _PARTS

    @classmethod
    def of(cls, parts: dict[str, dict[str, Any]]) -> Self:
        """A 503 that names the parts that are down."""
        down = ", ".join(name for name, part in parts.items() if part["status"] == "down")
        known = {name: HealthPart.model_validate(part) for name, part in parts.items()}
        return cls(**problem(503, f"Down: {down}.").model_dump(), parts=known)
