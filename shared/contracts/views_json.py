"""The views of calls, events and their changes as JSON, made without an instance of the view. Tests compare both."""

import orjson

from shared.contracts.feed import Change
from shared.contracts.plain_json import Json, compile_json
from shared.contracts.views import CallView, DeadlineView, EventView, OfferView, StatusMessage, fill_call, fill_event
from shared.domain.call import Call
from shared.domain.events import Event

_make_call, _make_offer, _make_deadline = map(compile_json, (CallView, OfferView, DeadlineView))
_make_event, _make_change, _make_status = map(compile_json, (EventView, Change, StatusMessage))


def call_json(call: Call) -> Json:
    """Return the `CallView` of a call."""
    return fill_call(call, _make_call, _make_offer, _make_deadline)


def encode_call(call: Call) -> bytes:
    """Return the `CallView` of a call, encoded."""
    return orjson.dumps(call_json(call))


def event_json(event: Event, *, record_id: int, version: int | None, void: bool) -> Json:
    """Return the `EventView` of an event."""
    return fill_event(event, _make_event, record_id=record_id, version=version, void=void)


def encode_change(
    event: Json, call_view: bytes, previous_queue_id: str | None, previous_agent_id: str | None, was_flagged: bool
) -> bytes:
    """Return the `Change` of an event, encoded, from its view and the encoded view of its call."""
    return orjson.dumps(
        _make_change(
            event=event,
            call=orjson.Fragment(call_view),
            previous_queue_id=previous_queue_id,
            previous_agent_id=previous_agent_id,
            was_flagged=was_flagged,
        )
    )


def encode_status(event: Json, call: Call) -> bytes:
    """Return the `StatusMessage` of an event, encoded, from its view and its call."""
    return orjson.dumps(
        _make_status(
            call_id=call.id,
            status=call.status,
            event_type=event["type"],
            timestamp=event["timestamp"],
            metadata=event["metadata"],
        )
    )
