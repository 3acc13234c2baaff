"""Two calls and four agents that cross each other in any order: the records of calls and agents agree."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.agent import ENGAGED
from shared.domain.call import Call, Status
from shared.domain.deadlines import required_timers
from shared.usecases.recording.call_change import agent_of
from shared.usecases.recording.rebuild_call import differences
from tests.support.examples import examples
from tests.support.harness import Harness
from tests.support.routing import set_up

Json = dict[str, Any]
_numbers = count()
CALLS, AGENTS = ("c", "d"), ("ana", "bea", "cem", "dora")
PATIENCE = 400  # seconds, after which everything that was owed has fallen due

calls, agents, queues = st.sampled_from(CALLS), st.sampled_from(AGENTS), st.sampled_from(["day", "night"])
# Each of these may come at any time, whether or not it makes sense.
FIELDS: dict[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "call_initiated": {"type": st.just("voice"), "queueId": queues},
    "call_routed": {"agentId": agents, "routingTime": st.just(0)},
    "call_no_answer": {"agentId": agents},
    "call_answered": {"waitTime": st.just(1)},
    "call_hold": {"holdDuration": st.sampled_from([0, 5])},
    "call_resumed": {},
    "call_transferred": {"queueId": queues},
    "call_ended": {"endReason": st.sampled_from(["completed", "abandoned"]), "duration": st.just(1)},
}
events = st.one_of([
    st.fixed_dictionaries({"event": st.just(event), "callId": calls, **fields}) for event, fields in FIELDS.items()
])  # fmt: skip
reports = st.fixed_dictionaries({
    "event": st.just("agent_status_changed"), "agentId": agents, "status": st.sampled_from(["available", "away"]),
})  # fmt: skip
ages = st.one_of(st.none(), st.integers(0, 40))  # seconds ago, or undated
batches = st.lists(st.tuples(st.one_of(events, events, reports), ages), min_size=1, max_size=3)
steps = st.lists(st.tuples(batches, st.integers(0, 20), st.booleans()), min_size=3, max_size=14)


@examples(quick=15, deep=150)  # each of up to 14 steps
@given(taken=steps)
def test_calls_and_agents_agree_for_any_events(
    harness: Harness, taken: list[tuple[list[tuple[Json, int | None]], int, bool]]
) -> None:
    run = next(_numbers)
    begin(harness, run)
    for batch, seconds, sweeps in taken:
        harness.clock.sleep(seconds)
        results = harness.send(*[of_run(harness, run, event, age) for event, age in batch])
        assert all(result.status < 500 for result in results), results
        if sweeps:
            harness.sweep()
        assert_of_one_mind(harness, run)
    harness.clock.sleep(PATIENCE)
    harness.sweep()
    assert_of_one_mind(harness, run)
    harness.assert_no_orphans()


def begin(harness: Harness, run: int) -> None:
    """Queues of its own and agents who are free in one of them; what other examples left does nothing any more."""
    harness.rows("update agents set status = 'offline', queues = '{}'")
    harness.rows("delete from timers")
    harness.rows("delete from agent_events")
    harness.clock.sleep(PATIENCE)
    set_up(harness, f"day{run}")
    set_up(harness, f"night{run}", routing="switchboard", wrapUpSeconds=10)
    harness.rows(
        "insert into agents (id, name, queues, status, status_since)"
        " select id, id, array[%s], 'available', %s from unnest(%s::text[]) id",
        f"night{run}", harness.clock.at(0), [f"{agent}{run}" for agent in AGENTS],
    )  # fmt: skip


def of_run(harness: Harness, run: int, event: Json, age: int | None) -> Json:
    own = {
        name: f"{value}{run}" if name in ("callId", "agentId", "queueId") else value for name, value in event.items()
    }
    if age is None:
        return own
    return own | {
        "occurredAt": harness.clock.at((harness.clock.now() - harness.clock.at(0)).total_seconds() - age).isoformat()
    }


def assert_of_one_mind(harness: Harness, run: int) -> None:
    """Each call is what its events make of it and owes what it should; each agent is where the calls say."""
    held = calls_of(harness, run)
    rows = harness.rows(
        "select id, status, call_id, case when second_status <> 'wrap_up' then second_call_id end as second_call_id"
        " from agents where id = any(%s)",
        [f"{a}{run}" for a in AGENTS],
    )
    for agent in rows:
        having = {call.id for call in held if agent_of(call) == agent["id"] and call.status is not Status.ENDED}
        engaged = agent["status"] in ENGAGED
        recorded = {agent["call_id"], agent["second_call_id"]} - {None} if engaged else set[str]()
        assert recorded == having, agent
        if engaged:
            (call,) = [call for call in held if call.id == agent["call_id"]]
            assert agent["status"] == ("offered" if call.offer else "on_call"), agent


def calls_of(harness: Harness, run: int) -> list[Call]:
    ids = [f"{call}{run}" for call in CALLS]
    with harness.services.transactions.begin() as unit_of_work:
        records, logs = unit_of_work.load(ids, (), ()).records, unit_of_work.logs(ids)
    for call_id, record in records.items():
        assert differences(record, logs.get(call_id, [])) == []
        armed = harness.rows("select kind, due_at from timers where call_id = %s and kind <> 'deferred'", call_id)
        owed = {
            (kind.value, due_at)
            for kind, due_at in required_timers(record.call).items()
            if due_at > harness.clock.now()
        }
        assert owed <= {(timer["kind"], timer["due_at"]) for timer in armed}, "each deadline has a timer"
    return [record.call for record in records.values() if record.call]
