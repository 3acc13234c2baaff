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
    """An event that never became legal, or an announcement of events or agents that reached no relay."""

    id: str = Field(description="the event's id, if there is one; a redrive names it")
    kind: Kind
    call_id: str | None
    queue_id: str | None
    type: str
    reason: str
    failed_at: Moment
    attempts: int
    body: dict[str, Any] = Field(description="the event as its sender would send it, or the agents' ids")


class DeadLetterPage(Contract):
    """Dead letters, newest first."""

    data: list[DeadLetterView]
    next_cursor: str | None


class Redrive(Contract):
    """Dead letters to try again: those with the given ids, or the oldest up to the limit of one request."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_IDS)] | None = None
    all: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) is not self.all:
            raise ValueError('give "ids", or "all": true')
        return self


def parse_redrive(body: object) -> Redrive:
    """Read a redrive request. Raises `ProblemError` (400) that names each invalid field."""
    try:
        return Redrive.model_validate(body)
    except ValidationError as error:
        raise ProblemError(from_validation(error)) from None


def as_sent(event: Event) -> dict[str, Any]:
    """Return the event as its sender would send it. It has an id, so that a second copy is a replay."""
    fields = fact_json(event.fact)
    if isinstance(event.fact, Initiated):
        fields.pop("slaSeconds", None)  # set by the queue, not by the sender
    optional = {
        "occurredAt": event.at.isoformat().replace("+00:00", "Z") if event.dated else None,
        "sequence": event.sequence,
        "metadata": event.metadata,
    }
    present = {name: value for name, value in optional.items() if value is not None}
    return {"event": event.name, "callId": event.call_id, "eventId": event.id, **fields, **present}
