"""The events that senders send: the five basic events, and the optional fields and further events."""

import json
import math
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, TypeAdapter, ValidationError

from shared.contracts.base import AgentId, Contract, Id, Language, Priority, Seconds
from shared.contracts.problems import ProblemError, from_validation, problem
from shared.domain import events
from shared.domain.events import EndReason, Fact, Limits

FUTURE_TOLERANCE = timedelta(minutes=5)  # a sender's clock may be ahead by this much
MAX_DEPTH, MAX_ENTRIES, MAX_TEXT = 5, 100, 4000
MAX_NUMBER = 2**63
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]")
MAX_METADATA = 8_000  # bytes; each view of the call contains the metadata, and a frame has 32 KB


def _bounded(metadata: dict[str, Any]) -> dict[str, Any]:
    """Refuse deep or wide nesting, long texts, and NUL characters, which Postgres cannot store."""
    entries = 0
    level: list[Any] = [metadata]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for container in level:
            keys, values = _contents(container)
            entries += len(values)
            for text in (*keys, *values):
                _check_text(text)
            inner += [value for value in values if isinstance(value, dict | list)]
        if entries > MAX_ENTRIES:
            raise ValueError(f"has more than {MAX_ENTRIES} entries")
        level = inner
    if level:
        raise ValueError(f"is nested more than {MAX_DEPTH} deep")
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > MAX_METADATA:
        raise ValueError(f"is longer than {MAX_METADATA} bytes as JSON")
    return metadata


def _contents(container: Any) -> tuple[list[Any], list[Any]]:  # noqa: ANN401 - JSON, as the sender nested it
    if isinstance(container, list):
        return [], [*container]  # pyright: ignore[reportUnknownVariableType] - JSON, as the sender nested it
    return list(container), list(container.values())


def _check_number(value: float) -> None:
    if not -MAX_NUMBER < value < MAX_NUMBER and (isinstance(value, int) or not math.isfinite(value)):
        raise ValueError("has a number that is too large")


def _check_text(value: object) -> None:
    if isinstance(value, int | float):
        _check_number(value)
    if not isinstance(value, str):
        return
    if "\0" in value:
        raise ValueError("contains a NUL character")
    if len(value) > MAX_TEXT:
        raise ValueError(f"has a text of more than {MAX_TEXT} characters")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as lone_surrogate:
            raise ValueError("contains a character that cannot be encoded") from lone_surrogate


def _only_text(value: object) -> object:
    if isinstance(value, str) and _DATE_AND_TIME.match(value):
        return value
    raise ValueError("must be an RFC 3339 time with its offset, such as 2026-01-31T12:00:00.000Z")


def _in_utc(moment: datetime) -> datetime:
    """Convert to `datetime.UTC`. Times with different zone objects compare several times slower."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # at the edge of the calendar, refused later
        return moment


Metadata = Annotated[dict[str, Any], AfterValidator(_bounded)]
OccurredAt = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_in_utc), Field(strict=False)]


class _Incoming(Contract):
    event_id: Id | None = Field(None, description="the sender's own id: a second event with the same id is a replay")
    occurred_at: OccurredAt | None = Field(
        None, description="the time of the event; the time of receipt if it is absent"
    )
    sequence: Annotated[int, Field(ge=0, le=2**53)] | None = Field(
        None, description="the order of events of one instant"
    )
    metadata: Metadata | None = None


class _CallEvent(_Incoming):
    call_id: Id


class CallInitiated(_CallEvent):
    event: Literal["call_initiated"]
    type: Literal["voice", "video"]
    queue_id: Id
    language: Language | None = None
    priority: Priority | None = Field(None, description="the queue's priority if it is absent")

    def fact(self) -> Fact:
        return events.Initiated(self.type, self.queue_id, self.language, Limits(), self.priority)


class CallRouted(_CallEvent):
    event: Literal["call_routed"]
    agent_id: AgentId
    routing_time: Seconds

    def fact(self) -> Fact:
        return events.Routed(self.agent_id, self.routing_time)


class CallAnswered(_CallEvent):
    event: Literal["call_answered"]
    wait_time: Seconds
    agent_id: AgentId | None = None

    def fact(self) -> Fact:
        return events.Answered(self.wait_time, self.agent_id)


class CallHold(_CallEvent):
    event: Literal["call_hold"]
    hold_duration: Annotated[
        Seconds, Field(description="0 if the hold begins, or the whole length of a hold in seconds")
    ]

    def fact(self) -> Fact:
        return events.Held(self.hold_duration)


class CallResumed(_CallEvent):
    event: Literal["call_resumed"]

    def fact(self) -> Fact:
        return events.Resumed()


class CallNoAnswer(_CallEvent):
    event: Literal["call_no_answer"]
    agent_id: AgentId

    def fact(self) -> Fact:
        return events.NoAnswer(self.agent_id)


class CallTransferred(_CallEvent):
    event: Literal["call_transferred"]
    queue_id: Id | None = None
    agent_id: AgentId | None = None

    def fact(self) -> Fact:
        return events.Transferred(self.queue_id, self.agent_id)


class CallEnded(_CallEvent):
    event: Literal["call_ended"]
    end_reason: Literal["completed", "abandoned", "failed"]
    duration: Seconds

    def fact(self) -> Fact:
        return events.Ended(EndReason(self.end_reason), self.duration)


class AgentStatusChanged(_Incoming):
    event: Literal["agent_status_changed"]
    agent_id: AgentId
    status: Literal["available", "away", "offline"]
    reason: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$")] | None = None


CallEvent = (
    CallInitiated | CallRouted | CallAnswered | CallHold | CallResumed | CallNoAnswer | CallTransferred | CallEnded
)
IncomingEvent = CallEvent | AgentStatusChanged
_ADAPTER: TypeAdapter[IncomingEvent] = TypeAdapter(Annotated[IncomingEvent, Field(discriminator="event")])


def parse_event(body: object, now: datetime) -> IncomingEvent:
    """Read one event. Raises `ProblemError` (400) that names each invalid field."""
    try:
        event = _ADAPTER.validate_python(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"].startswith("union_tag"):
            known = first.get("ctx", {}).get("expected_tags")
            message = "is required" if "not_found" in first["type"] else f"is none of {known}"
            raise ProblemError(problem(400, "Not valid: event", ("event", message))) from None
        if first["type"] in ("model_attributes_type", "model_type"):
            raise ProblemError(problem(400, "An event is an object.", ("body", "is not an object"))) from None
        raise ProblemError(from_validation(error, skip=1)) from None
    if event.occurred_at and not EARLIEST <= event.occurred_at <= now + FUTURE_TOLERANCE:
        message = "is before 1970" if event.occurred_at < EARLIEST else "is more than five minutes in the future"
        raise ProblemError(problem(400, "Not valid: occurredAt", ("occurredAt", message)))
    return event
