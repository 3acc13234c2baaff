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


def told(floor: Harness, call_id: str) -> list[Message]:
    """Undated, without ids: a message a second."""
    return [
        Message(f"{call_id}.{second}", json.dumps(event | {"callId": call_id}), floor.clock.at(second))
        for second, event in enumerate(LIFE)
    ]


def deliver(floor: Harness, messages: Sequence[Message]) -> None:
    assert submit_messages(floor.services, messages, floor.clock.now()).refused == {}


def outcome(floor: Harness, call_id: str) -> object:
    call = floor.call(call_id) | {"id": "", "version": 0}
    return call, [(event.type, event.timestamp) for event in floor.reads.events(call_id, None, 500) if not event.void]


ORDERS = [*permutations(range(4, 8)), *permutations(range(4))]


@pytest.mark.parametrize(
    "order", [order if n % 4 == 3 else pytest.param(order, marks=pytest.mark.deep) for n, order in enumerate(ORDERS)]
)
def test_undated_events_that_overtake_each_other_end_the_same(floor: Harness, order: tuple[int, ...]) -> None:
    in_order, overtaken = told(floor, "in-order"), told(floor, "overtaken")
    floor.clock.go_to(10)
    deliver(floor, in_order)
    for index in (*range(order[0] - order[0] % 4), *order, *range(4 + order[0] - order[0] % 4, 8)):
        deliver(floor, [overtaken[index]])
    assert outcome(floor, "overtaken") == outcome(floor, "in-order")
    assert floor.history("overtaken") == [(event["event"], False) for event in LIFE]


def test_a_message_that_is_delivered_again_counts_once(floor: Harness) -> None:
    messages = told(floor, "call-1")
    floor.clock.go_to(10)
    deliver(floor, messages)
    before = outcome(floor, "call-1"), floor.rows("select * from events order by position")
    floor.clock.sleep(3600)
    deliver(floor, messages[2:6])
    deliver(floor, messages)
    assert (outcome(floor, "call-1"), floor.rows("select * from events order by position")) == before


def test_each_event_of_a_message_is_known_when_it_comes_again(floor: Harness) -> None:
    events = [event | {"callId": "call-1"} for event in LIFE]
    broken = Message("m", json.dumps([*events[:4], {"event": "no such event"}, *events[4:]]), floor.clock.now())
    for _ in range(2):
        assert list(submit_messages(floor.services, [broken], floor.clock.now()).refused) == ["m"]
    assert floor.history() == [(event["event"], False) for event in LIFE]


def test_the_grace_period_begins_when_an_event_is_accepted(floor: Harness) -> None:
    initiated, routed, *_ = told(floor, "call-1")
    floor.clock.go_to(GRACE.total_seconds() * 5)
    deliver(floor, [routed])
    floor.clock.sleep(GRACE.total_seconds() - 1)
    floor.sweep()
    deliver(floor, [initiated])
    assert floor.history() == [("call_initiated", False), ("call_routed", False)]


def test_a_call_that_never_began_is_archived_after_its_events(floor: Harness) -> None:
    place = "select tableoid::regclass::text as place from calls where id = 'call-1'"
    floor.one("call_routed", agentId="interpreter-01", routingTime=1, eventId="early")
    for second in (1, 2):
        floor.clock.sleep(GRACE.total_seconds() + 1)
        floor.sweep()
        floor.clock.sleep(timedelta(hours=2).total_seconds())
        assert floor.shelve() == 1
        assert floor.rows(place) == [{"place": "calls_2026_01"}]
        assert floor.rows("select count(*) as sums from call_rollups") == [{"sums": 0}]
        assert floor.one("call_answered", waitTime=second).status == 202
        assert floor.rows(place) == [{"place": "calls_live"}]
    floor.assert_no_orphans()
