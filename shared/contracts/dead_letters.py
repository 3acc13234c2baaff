"""Dead letters: what was given up, with its reason, and how an administrator asks for another attempt."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from shared.contracts.base import Contract, Id, Moment
from shared.contracts.problems import ProblemError, from_validation
from shared.contracts.views import fact_json
from shared.domain.events import Event, Initiated

Kind = Literal["event", "announcement"]
MAX_IDS = 500


class DeadLetterView(Contract):
    """An event that never became possible, or an announcement, of an event or of agents, that reached nobody."""

    id: str = Field(description="the event's id, where there is one; by it a dead letter is redriven")
    kind: Kind
    call_id: str | None
    queue_id: str | None
    type: str
    reason: str
    failed_at: Moment
    attempts: int
    body: dict[str, Any] = Field(description="the event, as its sender would send it again, or the agents' ids")


class DeadLetterPage(Contract):
    """Newest first."""

    data: list[DeadLetterView]
    next_cursor: str | None


class Redrive(Contract):
    """Either some by their ids or, oldest first, as many as one request may have."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_IDS)] | None = None
    all: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) is not self.all:
            raise ValueError('give "ids", or "all": true')
        return self


def parse_redrive(body: object) -> Redrive:
    """Raises `ProblemError` (400) that names each field which is wrong."""
    try:
        return Redrive.model_validate(body)
    except ValidationError as error:
        raise ProblemError(from_validation(error)) from None


def as_sent(event: Event) -> dict[str, Any]:
    """The event in its sender's words. The id is always told, so that a second one like it is a replay."""
    fields = fact_json(event.fact)
    if isinstance(event.fact, Initiated):
        fields.pop("slaSeconds", None)  # the queue's, not the sender's
    optional = {
        "occurredAt": event.at.isoformat().replace("+00:00", "Z") if event.dated else None,
        "sequence": event.sequence,
        "metadata": event.metadata,
    }
    told = {name: value for name, value in optional.items() if value is not None}
    return {"event": event.name, "callId": event.call_id, "eventId": event.id, **fields, **told}
