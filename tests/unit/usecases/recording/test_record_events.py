"""Recording in memory: outcomes, replays, deferred events and what they leave on record."""

from dataclasses import replace

import pytest

from shared.domain import events
from shared.domain.call import Status
from shared.domain.events import EndReason, Fact, Limits
from shared.usecases.recording.record_events import Applied, Deferred, Illegal, KeyReused, Replayed, UnknownQueue
from tests.support.memory import MemoryQueue
from tests.support.stores import MemoryStore

INITIATED = events.Initiated("voice", "telephony", None, Limits())
RING, ANSWER, END = events.Routed("ana", 1), events.Answered(2), events.Ended(EndReason.COMPLETED, 9)
LIFE: list[tuple[float, Fact, Status]] = [
    (0, INITIATED, Status.WAITING),
    (1, RING, Status.WAITING),
    (3, ANSWER, Status.ACTIVE),
    (9, events.Held(0), Status.ON_HOLD),
    (12, events.Resumed(), Status.ACTIVE),
    (60, END, Status.ENDED),
]


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.add_queue("telephony", MemoryQueue(Limits(sla_seconds=5)))
    return store


def test_each_event_of_a_call_changes_its_status(store: MemoryStore) -> None:
    for second, fact, status in LIFE:
        assert isinstance(store.record(fact, second=second), Applied)
        assert store.call().status is status


def test_the_basic_events_in_reverse_give_the_same_call(store: MemoryStore) -> None:
    for second, fact, _ in LIFE:
        store.record(fact, second=second, call_id="forwards")
    for second, fact, _ in reversed(LIFE):
        store.record(fact, second=second, call_id="backwards")
    forwards, backwards = store.call("forwards"), store.call("backwards")
    assert replace(forwards, id="", version=0) == replace(backwards, id="", version=0)
    assert store.history("forwards") == store.history("backwards")


def test_a_call_keeps_the_limits_of_its_queue(store: MemoryStore) -> None:
    store.record(INITIATED, second=0)
    store.add_queue("telephony", MemoryQueue(Limits(sla_seconds=500)))
    assert store.call().limits.sla_seconds == 5


def test_a_replay_changes_nothing(store: MemoryStore) -> None:
    event = store.event(INITIATED, 0)
    store.submit([event], 0)
    before = store.memory.comparable()
    assert isinstance(store.submit([event], 5)[0], Replayed)
    assert store.memory.comparable() == before


def test_an_id_used_for_another_event_is_refused(store: MemoryStore) -> None:
    event = store.event(INITIATED, 0)
    store.submit([event], 0)
    assert isinstance(store.submit([replace(event, fact=RING)], 5)[0], KeyReused)


def test_an_unknown_queue_is_refused(store: MemoryStore) -> None:
    assert store.record(replace(INITIATED, queue_id="no"), second=0) == UnknownQueue("no")


def test_an_illegal_event_is_refused_with_the_status(store: MemoryStore) -> None:
    for second, fact, _ in LIFE:
        store.record(fact, second=second)
    outcome = store.record(RING, second=99)
    assert isinstance(outcome, Illegal) and outcome.status == "ended"


def test_an_early_event_is_deferred(store: MemoryStore) -> None:
    assert isinstance(store.record(ANSWER, second=3), Deferred)
    assert store.load().call is None


def test_a_batch_is_one_transaction(store: MemoryStore) -> None:
    store.record(INITIATED, RING, ANSWER, second=0)
    assert (store.outbox_size(), store.call().version) == (1, 3)
