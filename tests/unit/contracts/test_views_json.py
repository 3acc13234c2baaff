"""JSON made without an instance of a view equals the view."""

import json
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from shared.contracts.feed import Change
from shared.contracts.plain_json import compile_json
from shared.contracts.views import CallView, Departure, EventView, StatusMessage
from shared.contracts.views_json import call_json, encode_call, encode_change, encode_status, event_json
from shared.domain.events import (
    Answered,
    AnswerTimedOut,
    Ended,
    EndReason,
    Event,
    Fact,
    Held,
    HoldExceeded,
    Initiated,
    Limits,
    Rerouted,
    Resumed,
    Routed,
    Source,
    Transferred,
)
from shared.domain.fold import append, fold

BEGUN = datetime(2026, 1, 31, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
STORY: list[Fact] = [
    Initiated("voice", "medical_spanish", "es", Limits(wrap_up_seconds=30)),
    Routed("agent-1", 1.5),
    AnswerTimedOut("agent-1", 1),
    Rerouted("agent-2"),
    Answered(40),
    Held(0),
    HoldExceeded(),
    Resumed(),
    Transferred("legal_polish", "agent-3"),
    Ended(EndReason.COMPLETED, 5),
]


@pytest.mark.parametrize("length", range(1, len(STORY) + 1))
def test_json_made_without_a_view_equals_the_view(length: int):
    events = [_event(n, fact) for n, fact in enumerate(STORY[:length])]
    event, call = events[-1], None
    for each in events:
        call = append(call, each)
    assert call

    call_view, place = CallView.of(call), {"record_id": 7, "version": call.version, "void": False}
    event_view = EventView.of(event, **place)
    assert json.loads(encode_call(call)) == call_json(call) == call_view.model_dump(mode="json")
    assert json.loads(orjson.dumps(event_json(event, **place))) == event_view.model_dump(mode="json")
    change = Change(event=event_view, call=call_view, previous_queue_id="q", previous_agent_id="a", was_flagged=False)
    encoded = encode_change(event_json(event, **place), encode_call(call), "q", "a", was_flagged=False)
    assert json.loads(encoded) == change.model_dump(mode="json")


@pytest.mark.parametrize("length", range(1, len(STORY) + 1))
def test_encoded_messages_are_valid_by_their_contract(length: int):
    events = [_event(n, fact) for n, fact in enumerate(STORY[:length])]
    call = fold(events).call
    assert call
    event = event_json(events[-1], record_id=7, version=call.version, void=False)
    status, change = encode_status(event, call), encode_change(event, encode_call(call), None, None, was_flagged=True)
    for contract, encoded in ((CallView, encode_call(call)), (StatusMessage, status), (Change, change)):
        assert contract.model_validate_json(encoded).model_dump(mode="json") == json.loads(encoded)


def test_a_missing_or_unknown_field_is_an_error():
    make = compile_json(Departure)
    assert make(id="call-1", version=3) == {"id": "call-1", "version": 3}
    with pytest.raises(TypeError):
        make(id="call-1")
    with pytest.raises(TypeError):
        make(id="call-1", version=3, queue_id="legal")


def _event(n: int, fact: Fact) -> Event:
    at = BEGUN + timedelta(seconds=20 * n)
    source = Source.SYSTEM if isinstance(fact, AnswerTimedOut | Rerouted) else Source.TELEPHONY
    return Event(f"e{n}", "c1", fact, at, at.astimezone(UTC), dated=n % 2 == 0, source=source, metadata={"n": n})
