"""Any order, any number of copies, over any channel: the same call. On real Postgres, with sweeps in between."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.contracts.base import rfc3339
from shared.usecases.recording import record_events
from tests.support.clock import Clock
from tests.support.examples import examples
from tests.support.harness import Harness

Json = dict[str, Any]
_numbers = count()
LATE = 600  # seconds after which the shuffled events begin to come in


@pytest.fixture
def shared_floor(harness: Harness) -> Harness:
    """One database for all examples: each has calls and agents of its own.

    No agent is free, so the clock alone decides whether Switchboard has to act.
    """
    harness.rows("update agents set status = 'offline'")
    return harness


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[float, Json]]:
    """A call's life as telephony tells it. Rings may last longer than they should: then Switchboard sees them lapse.

    Where its clock knows seconds only, several things happen at one instant, and fall due at one; it may not tell in
    which sequence.
    """
    events: list[tuple[float, Json]] = []
    ticks = draw(st.sampled_from([1, 1000]), label="ticks a second")
    is_counted = draw(st.booleans(), label="with a sequence")
    now = 0.0

    def happen(event: str, least: float, most: float, **fields: Any) -> None:
        nonlocal now
        now += draw(st.integers(int(least * ticks), int(most * ticks))) / ticks
        counted = {"sequence": len(events)} if is_counted else {}
        events.append((now, {"event": event, **counted, **fields}))

    happen("call_initiated", 0, 0, type="voice", queueId="medical_spanish", language="es")
    for part in range(draw(st.integers(1, 2))):
        for ring in range(draw(st.integers(0, 2))):
            agent = f"{part}{ring}"
            happen("call_routed", 0.001, 20, agentId=agent, routingTime=1)
            if draw(st.booleans()):
                happen("call_no_answer", 0.001, 25, agentId=agent)
        if draw(st.booleans()) and part == 0:
            happen("call_ended", 0.001, 25, endReason="abandoned", duration=0)
            return events
        happen("call_routed", 0.001, 20, agentId=f"{part}9", routingTime=1)
        happen("call_answered", 0.001, 25, waitTime=draw(st.integers(0, 60)))
        for _ in range(draw(st.integers(0, 3))):
            happen("call_hold", 0.001, 30, holdDuration=draw(st.sampled_from([0, 0, 12, 75])))
            if draw(st.booleans()):
                happen("call_resumed", 0.001, 90)
        if part == 0 and draw(st.booleans()):
            happen("call_transferred", 0.001, 10, queueId=draw(st.sampled_from(["medical_spanish", "legal_spanish"])))
            continue
        break
    if events[-1][1]["event"] == "call_transferred":
        happen("call_routed", 0.001, 20, agentId="77", routingTime=1)
        happen("call_answered", 0.001, 20, waitTime=1)
    if draw(st.booleans()):
        happen("call_ended", 0.001, 100, endReason="completed", duration=draw(st.integers(0, 100)))
    return events


def introduce_agents(harness: Harness, call_id: str) -> None:
    agents = [f"{call_id}-{part}{ring}" for part in range(2) for ring in (0, 1, 9)] + [f"{call_id}-77"]
    harness.rows(
        "insert into agents (id, name, status, status_since) select id, id, 'available', '2026-01-01'"
        " from unnest(%s::text[]) id",
        agents,
    )


def events_of_life(call_id: str, life: list[tuple[float, Json]], clock: Clock) -> list[Json]:
    """The life as events of this call, dated, each with an id of its own, with agents of its own."""
    record: list[Json] = []
    for number, (seconds, fields) in enumerate(life):
        event = fields | {"callId": call_id, "eventId": f"{call_id}.{number}", "occurredAt": iso(clock, seconds)}
        if "agentId" in fields:
            event["agentId"] = f"{call_id}-{fields['agentId']}"
        record.append(event)
    return record


def iso(clock: Clock, seconds: float) -> str:
    return rfc3339(clock.at(seconds))


def sweep_all(harness: Harness) -> None:
    while harness.fire_due_timers():
        pass


def outcome(harness: Harness, call_id: str) -> Json:
    """All that a call has come to, with its own name taken out."""
    call = {name: value for name, value in harness.call(call_id).items() if name not in ("version", "metadata")}
    history = [
        (event.type, rfc3339(event.timestamp), event.metadata)
        for event in harness.reads.events(call_id, None, 500)
        if not event.void and event.source == "telephony"
    ]
    # What waits does so since its receipt, a microsecond later for each of its batch.
    timers = harness.rows(
        "select kind, case kind when 'deferred' then date_trunc('second', due_at) else due_at end::text as due_at"
        " from timers where call_id = %s order by 1",
        call_id,
    )
    agents = harness.rows(
        "select id, status, case when status <> 'available' then call_id end as call_id from agents where id like %s",
        f"{call_id}-%",
    )
    record = {
        "call": call,
        "history": history,
        "timers": timers,
        "agents": {agent["id"]: (agent["status"], agent["call_id"]) for agent in agents},
    }
    return json.loads(json.dumps(record, default=str).replace(call_id, "CALL"))


@given(life=lives(), data=st.data())
def test_any_order_any_copies_any_channel_ends_the_same(
    shared_floor: Harness, life: list[tuple[float, Json]], data: st.DataObject
) -> None:
    harness = shared_floor
    harness.rows("delete from timers")
    ordered, shuffled = f"o{next(_numbers)}", f"s{next(_numbers)}"
    for call_id in (ordered, shuffled):
        introduce_agents(harness, call_id)
    in_order(harness, events_of_life(ordered, life, harness.clock), life)
    expected = outcome(harness, ordered)
    harness.rows("delete from timers")

    events = events_of_life(shuffled, life, harness.clock)
    copies = events + data.draw(st.lists(st.sampled_from(events), max_size=4), label="copies")
    arrivals = data.draw(st.permutations(copies), label="arrivals")
    harness.clock.go_to(LATE)
    for batch in split(arrivals, data):
        send(harness, batch, data.draw(st.sampled_from(["rest", "queue"]), label="channel"))
        if data.draw(st.booleans(), label="a sweep comes by"):
            sweep_all(harness)
        harness.clock.sleep(2)
    harness.clock.go_to(LATE + 200)
    sweep_all(harness)
    found = outcome(harness, shuffled)
    for part in expected:
        assert found[part] == expected[part]
    harness.assert_no_orphans()


@examples(quick=25, deep=150)  # of up to five calls each
@given(record=st.lists(lives(), min_size=2, max_size=5), data=st.data())
def test_a_split_batch_ends_as_its_events_one_by_one(
    shared_floor: Harness, record: list[list[tuple[float, Json]]], data: st.DataObject
) -> None:
    """Several calls shuffled into one batch with copies and with what is refused, in parts of any size."""
    harness = shared_floor
    harness.rows("delete from timers")
    harness.clock.go_to(LATE)
    alone, together = ([f"{way}{next(_numbers)}" for _ in record] for way in "ab")
    for call_id in (*alone, *together):
        introduce_agents(harness, call_id)
    places = [(call, step) for call, life in enumerate(record) for step in range(len(life))]
    copies = data.draw(st.lists(st.sampled_from(places), max_size=4), label="copies")
    arrivals = data.draw(st.permutations(places + copies), label="arrivals")

    def events(call_ids: list[str]) -> list[Json]:
        lives = [events_of_life(call_id, life, harness.clock) for call_id, life in zip(call_ids, record, strict=True)]
        unknown = {"event": "call_initiated", "type": "voice", "queueId": "nowhere", "callId": f"{call_ids[0]}-x"}
        return [unknown, *(lives[call][step] for call, step in arrivals), unknown]

    one_by_one = [harness.send(event)[0].status for event in events(alone)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(record_events, "EVENTS_PER_PART", data.draw(st.integers(1, len(arrivals)), label="part"))
        in_parts = [result.status for result in harness.send(*events(together))]
    assert in_parts == one_by_one
    for left, right in zip(alone, together, strict=True):
        assert record_of(harness, right) == record_of(harness, left)
    harness.assert_no_orphans()


def record_of(harness: Harness, call_id: str) -> Json | None:
    """None of a call that has not begun: events wait for its beginning."""
    return outcome(harness, call_id) if harness.reads.call(call_id) else None


def in_order(harness: Harness, events: list[Json], life: list[tuple[float, Json]]) -> None:
    """Each event when it happens, with a sweep every second, as on a floor without trouble."""
    harness.clock.go_to(0)
    for (seconds, _), event in zip(life, events, strict=True):
        while (harness.clock.now() - harness.clock.at(0)).total_seconds() + 1 < seconds:
            harness.clock.sleep(1)
            sweep_all(harness)
        harness.clock.go_to(seconds)
        is_taken = harness.send(event)[0].status == 201
        assert is_taken or "sequence" not in event, event
        assume(is_taken)  # the order of two calls within one second may be unknown
    harness.clock.go_to(LATE + 200)
    sweep_all(harness)


def split(events: list[Json], data: st.DataObject) -> Iterator[list[Json]]:
    while events:
        size = data.draw(st.integers(1, len(events)), label="batch")
        yield events[:size]
        events = events[size:]


def send(harness: Harness, batch: list[Json], channel: str) -> None:
    """Over REST as one batch, or from the queue as a message each."""
    results = harness.send(*batch) if channel == "rest" else [harness.send(event)[0] for event in batch]
    assert {result.status for result in results} <= {200, 201, 202}, [r.body for r in results if r.status > 202]
