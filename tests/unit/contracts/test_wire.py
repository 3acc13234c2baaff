"""What is put together by hand for speed is what the contracts say."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.contracts.feed import Change
from shared.contracts.views import CallView, EventView, StatusMessage
from shared.contracts.wire import call_json, call_words, change_words, event_json, status_words
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
from shared.domain.fold import append

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
def test_wire_is_as_the_contracts_say(length: int):
    events = [_event(n, fact) for n, fact in enumerate(STORY[:length])]
    event, call = events[-1], None
    for each in events:
        call = append(call, each)
    assert call

    call_view, placed = CallView.of(call), {"record_id": 7, "version": call.version, "void": False}
    assert call_json(call) == call_view.model_dump(mode="json")
    assert event_json(event, **placed) == EventView.of(event, **placed).model_dump(mode="json")
    assert json.loads(call_words(call)) == call_json(call)
    event_text = event_json(event, **placed)
    assert json.loads(status_words(event_text, call)) == StatusMessage.of(call, event).model_dump(mode="json")
    seen = {"event": EventView.of(event, **placed), "call": call_view}
    change = Change(**seen, previous_queue_id="q", previous_agent_id="a", was_flagged=False)  # type: ignore[arg-type]  # by name
    assert json.loads(change_words(event_text, call, "q", "a", was_flagged=False)) == change.model_dump(mode="json")


def _event(n: int, fact: Fact) -> Event:
    at = BEGUN + timedelta(seconds=20 * n)
    source = Source.SYSTEM if isinstance(fact, AnswerTimedOut | Rerouted) else Source.TELEPHONY
    return Event(f"e{n}", "c1", fact, at, at.astimezone(UTC), dated=n % 2 == 0, source=source, metadata={"n": n})
