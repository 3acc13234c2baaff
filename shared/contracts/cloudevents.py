"""CloudEvents 1.0: opens the envelope of an event, and translates problems to the names of the envelope."""

from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote

from shared.contracts.problems import FieldError, Problem, ProblemError, refuse
from shared.contracts.trace import parse_traceparent

Json = dict[str, Any]

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
VERSION = "1.0"
ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "traceparent")
MAX_ID = 128


def is_cloudevent(body: object) -> bool:
    return isinstance(body, dict) and "specversion" in body


def traceparent_of(envelope: object) -> str | None:
    """Return the event's own trace (extension Distributed Tracing). A batch or a queue does not change it."""
    return parse_traceparent(cast(Json, envelope).get("traceparent"))


def check_content_type(body: object, content_type: str) -> object:
    """Return the body if its shape fits the content type. Raises `ProblemError` (400).

    An object without `specversion` gets a null one. It is then refused, and not read as an event without an envelope.
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
    """Return the envelope of binary mode: the attributes are percent-encoded headers."""
    attributes = {name: unquote(text) for name in ATTRIBUTES if (text := header(f"ce-{name}"))}
    return {**attributes, "data": data}


def open_envelope(body: object) -> tuple[Json, Callable[[Problem], Problem]]:
    """Return the event in the envelope, and a function that renames the fields of a problem to those of the envelope.

    Raises `ProblemError` (400) that names the invalid attribute.
    """
    envelope = cast(Json, body)
    if envelope["specversion"] != VERSION:
        raise _wrong("specversion", f'must be "{VERSION}"')
    source, own_id = _text(envelope, "source"), _text(envelope, "id")
    event = {**_data(envelope), "event": _name(_text(envelope, "type")), "eventId": event_id(source, own_id)}
    names: dict[str, str] = {"event": "type", "eventId": "id"}
    for attribute, field in (("time", "occurredAt"), ("subject", "callId")):
        if envelope.get(attribute) is not None and event.get(field) is None:
            event[field], names[field] = envelope[attribute], attribute
    return event, lambda problem: _renamed(problem, names)


def event_id(source: str, own_id: str) -> str:
    """Return one id for both, `id@source`, because only both together are unique. Quoting keeps different pairs apart.

    If the result is longer than an id can be, it is replaced by its digest.
    """
    readable = f"{_quoted(own_id)}@{_quoted(source)}"
    if len(readable) <= MAX_ID:
        return readable
    from hashlib import sha256  # long sources are rare

    return f"sha256={sha256(readable.encode()).hexdigest()}"


def _quoted(text: str) -> str:
    """Quote characters that an id cannot have, or that would be ambiguous, as `=2F`."""
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
    if not value.isprintable():  # a lone surrogate is not printable either
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
        raise _wrong("data_base64", "is not supported: send the fields as JSON in data")
    data: object = envelope.get("data", {})
    if not isinstance(data, dict):
        raise _wrong("data", "must be an object with the event's fields")
    fields = cast(Json, data)
    if "eventId" in fields:
        raise _wrong("data.eventId", "is not allowed: id and source identify the event")
    if fields.get("event", name := _name(str(envelope.get("type")))) != name:
        raise _wrong("data.event", "contradicts type")
    return fields


def _wrong(field: str, message: str) -> ProblemError:
    return refuse(400, f"Not valid: {field}", (field, message))


def _renamed(problem: Problem, names: Mapping[str, str]) -> Problem:
    """Return the problem with the field names of the envelope."""
    errors = [
        FieldError(field=names.get(error.field) or _in_data(error.field), message=error.message)
        for error in problem.errors
    ]
    fields = ", ".join(dict.fromkeys(error.field for error in errors))
    detail = f"Not valid: {fields}" if problem.detail.startswith("Not valid: ") else problem.detail
    return problem.model_copy(update={"errors": errors, "detail": detail})


def _in_data(field: str) -> str:
    return "data" if field == "body" else f"data.{field}"
