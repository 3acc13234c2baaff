"""The figures of recorded calls, in memory: what each kind of call adds to the counts."""

import pytest

from shared.domain import events, figures
from shared.domain.events import EndReason, Fact, Limits
from tests.support.memory import MemoryQueue
from tests.support.stores import MemoryStore

INITIATED = events.Initiated("voice", "telephony", None, Limits())
RING, ANSWER = events.Routed("ana", 1), events.Answered(2)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.add_queue("telephony", MemoryQueue())
    return store


def live(store: MemoryStore, *moments: tuple[float, Fact], call_id: str = "call-1") -> None:
    """Record each event at its second, with the sweep before it."""
    for second, fact in moments:
        store.sweep(second)
        store.record(fact, second=second, call_id=call_id)


def test_an_answered_call_in_time_counts_for_the_service_level(store: MemoryStore) -> None:
    live(store, (0, INITIATED), (1, RING), (3, ANSWER), (100, events.Ended(EndReason.COMPLETED, 97)))
    tally = store.tally()
    assert (tally.offered, tally.answered_in_time, tally.handled, tally.talk_ms) == (1, 1, 1, 97_000)
    assert figures.level_of_answered(tally) == 1


def test_an_answer_after_the_limit_is_not_in_time(store: MemoryStore) -> None:
    live(store, (0, INITIATED), (31, RING), (35, events.Answered(35)))
    tally = store.tally()
    assert (tally.answered, tally.answered_in_time, tally.sla_breached) == (1, 0, 1)
    assert tally.longest_wait_ms == 35_000


@pytest.mark.parametrize(("second", "short"), [(5, 1), (40, 0)])
def test_an_abandon_before_the_limit_is_short(store: MemoryStore, second: float, short: int) -> None:
    live(store, (0, INITIATED), (second, events.Ended(EndReason.ABANDONED, 0)))
    assert (store.tally().abandoned, store.tally().short_abandons) == (1, short)


def test_misses_count_for_each_offer_and_each_call(store: MemoryStore) -> None:
    live(store, (0, INITIATED), (1, RING), (5, events.NoAnswer("ana")), (6, RING), (8, events.NoAnswer("ana")))
    assert (store.tally().misses, store.tally().missed) == (2, 1)


def test_a_timeout_counts_as_a_miss(store: MemoryStore) -> None:
    live(store, (0, INITIATED), (1, RING))
    store.sweep(20)
    assert (store.tally().misses, store.tally().missed) == (1, 1)


def test_a_hold_counts_with_its_excess(store: MemoryStore) -> None:
    live(store, (0, INITIATED), (1, RING), (3, ANSWER), (4, events.Held(75)))
    live(store, (99, events.Ended(EndReason.COMPLETED, 96)))
    tally = store.tally()
    assert (tally.holds, tally.hold_exceeded, tally.hold_ms, tally.hold_excess_ms) == (1, 1, 75_000, 15_000)


def test_figures_of_calls_add_up(store: MemoryStore) -> None:
    for number in range(4):
        live(store, (number, INITIATED), (number + 1, RING), (number + 3, ANSWER), call_id=f"c{number}")
    assert (store.tally().offered, store.tally().answered) == (4, 4)
