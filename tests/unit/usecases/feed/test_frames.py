"""What a bundle holds, how it conflates and how it is cut into frames."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.feed import MAX_TRACES, Update
from shared.contracts.trace import new_traceparent
from shared.contracts.views import AgentView, CallView, Departure, EventView
from shared.usecases.feed.frames import (
    FRAME_BYTES,
    FrameBatch,
    agent_item,
    alert_items,
    call_item,
    departure_item,
    event_item,
)

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def call(call_id: str, version: int, note: str = "") -> CallView:
    return CallView(
        id=call_id, type="voice", status="waiting", queue_id="q", language=None, start_time=AT, end_time=None,
        agent_id=None, wait_seconds=None, hold_seconds=0, duration_seconds=None, end_reason=None, flags=[], offer=None,
        deadline=None, priority=None, version=version, metadata={"note": note},
    )  # fmt: skip


def event(event_id: str, version: int, void: bool = False) -> EventView:
    return EventView(
        id=event_id, call_id="c", type="call_routed", timestamp=AT, occurred_at=None, received_at=AT,
        source="telephony", record_id=1, version=version, void=void, metadata={},
    )  # fmt: skip


def agent(agent_id: str, second: int, version: int = 1) -> AgentView:
    return AgentView(
        id=agent_id, name="Ana", languages=[], queues=["q"], status="away", status_since=AT.replace(second=second),
        call_id=None, reason=None, skills={}, misses=0, version=version,
    )  # fmt: skip


def read(bundle: FrameBatch) -> list[Update]:
    return [Update.model_validate_json(frame) for frame in bundle.frames(7)]


def test_a_frame_matches_the_contract():
    items = call_item(call("c", 1)), event_item(event("e", 1)), agent_item(agent("a", 1)), departure_item(call("d", 2))
    bundle = FrameBatch(items, ["queue:q"])
    left = [Departure(id="d", version=2)]
    expected = Update(position=7, calls=[call("c", 1)], events=[event("e", 1)], agents=[agent("a", 1)], left=left)
    assert read(bundle) == [expected]
    assert bundle.frames(7) == [expected.model_dump_json().encode()]


def test_the_latest_version_wins_in_any_order():
    late = FrameBatch([call_item(call("c", 3)), event_item(event("e", 3, void=True)), agent_item(agent("a", 5))], ["x"])
    early = FrameBatch(
        [call_item(call("c", 1)), event_item(event("e", 1)), agent_item(agent("a", 2, version=0))], ["y"]
    )
    for merged in (early.followed_by(late), late.followed_by(early)):
        (frame,) = read(merged)
        assert frame.calls[0].version == 3
        assert frame.events[0].void
        assert frame.agents[0].status_since.second == 5
        assert merged.topics == {"x", "y"}


def test_of_a_view_and_a_departure_only_the_newer_is_sent():
    seen, left = FrameBatch([call_item(call("c", 3))], ["x"]), FrameBatch([departure_item(call("c", 4))], ["x"])
    for merged in (seen.followed_by(left), left.followed_by(seen)):
        (frame,) = read(merged)
        assert (frame.calls, [(gone.id, gone.version) for gone in frame.left]) == ([], [("c", 4)])
    back = FrameBatch([call_item(call("c", 5))], ["x"])
    for merged in (back.followed_by(left), left.followed_by(back)):
        (frame,) = read(merged)
        assert ([view.version for view in frame.calls], frame.left) == ([5], [])


def test_equal_connections_share_one_bundle_and_its_frames():
    first, second = FrameBatch([call_item(call("c", 1))], ["x"]), FrameBatch([call_item(call("d", 1))], ["x"])
    assert first.followed_by(second) is first.followed_by(second)
    assert first.frames(1) is first.frames(1)
    assert first.frames(2) is not first.frames(1)


@given(st.lists(st.text(alphabet="xñ€𝄞", max_size=4000), max_size=40))
def test_every_item_is_in_one_frame_and_no_frame_is_too_long(notes):
    calls = [call(f"c{n}", 1, note) for n, note in enumerate(notes)]
    bundle = FrameBatch((call_item(one) for one in calls), ["x"], traces=[new_traceparent() for _ in range(MAX_TRACES)])
    assert all(len(frame) < FRAME_BYTES for frame in bundle.frames(10**15))
    assert [one.id for frame in read(bundle) for one in frame.calls] == [one.id for one in calls]


def test_a_large_bundle_drops_its_events_and_flags_it():
    def hundred(first: int) -> FrameBatch:
        events = [
            event(f"e{n}", n).model_copy(update={"metadata": {"note": "x" * 400}}) for n in range(first, first + 100)
        ]
        raised = alert_items(event("e", 3).model_copy(update={"type": "sla_breached"}), flagged)
        return FrameBatch([call_item(call("c", first)), *map(event_item, events), *raised], ["x"])

    flagged = call("c", 3).model_copy(update={"flags": ["sla_breached"]})
    one, two, three = hundred(100), hundred(200), hundred(300)
    assert one.without_events_if_large() is one
    frames = read(one.followed_by(two).followed_by(three))
    assert [c.version for frame in frames for c in frame.calls] == [300]
    assert [alert.id for frame in frames for alert in frame.alerts] == ["e"]
    assert sum(len(frame.events) for frame in frames) == 100  # events that came since are sent again
    assert sum(frame.events_omitted for frame in frames) == 200


def test_a_frame_names_the_newest_traces_that_fit():
    traces = [new_traceparent() for _ in range(MAX_TRACES + 3)]
    first, second = (
        FrameBatch([call_item(call("c", 1))], ["x"], traces=traces[:2]),
        FrameBatch([], ["x"], traces=traces[2:3]),
    )
    (frame,) = read(first.followed_by(second).followed_by(second))
    assert frame.traces == traces[:3]
    (frame,) = read(first.followed_by(FrameBatch([call_item(call("d", 1))], ["x"], traces=traces)))
    assert frame.traces == traces[3:]
    (without_events_if_large,) = read(
        FrameBatch([call_item(call("c", 1))], ["x"], 7, traces[:1]).without_events_if_large()
    )
    assert without_events_if_large.traces == traces[:1]


def test_an_oversized_entry_is_detected():
    assert not FrameBatch([call_item(call("c", 1, "x" * FRAME_BYTES))], ["x"]).is_sendable


@pytest.mark.parametrize(
    ("event_type", "flags", "void", "expected"),
    [
        ("sla_breached", ["sla_breached"], False, ("sla_breached", False)),
        ("sla_breached", [], True, ("sla_breached", True)),
        ("hold_exceeded", ["hold_exceeded"], False, ("hold_exceeded", False)),
        ("call_rerouted", ["rerouted"], False, ("rerouted", False)),
        ("call_ended", ["short_call"], False, ("short_call", False)),
        ("call_ended", ["sla_breached"], False, None),
        ("call_answered", ["sla_breached"], False, None),
    ],
)
def test_an_alert_comes_and_goes_with_its_event(event_type, flags, void, expected):
    raised = event("e", 3, void).model_copy(update={"type": event_type})
    items = alert_items(raised, call("c", 3).model_copy(update={"flags": flags}))
    alerts = [alert for frame in read(FrameBatch(items, ["alerts:q"])) for alert in frame.alerts]
    assert [(alert.flag, alert.withdrawn) for alert in alerts] == ([expected] if expected else [])
    assert all((alert.id, alert.call_id, alert.queue_id) == ("e", "c", "q") for alert in alerts)
