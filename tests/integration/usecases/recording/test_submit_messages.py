"""What a queue does to events: it keeps them waiting, delivers them again and lets them overtake each other."""

import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

import pytest

from shared.usecases.recording.submit_messages import Message, submit_messages
from tests.support.harness import GRACE, Harness

LIFE = [
    {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish"},
    {"event": "call_routed", "agentId": "interpreter-01", "routingTime": 1},
    {"event": "call_answered", "waitTime": 2},
    {"event": "call_hold", "holdDuration": 5},
    {"event": "call_transferred", "queueId": "legal_spanish"},
    {"event": "call_routed", "agentId": "interpreter-02", "routingTime": 1},
    {"event": "call_answered", "waitTime": 3},
    {"event": "call_ended", "endReason": "completed", "duration": 40},
]


def messages_of(harness: Harness, call_id: str) -> list[Message]:
    """Undated, without ids: a message a second."""
    return [
        Message(f"{call_id}.{second}", json.dumps(event | {"callId": call_id}), harness.clock.at(second))
        for second, event in enumerate(LIFE)
    ]


def deliver(harness: Harness, messages: Sequence[Message]) -> None:
    assert submit_messages(harness.services, messages, harness.clock.now()).refused == {}


def outcome(harness: Harness, call_id: str) -> object:
    call = harness.call(call_id) | {"id": "", "version": 0}
    return call, [(event.type, event.timestamp) for event in harness.reads.events(call_id, None, 500) if not event.void]


ORDERS = [*permutations(range(4, 8)), *permutations(range(4))]


@pytest.mark.parametrize(
    "order", [order if n % 4 == 3 else pytest.param(order, marks=pytest.mark.deep) for n, order in enumerate(ORDERS)]
)
def test_undated_events_that_overtake_each_other_end_the_same(harness: Harness, order: tuple[int, ...]) -> None:
    in_order, overtaken = messages_of(harness, "in-order"), messages_of(harness, "overtaken")
    harness.clock.go_to(10)
    deliver(harness, in_order)
    for index in (*range(order[0] - order[0] % 4), *order, *range(4 + order[0] - order[0] % 4, 8)):
        deliver(harness, [overtaken[index]])
    assert outcome(harness, "overtaken") == outcome(harness, "in-order")
    assert harness.history("overtaken") == [(event["event"], False) for event in LIFE]


def test_a_message_that_is_delivered_again_counts_once(harness: Harness) -> None:
    messages = messages_of(harness, "call-1")
    harness.clock.go_to(10)
    deliver(harness, messages)
    before = outcome(harness, "call-1"), harness.rows("select * from events order by position")
    harness.clock.sleep(3600)
    deliver(harness, messages[2:6])
    deliver(harness, messages)
    assert (outcome(harness, "call-1"), harness.rows("select * from events order by position")) == before


def test_each_event_of_a_message_is_known_when_it_comes_again(harness: Harness) -> None:
    events = [event | {"callId": "call-1"} for event in LIFE]
    broken = Message("m", json.dumps([*events[:4], {"event": "no such event"}, *events[4:]]), harness.clock.now())
    for _ in range(2):
        assert list(submit_messages(harness.services, [broken], harness.clock.now()).refused) == ["m"]
    assert harness.history() == [(event["event"], False) for event in LIFE]


def test_the_grace_period_begins_when_an_event_is_accepted(harness: Harness) -> None:
    initiated, routed, *_ = messages_of(harness, "call-1")
    harness.clock.go_to(GRACE.total_seconds() * 5)
    deliver(harness, [routed])
    harness.clock.sleep(GRACE.total_seconds() - 1)
    harness.sweep()
    deliver(harness, [initiated])
    assert harness.history() == [("call_initiated", False), ("call_routed", False)]


def test_a_call_that_never_began_is_archived_after_its_events(harness: Harness) -> None:
    place = "select tableoid::regclass::text as place from calls where id = 'call-1'"
    harness.one("call_routed", agentId="interpreter-01", routingTime=1, eventId="early")
    for second in (1, 2):
        harness.clock.sleep(GRACE.total_seconds() + 1)
        harness.sweep()
        harness.clock.sleep(timedelta(hours=2).total_seconds())
        assert harness.archive_calls() == 1
        assert harness.rows(place) == [{"place": "calls_2026_01"}]
        assert harness.rows("select count(*) as sums from call_rollups") == [{"sums": 0}]
        assert harness.one("call_answered", waitTime=second).status == 202
        assert harness.rows(place) == [{"place": "calls_live"}]
    harness.assert_no_orphans()
