"""Events that contradict each other: whatever came first, the same of them are on record in the end."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.events import (
    Answered,
    Ended,
    EndReason,
    Event,
    Fact,
    Held,
    Initiated,
    Limits,
    NoAnswer,
    Resumed,
    Routed,
    Transferred,
)
from shared.usecases.recording.call_change import CallChange
from shared.usecases.recording.ports import CallRecord, EventRow, EventState

BEGUN = datetime(2026, 1, 31, 12, tzinfo=UTC)
FACTS: list[Fact] = [
    Initiated("voice", "medical_spanish", None, Limits()),
    Routed("ana", 1),
    Routed("ben", 1),
    NoAnswer("ana"),
    Answered(2),
    Answered(3, "ben"),
    Held(0),
    Held(75),
    Resumed(),
    Transferred("legal_spanish"),
    Transferred(None, "ben"),
    Ended(EndReason.COMPLETED, 9),
    Ended(EndReason.ABANDONED, 0),
]
moments = st.tuples(st.sampled_from(FACTS), st.integers(0, 6))


@given(reports=st.lists(moments, min_size=1, max_size=9), data=st.data())
def test_contradicting_events_end_the_same_in_any_order(reports: list[tuple[Fact, int]], data: st.DataObject) -> None:
    events = [
        Event(f"e{number}", "call-1", fact, BEGUN + timedelta(seconds=second), BEGUN, dated=True)
        for number, (fact, second) in enumerate(reports)
    ]
    assert recorded(data.draw(st.permutations(events))) == recorded(sorted(events, key=lambda event: event.order))


def recorded(events: Sequence[Event]) -> tuple[object, dict[str, EventState]]:
    """The call, and what of its events happened, when each comes in a transaction of its own."""
    record, log = CallRecord("call-1"), list[EventRow]()
    for event in events:
        draft = CallChange(record)
        draft.log = log
        draft.admit(event, "")
        log = [*log, *draft.recorded]
        record.exists = bool(log)
    happened = {row.event.id: row.state for row in log if row.state in (EventState.APPLIED, EventState.VOID)}
    return record.call and {**vars(record.call), "version": None}, happened
