"""The set-up of queues and agents by an administrator, and the parts of such requests."""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from shared.contracts.base import AgentId, Contract, Id, Language, Priority, RoutingName, StrategyName
from shared.contracts.problems import ProblemError, from_validation, refuse

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
Limit = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False, description="seconds, a day at most")]
LimitOrNone = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False, description="seconds, a day at most")]
Skill = Annotated[int, Field(ge=1, le=10, description="level in a queue; 1 if none is given")]


class QueueSetup(Contract):
    """The settings of a queue."""

    name: Name
    language: Language | None = None
    sla_seconds: Limit = 30
    answer_seconds: Limit = 15
    hold_seconds: Limit = 60
    short_call_seconds: LimitOrNone = 10
    wrap_up_seconds: LimitOrNone = 0
    routing: Annotated[RoutingName, Field(description="the system that makes the first offer")] = "telephony"
    strategy: Annotated[StrategyName, Field(description="the order in which Switchboard offers calls to agents")] = (
        "longest_idle"
    )
    misses_before_away: Annotated[
        int, Field(ge=1, le=10, description="missed offers in a row after which an agent is away")
    ] = 1
    priority: Priority = 0
    aging_seconds: Annotated[Limit, Field(description="seconds of waiting that equal one step of priority")] = 60
    overflow_seconds: LimitOrNone | None = None
    overflow_queue_id: Id | None = None

    @model_validator(mode="after")
    def _overflow_is_whole(self) -> Self:
        if (self.overflow_seconds is None) != (self.overflow_queue_id is None):
            message = "needs overflowSeconds: give both or neither"
            raise refuse(400, "Not valid: overflowQueueId", ("overflowQueueId", message))
        return self


class AgentSetup(Contract):
    """The settings of an agent. `status` applies to a new agent only; later, reports and calls decide it."""

    name: Name
    languages: Annotated[list[Language], Field(max_length=50)] = Field(default_factory=list[str])
    queues: Annotated[list[Id], Field(max_length=500)] = Field(default_factory=list[str])
    skills: Annotated[dict[Id, Skill], Field(max_length=500)] = Field(default_factory=dict[str, int])
    status: Literal["available", "away", "offline"] | None = None


Setup = TypeVar("Setup", QueueSetup, AgentSetup)


def parse_setup(model: type[Setup], body: object) -> Setup:
    """Read a set-up request. Raises `ProblemError` (400) that names each invalid field."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise ProblemError(from_validation(error)) from None


MAX_KEY = 120  # leaves room for the number of an event in its batch
_IDS: TypeAdapter[str] = TypeAdapter(Id)
_AGENT_IDS: TypeAdapter[str] = TypeAdapter(AgentId)


def parse_id(name: str, text: str) -> str:
    """Return a valid id from a path. Raises `ProblemError` (400)."""
    return _parse(_IDS, name, text, "contains characters that an id cannot have, or too many")


def parse_new_agent(name: str, text: str) -> str:
    """Return a valid id of an agent to set up. Raises `ProblemError` (400)."""
    return _parse(_AGENT_IDS, name, parse_id(name, text), "means no agent, so it cannot be the id of one")


def _parse(ids: TypeAdapter[str], name: str, text: str, complaint: str) -> str:
    try:
        return ids.validate_python(text)
    except ValidationError:
        raise refuse(400, f"Not valid: {name}", (name, complaint)) from None


def parse_key(header: str) -> str | None:
    """Return an Idempotency-Key without the quotes of a structured header. Raises `ProblemError` (400)."""
    if not header:
        return None
    key = parse_id("Idempotency-Key", header[1:-1] if header[0] == header[-1] == '"' else header)
    if len(key) > MAX_KEY:
        raise refuse(400, "Not valid: Idempotency-Key", ("Idempotency-Key", f"is longer than {MAX_KEY} characters"))
    return key


def parse_history(text: str) -> bool:
    """Return whether the events are imported. A misspelt value must not move agents. Raises `ProblemError` (400)."""
    if text not in ("true", "false"):
        raise refuse(400, "Not valid: history", ("history", "is neither true nor false"))
    return text == "true"
