"""The system of record in memory behaves as the one on Postgres: each test runs on both."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import events
from shared.domain.agent import AgentStatus
from shared.domain.deadlines import TimerKind
from shared.domain.events import EndReason, Fact, Limits, Source
from shared.domain.routing import Routing, Search, Strategy
from shared.usecases.recording.ports import CallUpdates, EventRow, EventState, KnownEvent, OutboxEntry
from shared.usecases.recording.record_events import Applied, Deferred, KeyReused, Replayed, UnknownQueue
from tests.support.examples import examples
from tests.support.memory import MemoryQueue
from tests.support.stores import MemoryStore, PostgresStore, Store, at

TELEPHONY, ROUTED = "telephony", "routed"  # queues
INITIATED = events.Initiated("voice", TELEPHONY, None, Limits())
WAITING = events.Initiated("voice", ROUTED, None, Limits())
SPANISH = events.Initiated("voice", ROUTED, "es", Limits())
RING, ANSWER, END = events.Routed("ana", 1), events.Answered(2), events.Ended(EndReason.COMPLETED, 9)


def add_queues(store: Store) -> None:
    store.add_queue(TELEPHONY, MemoryQueue())
    store.add_queue(ROUTED, MemoryQueue(Limits(wrap_up_seconds=20, routing="switchboard")))


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        store = MemoryStore()
        add_queues(store)
        yield store
    else:
        postgres = PostgresStore(request.getfixturevalue("database_url"))
        add_queues(postgres)
        yield postgres
        postgres.close()


def test_a_new_call_is_an_empty_record(store: Store) -> None:
    record = store.load()
    assert (record.id, record.call, record.exists) == ("call-1", None, False)


def test_a_recorded_call_is_read_as_it_was_written(store: Store) -> None:
    store.record(INITIATED, RING, second=0)
    record = store.load()
    assert record.exists and record.call
    assert (record.call.queue_id, record.call.initiated_at, record.call.version) == (TELEPHONY, at(0), 2)
    assert record.call.offer and record.call.offer.agent_id == "ana"
    assert record.last_event_id == "event-001"


def test_a_loaded_record_is_a_copy(store: Store) -> None:
    store.record(INITIATED, second=0)
    store.load().deferred = 7
    assert store.load().deferred == 0


def test_without_a_commit_nothing_is_written(store: Store) -> None:
    store.record(INITIATED, second=0)
    row = EventRow(store.event(END, 9), "", EventState.APPLIED)
    with store.transactions.begin() as unit_of_work:
        record = unit_of_work.load(["call-1"], (), ()).records["call-1"]
        (row.position,) = unit_of_work.reserve_positions(1).positions
        unit_of_work.record([row])
        unit_of_work.write(
            CallUpdates([replace(record, deferred=3)], armed={("call-1", TimerKind.DEFERRED): at(5)}), at(9)
        )
    assert (store.load().deferred, len(store.log()), len(store.timers())) == (0, 1, 1)


def test_known_events_are_found_by_call_or_by_age(store: Store) -> None:
    event = store.event(INITIATED, 0, id="known")
    store.submit([event], 0)
    with store.transactions.begin() as unit_of_work:
        of_call = unit_of_work.load(["call-1"], ["known", "unknown"], (), since=at(9)).known
        lately = unit_of_work.load(["call-2"], ["known"], (), since=at(-9)).known
    assert of_call == lately == {"known": KnownEvent("call-1", repr(INITIATED))}


def test_limits_are_those_of_known_queues(store: Store) -> None:
    with store.transactions.begin() as unit_of_work:
        limits = unit_of_work.load((), (), [ROUTED, "unknown"]).limits
        routing = unit_of_work.routing([ROUTED])
    assert limits == {ROUTED: Limits(wrap_up_seconds=20, routing="switchboard")}
    assert routing == {ROUTED: Routing()}


@pytest.mark.parametrize("number", [1, 3, 100])
def test_positions_rise_within_and_between_transactions(store: Store, number: int) -> None:
    positions = []
    for _ in range(2):
        with store.transactions.begin() as unit_of_work:
            positions += unit_of_work.reserve_positions(number).positions
            positions += unit_of_work.reserve_positions(number).positions
    assert len(positions) == 4 * number
    assert positions == sorted(set(positions))


def test_logs_are_in_the_order_of_arrival(store: Store) -> None:
    store.record(END, second=9)
    store.record(INITIATED, second=0)
    assert [row.event.name for row in store.log()] == ["call_ended", "call_initiated"]
    assert store.log("unknown") == []


def test_a_restated_event_keeps_its_fingerprint(store: Store) -> None:
    store.record(END, second=9)
    assert isinstance(store.record(INITIATED, second=0), Applied)
    store.record(RING, second=1)
    store.record(ANSWER, second=3)
    assert {row.event.name: row.state for row in store.log()}["call_ended"] is EventState.APPLIED
    assert {row.event.name: row.fingerprint for row in store.log()}["call_ended"] == repr(END)


def test_outcomes_of_replays_and_unknown_queues(store: Store) -> None:
    event = store.event(INITIATED, 0)
    assert [type(outcome) for outcome in store.submit([event, event], 0)] == [Applied, Replayed]
    assert isinstance(store.submit([event], 1)[0], Replayed)
    other = replace(event, fact=RING)
    assert isinstance(store.submit([other], 1)[0], KeyReused)
    assert isinstance(store.record(replace(INITIATED, queue_id="no"), second=1, call_id="c2"), UnknownQueue)
    assert isinstance(store.record(RING, second=2, call_id="c3"), Deferred)


def test_due_timers_are_found_earliest_first_up_to_a_limit(store: Store) -> None:
    for second, call_id in enumerate(("c3", "c1", "c2")):
        store.record(INITIATED, second=second, call_id=call_id)
    with store.transactions.begin() as unit_of_work:
        assert unit_of_work.due_timers(at(29), 10) == {}
        assert unit_of_work.due_timers(at(31), 10) == {"c3": {TimerKind.SLA_WAIT}, "c1": {TimerKind.SLA_WAIT}}
        assert unit_of_work.due_timers(at(60), 2) == {"c3": {TimerKind.SLA_WAIT}, "c1": {TimerKind.SLA_WAIT}}


def test_a_timer_is_moved_and_removed(store: Store) -> None:
    store.record(INITIATED, second=0)
    commit(store, CallUpdates(armed={("call-1", TimerKind.SLA_WAIT): at(7)}, disarmed={("call-1", TimerKind.SLA_WAIT)}))
    assert store.timers() == {("call-1", TimerKind.SLA_WAIT): at(7)}
    commit(store, CallUpdates(disarmed={("call-1", TimerKind.SLA_WAIT)}))
    assert store.timers() == {}


def commit(store: Store, changes: CallUpdates) -> None:
    with store.transactions.begin() as unit_of_work:
        unit_of_work.write(changes, at(0))
        unit_of_work.commit(OutboxEntry(), at(0), during_commit=lambda: None)


def waiting(store: Store, second: float, queues: list[str] | None = None, limit: int = 10) -> list[str]:
    with store.transactions.begin() as unit_of_work:
        return list(unit_of_work.waiting_calls(at(second), queues, limit))


def test_waiting_calls_are_those_that_a_free_agent_can_take(store: Store) -> None:
    for second, (call_id, fact) in enumerate({"b": WAITING, "a": WAITING, "es": SPANISH, "t": INITIATED}.items()):
        store.record(fact, second=second, call_id=call_id)
    assert waiting(store, 9) == []
    store.add_agent("ana", [ROUTED, TELEPHONY])
    assert waiting(store, 9) == ["b", "a"]
    assert waiting(store, 9, limit=1) == ["b"]
    assert waiting(store, 9, [TELEPHONY]) == []
    store.add_agent("eva", [ROUTED], languages=["es"])
    assert waiting(store, 9) == ["b", "a", "es"]


def test_a_step_of_priority_is_worth_the_aging_seconds(store: Store) -> None:
    store.add_agent("ana", [ROUTED])
    for second, priority in ((0, None), (30, 1), (70, 1)):
        store.record(replace(WAITING, priority=priority), second=second, call_id=f"c{second}")
    assert waiting(store, 90) == ["c30", "c0", "c70"]


def test_a_call_overflows_after_the_seconds_of_its_queue(store: Store) -> None:
    store.add_queue(
        "first", MemoryQueue(Limits(routing="switchboard"), Routing(overflow_seconds=20, overflow_queue_id=ROUTED))
    )
    store.add_agent("ana", [ROUTED])
    store.record(replace(WAITING, queue_id="first"), second=0)
    assert [waiting(store, second) for second in (19, 20)] == [[], ["call-1"]]
    assert waiting(store, 20, [ROUTED]) == ["call-1"]


def claimed(store: Store, call_id: str, search: Search, second: float) -> str | None:
    call = store.call(call_id)
    with store.transactions.begin() as unit_of_work:
        agent_id = unit_of_work.claim_agent(call, search, Strategy.LONGEST_IDLE, at(second))
        unit_of_work.commit(OutboxEntry(), at(second), during_commit=lambda: None)
    return agent_id


def test_a_claim_takes_the_longest_idle_agent_of_the_search(store: Store) -> None:
    store.record(WAITING, second=0)
    for second, agent_id in enumerate(("cleo", "ana", "ben")):
        store.add_agent(agent_id, [ROUTED], second)
    assert claimed(store, "call-1", Search(TELEPHONY), 9) is None
    assert claimed(store, "call-1", Search(ROUTED, ("cleo",)), 9) == "ana"
    agent = store.agent("ana")
    assert (agent.status, agent.status_since, agent.call_id) == (AgentStatus.OFFERED, at(9), "call-1")


def test_a_claim_respects_the_language(store: Store) -> None:
    store.record(SPANISH, second=0)
    store.add_agent("ana", [ROUTED])
    store.add_agent("eva", [ROUTED], 5, ["en", "es"])
    assert claimed(store, "call-1", Search(ROUTED), 9) == "eva"


def test_ended_calls_without_timers_are_archived_and_come_back(store: Store) -> None:
    store.record(INITIATED, RING, ANSWER, second=0)
    assert store.archive(10_000) == 0, "the call goes on"
    store.record(END, second=9)
    assert (store.archive(9), store.archive(10_000), store.archive(10_000)) == (0, 1, 0)
    assert store.archived() == {"call-1"}
    assert store.call().end_reason is EndReason.COMPLETED
    assert store.archived() == {"call-1"}, "reading changes nothing"
    store.record(events.Held(70), second=5)
    assert store.archived() == set()


def test_each_transaction_with_news_has_an_outbox_entry(store: Store) -> None:
    store.record(INITIATED, RING, second=0)
    assert store.outbox_size() == 1
    store.record(END, second=9, call_id="c2")
    assert store.outbox_size() == 1, "a deferred event is no news"


def test_agents_follow_their_call(store: Store) -> None:
    store.add_agent("ana", [ROUTED])
    seen = []
    for second, fact in ((1, WAITING), (2, RING), (4, ANSWER), (9, END)):
        store.record(fact, second=second)
        seen.append(store.agent("ana").status.value)
    assert seen == ["available", "offered", "on_call", "wrap_up"]
    assert store.sweep(40) == 1
    assert (store.agent("ana").status, store.agent("ana").status_since) == (AgentStatus.AVAILABLE, at(29))


def test_an_unknown_agent_is_registered(store: Store) -> None:
    store.record(INITIATED, RING, second=0)
    assert (store.agent("ana").status, store.agent("ana").call_id) == (AgentStatus.OFFERED, "call-1")
    store.record(
        INITIATED, events.Routed("ben", 1), events.NoAnswer("ben"), events.Routed("cleo", 1), second=1, call_id="c2"
    )
    assert store.agent("ben").status is AgentStatus.AWAY


@pytest.mark.parametrize(("misses", "status"), [(1, "away"), (2, "available")])
def test_a_queue_forgives_as_many_misses_as_it_says(store: Store, misses: int, status: str) -> None:
    store.add_queue("strict", MemoryQueue(misses_before_away=misses))
    store.add_agent("ana", ["strict"])
    store.record(replace(INITIATED, queue_id="strict"), RING, second=1)
    store.record(events.NoAnswer("ana"), second=5)
    agent = store.agent("ana")
    assert (agent.status.value, agent.misses) == (status, 1)


FACTS: list[Fact] = [
    INITIATED,
    WAITING,
    SPANISH,
    RING,
    events.Routed("ben", 1),
    events.NoAnswer("ana"),
    ANSWER,
    events.Held(0),
    events.Held(75),
    events.Resumed(),
    events.Transferred(ROUTED),
    END,
    events.Ended(EndReason.ABANDONED, 0),
]
moments = st.tuples(st.integers(0, 1), st.sampled_from(FACTS), st.integers(0, 40))
_runs = count()


@pytest.fixture
def postgres(database_url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(database_url)
    add_queues(store)
    yield store
    store.close()


@examples(quick=25, deep=500)
@given(moments=st.lists(moments, min_size=1, max_size=12), imported=st.booleans(), sweeps=st.booleans())
def test_any_events_leave_the_same_records(
    postgres: PostgresStore, moments: list[tuple[int, Fact, int]], imported: bool, sweeps: bool
) -> None:
    """Calls, events, timers and outcomes of two calls, in any order, with a sweep after each event."""
    memory, run = MemoryStore(), next(_runs)
    add_queues(memory)
    ids = count()
    for number, fact, second in moments:
        # The agents of each example are its own, and serve no queue: who is chosen is not the question here.
        own = replace(fact, agent_id=f"{fact.agent_id}-{run}") if getattr(fact, "agent_id", None) else fact  # type: ignore[type-var, attr-defined]
        source = Source.IMPORT if imported else Source.TELEPHONY
        event = memory.event(own, second, f"c{run}-{number}", id=f"e{run}-{next(ids)}", source=source)
        assert memory.submit([event], second) == postgres.submit([event], second)
        if sweeps:
            assert memory.sweep(second) == postgres.sweep(second)
    for call_id in (f"c{run}-0", f"c{run}-1"):
        assert without_ids(memory, call_id) == without_ids(postgres, call_id)
        assert timers_of(memory, call_id) == timers_of(postgres, call_id)
    with postgres.transactions.begin() as unit_of_work:
        unit_of_work.write(CallUpdates(disarmed=set(postgres.timers())), at(0))
        unit_of_work.commit(OutboxEntry(), at(0), during_commit=lambda: None)


def without_ids(store: Store, call_id: str) -> object:
    """The events of the system have ids that differ."""
    return store.load(call_id).call, store.history(call_id)


def timers_of(store: Store, call_id: str) -> dict[TimerKind, datetime]:
    return {kind: due_at for (of_call, kind), due_at in store.timers().items() if of_call == call_id}


def test_figures_are_those_of_postgres(postgres: PostgresStore) -> None:
    memory = MemoryStore()
    add_queues(memory)
    for store in (memory, postgres):
        for number in range(6):
            call_id, begin = f"c{number}", number * 100
            store.record(INITIATED, RING, second=begin, call_id=call_id)
            if number % 3:
                store.record(events.NoAnswer("ana"), RING, second=begin + 1, call_id=call_id)
                store.record(ANSWER, second=begin + 2 + 10 * number, call_id=call_id)
                store.record(events.Held(75), second=begin + 3 + 10 * number, call_id=call_id)
            store.sweep(begin + 60)
            reason = EndReason.COMPLETED if number % 3 else EndReason.ABANDONED
            store.record(events.Ended(reason, 9), second=begin + 99, call_id=call_id)
    tally = memory.tally()
    assert tally == postgres.tally()
    assert (tally.offered, tally.answered, tally.abandoned) == (6, 4, 2)
    assert min(tally.misses, tally.sla_breached, tally.hold_exceeded, tally.short_calls) > 0
