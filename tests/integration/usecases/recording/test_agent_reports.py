"""Reports of agents, in any order and any number of copies: the latest report holds."""

from itertools import count
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.adapters.postgres.figures.agent_time_sums import LAST_FIRST
from shared.adapters.postgres.recording import agents
from tests.support.harness import Harness
from tests.support.routing import set_up

_numbers = count()
_LAST = f"select status from agent_intervals s where agent_id = %s order by {LAST_FIRST} limit 1"  # noqa: S608 - our words
STATUSES = st.sampled_from(["available", "away", "offline"])
# Seconds after the agent was put there, from a clock that knows seconds only.
reports = st.lists(st.tuples(st.integers(1, 3), STATUSES), min_size=1, max_size=5)


def events_for(harness: Harness, agent_id: str, statuses: list[tuple[int, str]]) -> list[dict[str, Any]]:
    return [
        {
            "event": "agent_status_changed", "agentId": agent_id, "status": status, "reason": f"number {number}",
            "eventId": f"{agent_id}.{number}", "sequence": number, "occurredAt": harness.clock.at(second).isoformat(),
        }
        for number, (second, status) in enumerate(sorted(statuses, key=lambda one: one[0]))
    ]  # fmt: skip


def introduced(harness: Harness, on_call: bool) -> str:
    """An agent who was there before, free or talking."""
    number = next(_numbers)
    agent_id, call_id = f"agent-{number}", f"talk-{number}"
    harness.rows(
        "insert into agents (id, name, status, status_since) values (%s, 'A', 'available', '2026-01-01')", agent_id
    )
    if on_call:
        harness.clock.go_to(0)
        harness.send(
            {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": "medical_spanish"},
            {"event": "call_routed", "callId": call_id, "agentId": agent_id, "routingTime": 1},
            {"event": "call_answered", "callId": call_id, "waitTime": 1},
        )
    return agent_id


def standing(harness: Harness, agent_id: str) -> tuple[Any, ...]:
    (row,) = harness.rows(
        "select status, status_since, reason, next_status, next_reason from agents where id = %s", agent_id
    )
    if row["status"] != "on_call":
        return row["status"], row["status_since"], row["reason"]
    return row["status"], row["next_status"], row["next_reason"]


@pytest.mark.parametrize("on_call", [False, True], ids=["free", "on a call"])
@given(statuses=reports, data=st.data())
def test_the_latest_report_holds_in_any_order_of_arrival(
    harness: Harness, on_call: bool, statuses: list[tuple[int, str]], data: st.DataObject
) -> None:
    in_order, shuffled = introduced(harness, on_call), introduced(harness, on_call)
    harness.clock.go_to(10)
    for event in events_for(harness, in_order, statuses):
        assert harness.send(event)[0].status in (201, 202)
    events = events_for(harness, shuffled, statuses)
    copies = data.draw(st.lists(st.sampled_from(events), max_size=3), label="copies")
    for event in data.draw(st.permutations(events + copies), label="arrivals"):
        assert harness.send(event)[0].status in (200, 201, 202)
    assert standing(harness, shuffled) == standing(harness, in_order)
    if not on_call:
        assert standing(harness, in_order)[0] == sorted(statuses, key=lambda one: one[0])[-1][1]
        harness.update_agent_time()
        for agent_id in (in_order, shuffled):
            (last,) = harness.rows(_LAST, agent_id)
            assert last["status"] == standing(harness, agent_id)[0], "agents' time is of one mind with the floor"


def test_an_older_report_does_not_hold_after_the_call(harness: Harness) -> None:
    agent_id = introduced(harness, on_call=True)
    harness.clock.go_to(10)
    away, back = events_for(harness, agent_id, [(2, "away"), (3, "available")])
    for event in (back, away):
        harness.send(event)
    call_id = harness.agent(agent_id)[1]
    harness.one("call_ended", call_id or "", endReason="completed", duration=9)
    harness.clock.go_to(60)
    harness.sweep()
    assert harness.agent(agent_id)[0] == "available"


@st.composite
def talks(draw: st.DrawFn) -> list[tuple[int, list[dict[str, Any]]]]:
    """A call, answered and ended, or missed: how it begins, and how it ends."""
    queue, is_answered = draw(st.sampled_from(["at-once", "wraps-up"])), draw(st.booleans())
    begins: list[dict[str, Any]] = [
        {"event": "call_initiated", "type": "voice", "queueId": queue},
        {"event": "call_routed", "routingTime": 0},
    ]
    answer = {"event": "call_answered", "waitTime": 0}
    ends = {"event": "call_ended", "endReason": "completed", "duration": 1}
    begun = draw(st.integers(1, 4))
    over = begun + draw(st.integers(1, 4))
    if is_answered:
        return [(begun, [*begins, answer]), (over, [ends])]
    return [(begun, begins), (over, [{"event": "call_no_answer"}])]


@given(statuses=st.lists(st.tuples(st.integers(1, 9), STATUSES), max_size=4), talked=talks(), data=st.data())
def test_reports_around_a_call_hold_in_any_order(
    harness: Harness,
    statuses: list[tuple[int, str]],
    talked: list[tuple[int, list[dict[str, Any]]]],
    data: st.DataObject,
) -> None:
    """The floor comes to be of one mind with agents' time, which follows both in the order of time.

    No agent reports twice during an offer: the record has no room for the result of a miss beside the first report.
    """
    (begun, begins), (over, _) = talked
    assume(len(begins) == 3 or sum(begun < second <= over for second, _ in statuses) < 2)
    set_up(harness, "at-once")
    set_up(harness, "wraps-up", wrapUpSeconds=2)
    agent_id = introduced(harness, on_call=False)
    reports = [[report] for report in events_for(harness, agent_id, statuses)]
    talk = [[of_agent(harness, agent_id, second, event) for event in part] for second, part in talked]
    harness.clock.go_to(data.draw(st.sampled_from([10, 30]), label="before or after a ring lapses"))
    for batch in data.draw(st.permutations(reports + talk), label="arrivals"):
        assert all(result.status in (201, 202) for result in harness.send(*batch))
        if data.draw(st.booleans(), label="a sweep comes by"):
            harness.sweep()
    harness.clock.sleep(200)  # what waited for nothing is given up
    harness.sweep()
    harness.update_agent_time()
    (last,) = harness.rows(_LAST, agent_id) or [{"status": "available"}]
    assert harness.agent(agent_id)[0] == last["status"]


def of_agent(harness: Harness, agent_id: str, second: int, event: dict[str, Any]) -> dict[str, Any]:
    own = {"callId": f"{agent_id}-talk", "occurredAt": harness.clock.at(second).isoformat()}
    return event | own | ({"agentId": agent_id} if event["event"] in ("call_routed", "call_no_answer") else {})


def test_an_event_id_used_by_two_agents_is_refused(
    harness: Harness, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = {"event": "agent_status_changed", "status": "away", "eventId": "one"}
    other, placed = Harness(database_url, harness.clock), agents._with_time

    def placed_late(*events_for: Any) -> Any:
        monkeypatch.undo()
        assert other.send(statuses | {"agentId": "interpreter-02"})[0].status == 201
        return placed(*events_for)

    monkeypatch.setattr(agents, "_with_time", placed_late)
    assert harness.send(statuses | {"agentId": "interpreter-01"})[0].status == 422
    other.close()
