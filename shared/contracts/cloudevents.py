"""CloudEvents 1.0 as senders speak it: the envelope is taken off here, and what is in it is an event like any other."""

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote

from shared.contracts.problems import FieldError, Problem, ProblemError, refuse
from shared.contracts.trace import parsed

Json = dict[str, Any]

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
VERSION = "1.0"
ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "traceparent")
MAX_ID = 128


def is_cloudevent(body: object) -> bool:
    return isinstance(body, dict) and "specversion" in body


def traceparent_of(envelope: object) -> str | None:
    """The event's own trace (extension Distributed Tracing), which a batch's or a queue's way here does not change."""
    return parsed(cast(Json, envelope).get("traceparent"))


def expected(body: object, content_type: str) -> object:
    """What a content type promises of its body. Raises `ProblemError` (400) where it is something else.

    What lacks `specversion` gets one that is refused, so that it is not taken for an event without an envelope.
    """
    if content_type not in (STRUCTURED, BATCHED):
        return body
    if content_type == BATCHED:
        if not isinstance(body, list):
            raise refuse(400, f"{BATCHED} is an array of events.", ("body", "is not an array"))
        return [_marked(item) for item in cast(list[object], body)]
    if isinstance(body, list):
        raise refuse(400, f"{STRUCTURED} is one event; an array is {BATCHED}.", ("body", "is an array"))
    return _marked(body)


def from_headers(header: Callable[[str], str], data: object) -> Json:
    """Binary mode: the attributes are headers, percent-encoded where a header could not carry them."""
    told = {name: unquote(text) for name in ATTRIBUTES if (text := header(f"ce-{name}"))}
    return {**told, "data": data}


def opened(body: object) -> tuple[Json, Callable[[Problem], Problem]]:
    """The event in the envelope, and how a problem with one of its fields is told to whoever sent the envelope.

    Raises `ProblemError` (400) that names the attribute which is wrong.
    """
    envelope = cast(Json, body)
    if envelope["specversion"] != VERSION:
        raise _wrong("specversion", f'must be "{VERSION}"')
    source, own_id = _text(envelope, "source"), _text(envelope, "id")
    event = {**_data(envelope), "event": _name(_text(envelope, "type")), "eventId": event_id(source, own_id)}
    told: dict[str, str] = {"event": "type", "eventId": "id"}
    for attribute, field in (("time", "occurredAt"), ("subject", "callId")):
        if envelope.get(attribute) is not None and event.get(field) is None:
            event[field], told[field] = envelope[attribute], attribute
    return event, lambda problem: _retold(problem, told)


def event_id(source: str, own_id: str) -> str:
    """One id of both, since only both together are unique: `id@source`, quoted so that no two pairs make the same.

    Where that would be longer than an id may be, a digest stands for it.
    """
    readable = f"{_quoted(own_id)}@{_quoted(source)}"
    if len(readable) <= MAX_ID:
        return readable
    from hashlib import sha256  # long sources are rare

    return f"sha256={sha256(readable.encode()).hexdigest()}"


def _quoted(text: str) -> str:
    """Characters that an id cannot have, or that would be ambiguous in it, as `=2F`."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in "._:+-") else "".join(f"={b:02X}" for b in char.encode())
        for char in text
    )


def _marked(body: object) -> object:
    return {"specversion": None, **cast(Json, body)} if isinstance(body, dict) else body


def _text(envelope: Json, name: str) -> str:
    value: object = envelope.get(name)
    if value is None:
        raise _wrong(name, "is required")
    if not isinstance(value, str) or not value:
        raise _wrong(name, "must be a text, and not an empty one")
    if not value.isprintable():  # also what no text can carry: a lone surrogate
        raise _wrong(name, "contains a character that an attribute cannot have")
    return value


def _name(kind: str) -> str:
    """`call_initiated`, or the last part of a reverse-DNS name such as com.voycelink.call_initiated."""
    return kind.rsplit(".", 1)[-1]


def _data(envelope: Json) -> Json:
    kind: object = envelope.get("datacontenttype", "application/json")
    media_type = kind.split(";")[0].strip().lower() if isinstance(kind, str) else ""
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise _wrong("datacontenttype", "must be application/json")
    if "data_base64" in envelope:
        raise _wrong("data_base64", "is not understood: send the fields as JSON in data")
    data: object = envelope.get("data", {})
    if not isinstance(data, dict):
        raise _wrong("data", "must be an object with the event's fields")
    fields = cast(Json, data)
    if "eventId" in fields:
        raise _wrong("data.eventId", "is told by id and source")
    if fields.get("event", told := _name(str(envelope.get("type")))) != told:
        raise _wrong("data.event", "contradicts type")
    return fields


def _wrong(field: str, message: str) -> ProblemError:
    return refuse(400, f"Not valid: {field}", (field, message))


def _retold(problem: Problem, told: Mapping[str, str]) -> Problem:
    """The same problem, in the words of the envelope."""
    errors = [
        FieldError(field=told.get(error.field) or _in_data(error.field), message=error.message)
        for error in problem.errors
    ]
    fields = ", ".join(dict.fromkeys(error.field for error in errors))
    detail = f"Not valid: {fields}" if problem.detail.startswith("Not valid: ") else problem.detail
    return problem.model_copy(update={"errors": errors, "detail": detail})


def _in_data(field: str) -> str:
    return "data" if field == "body" else f"data.{field}"
