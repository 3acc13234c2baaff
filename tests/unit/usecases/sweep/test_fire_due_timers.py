"""The sweep in memory: timers, re-routes, hold limits, deferred events and offers of waiting calls."""

from dataclasses import replace

import pytest

from shared.domain import events
from shared.domain.agent import AgentStatus
from shared.domain.deadlines import TimerKind, flags
from shared.domain.events import EndReason, Limits, Source
from shared.domain.routing import Routing
from tests.support.memory import MemoryQueue
from tests.support.stores import MemoryStore, at

INITIATED = events.Initiated("voice", "telephony", None, Limits())
WAITING = replace(INITIATED, queue_id="routed")
RING, ANSWER, END = events.Routed("ana", 1), events.Answered(2), events.Ended(EndReason.COMPLETED, 9)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.add_queue("telephony", MemoryQueue())
    store.add_queue("routed", MemoryQueue(Limits(wrap_up_seconds=20, routing="switchboard")))
    return store


def test_a_wait_beyond_the_limit_is_flagged_at_its_due_time(store: MemoryStore) -> None:
    store.record(INITIATED, second=0)
    assert store.sweep(29) == 0
    assert store.sweep(33) == 1
    assert store.call().sla_breached_at == at(30)
    assert store.timers() == {}


def test_an_unanswered_offer_is_rerouted_to_the_next_agent(store: MemoryStore) -> None:
    store.add_agent("ana", ["telephony"])
    store.add_agent("ben", ["telephony"], 1)
    store.record(INITIATED, RING, second=2)
    assert store.sweep(17) == 1
    assert [name for name, _ in store.history()] == [
        "call_initiated",
        "call_routed",
        "answer_timed_out",
        "call_rerouted",
    ]
    assert store.agent("ana").status is AgentStatus.AWAY
    assert (store.agent("ben").status, store.agent("ben").call_id) == (AgentStatus.OFFERED, "call-1")
    assert store.call().rerouted


def test_without_another_agent_the_call_is_offered_later(store: MemoryStore) -> None:
    store.add_agent("ana", ["telephony"])
    store.record(INITIATED, RING, second=0)
    store.sweep(15)
    assert store.call().offer is None
    store.add_agent("ben", ["telephony"], 16)
    assert store.offer(20) == 1
    offer = store.call().offer
    assert offer and (offer.agent_id, offer.offered_at) == ("ben", at(20))


def test_a_late_answer_voids_the_timeout(store: MemoryStore) -> None:
    store.add_agent("ana", ["telephony"])
    store.add_agent("ben", ["telephony"], 1)
    store.record(INITIATED, RING, second=2)
    store.sweep(17)
    store.record(ANSWER, second=10)
    assert dict(store.history())["answer_timed_out"] == "void"
    assert (store.agent("ana").status, store.agent("ben").status) == (AgentStatus.ON_CALL, AgentStatus.AVAILABLE)


@pytest.mark.parametrize(("until", "is_exceeded"), [(60, False), (62, True)])
def test_a_hold_beyond_the_limit_is_flagged(store: MemoryStore, until: float, is_exceeded: bool) -> None:
    store.record(INITIATED, RING, ANSWER, events.Held(0), second=0)
    assert store.timers() == {("call-1", TimerKind.HOLD): at(60)}
    store.record(events.Resumed(), second=until - 1)
    store.sweep(until)
    assert ("hold_exceeded" in flags(store.call())) == is_exceeded


def test_a_hold_that_goes_on_is_flagged_once(store: MemoryStore) -> None:
    store.record(INITIATED, RING, ANSWER, events.Held(0), second=0)
    assert [store.sweep(second) for second in (59, 60, 61, 500)] == [0, 1, 0, 0]
    assert store.call().hold_exceeded_at == at(60)


def test_a_deferred_event_is_applied_when_its_predecessor_comes(store: MemoryStore) -> None:
    store.record(INITIATED, second=0)
    store.record(END, second=9)
    store.record(events.Held(5), second=8)
    assert store.load().deferred == 2
    store.record(RING, ANSWER, second=3)
    assert (store.load().deferred, dict(store.history())["call_hold"]) == (0, "applied")


def test_a_deferred_event_is_dead_after_its_grace_period(store: MemoryStore) -> None:
    store.record(ANSWER, second=0)
    assert store.timers() == {("call-1", TimerKind.DEFERRED): at(60)}
    assert (store.sweep(59), store.sweep(60)) == (0, 1)
    (row,) = store.log()
    assert (row.state, row.failed_at, row.reason) == ("dead", at(60), "Its predecessor never came.")


def test_wrap_up_ends_after_its_seconds(store: MemoryStore) -> None:
    store.add_agent("ana", ["routed"])
    store.record(WAITING, RING, ANSWER, second=0)
    store.record(END, second=9)
    assert store.agent("ana").status is AgentStatus.WRAP_UP
    store.sweep(30)
    assert (store.agent("ana").status, store.agent("ana").status_since) == (AgentStatus.AVAILABLE, at(29))


def test_history_has_no_timers_and_moves_no_agents(store: MemoryStore) -> None:
    store.add_agent("ana", ["telephony"])
    store.record(INITIATED, RING, ANSWER, events.Held(0), second=0, source=Source.IMPORT)
    assert (store.timers(), store.sweep(500)) == ({}, 0)
    assert store.agent("ana").status is AgentStatus.AVAILABLE


def test_waiting_calls_get_agents_in_their_order(store: MemoryStore) -> None:
    for second, call_id in enumerate(("c3", "c1", "c2")):
        store.record(WAITING, second=second, call_id=call_id)
    store.add_agent("ana", ["routed"])
    store.add_agent("ben", ["routed"], 1)
    assert (store.offer(9), store.offer(9)) == (2, 0)
    offers = {call_id: store.call(call_id).offer for call_id in ("c1", "c2", "c3")}
    assert {call_id: offer and offer.agent_id for call_id, offer in offers.items()} == {
        "c3": "ana",
        "c1": "ben",
        "c2": None,
    }


def test_a_call_overflows_to_the_agents_of_another_queue(store: MemoryStore) -> None:
    routing = Routing(overflow_seconds=20, overflow_queue_id="routed")
    store.add_queue("first", MemoryQueue(Limits(routing="switchboard"), routing))
    store.add_agent("ana", ["routed"])
    store.record(replace(WAITING, queue_id="first"), second=0)
    assert [store.offer(second) for second in (19, 20)] == [0, 1]


def test_ended_calls_are_archived_after_an_hour_and_come_back(store: MemoryStore) -> None:
    store.record(INITIATED, RING, ANSWER, second=0)
    store.record(END, second=9)
    assert [store.archive(second) for second in (3_600, 3_610)] == [0, 1]
    store.record(events.Held(70), second=5)
    assert store.archived() == set()
