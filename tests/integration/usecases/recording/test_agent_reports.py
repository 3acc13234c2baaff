"""What agents say of themselves, in any order and any number of copies: the last thing said holds."""

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
SAID = st.sampled_from(["available", "away", "offline"])
# Seconds after the agent was put there, from a clock that knows seconds only.
reports = st.lists(st.tuples(st.integers(1, 3), SAID), min_size=1, max_size=5)


def told(floor: Harness, agent_id: str, said: list[tuple[int, str]]) -> list[dict[str, Any]]:
    return [
        {
            "event": "agent_status_changed", "agentId": agent_id, "status": status, "reason": f"number {number}",
            "eventId": f"{agent_id}.{number}", "sequence": number, "occurredAt": floor.clock.at(second).isoformat(),
        }
        for number, (second, status) in enumerate(sorted(said, key=lambda one: one[0]))
    ]  # fmt: skip


def introduced(floor: Harness, on_call: bool) -> str:
    """An agent who was there before, free or talking."""
    number = next(_numbers)
    agent_id, call_id = f"agent-{number}", f"talk-{number}"
    floor.rows(
        "insert into agents (id, name, status, status_since) values (%s, 'A', 'available', '2026-01-01')", agent_id
    )
    if on_call:
        floor.clock.go_to(0)
        floor.send(
            {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": "medical_spanish"},
            {"event": "call_routed", "callId": call_id, "agentId": agent_id, "routingTime": 1},
            {"event": "call_answered", "callId": call_id, "waitTime": 1},
        )
    return agent_id


def standing(floor: Harness, agent_id: str) -> tuple[Any, ...]:
    (row,) = floor.rows(
        "select status, status_since, reason, next_status, next_reason from agents where id = %s", agent_id
    )
    if row["status"] != "on_call":
        return row["status"], row["status_since"], row["reason"]
    return row["status"], row["next_status"], row["next_reason"]


@pytest.mark.parametrize("on_call", [False, True], ids=["free", "on a call"])
@given(said=reports, data=st.data())
def test_the_latest_report_holds_in_any_order_of_arrival(
    floor: Harness, on_call: bool, said: list[tuple[int, str]], data: st.DataObject
) -> None:
    in_order, shuffled = introduced(floor, on_call), introduced(floor, on_call)
    floor.clock.go_to(10)
    for event in told(floor, in_order, said):
        assert floor.send(event)[0].status in (201, 202)
    events = told(floor, shuffled, said)
    copies = data.draw(st.lists(st.sampled_from(events), max_size=3), label="copies")
    for event in data.draw(st.permutations(events + copies), label="arrivals"):
        assert floor.send(event)[0].status in (200, 201, 202)
    assert standing(floor, shuffled) == standing(floor, in_order)
    if not on_call:
        assert standing(floor, in_order)[0] == sorted(said, key=lambda one: one[0])[-1][1]
        floor.keep_time()
        for agent_id in (in_order, shuffled):
            (last,) = floor.rows(_LAST, agent_id)
            assert last["status"] == standing(floor, agent_id)[0], "agents' time is of one mind with the floor"


def test_an_older_report_does_not_hold_after_the_call(floor: Harness) -> None:
    agent_id = introduced(floor, on_call=True)
    floor.clock.go_to(10)
    away, back = told(floor, agent_id, [(2, "away"), (3, "available")])
    for event in (back, away):
        floor.send(event)
    call_id = floor.agent(agent_id)[1]
    floor.one("call_ended", call_id or "", endReason="completed", duration=9)
    floor.clock.go_to(60)
    floor.sweep()
    assert floor.agent(agent_id)[0] == "available"


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


@given(said=st.lists(st.tuples(st.integers(1, 9), SAID), max_size=4), talked=talks(), data=st.data())
def test_reports_around_a_call_hold_in_any_order(
    floor: Harness, said: list[tuple[int, str]], talked: list[tuple[int, list[dict[str, Any]]]], data: st.DataObject
) -> None:
    """The floor comes to be of one mind with agents' time, which follows both in the order of time.

    Nobody says two things while the phone rings: what a miss would have made of the agent is not kept beside the first.
    """
    (begun, begins), (over, _) = talked
    assume(len(begins) == 3 or sum(begun < second <= over for second, _ in said) < 2)
    set_up(floor, "at-once")
    set_up(floor, "wraps-up", wrapUpSeconds=2)
    agent_id = introduced(floor, on_call=False)
    reports = [[report] for report in told(floor, agent_id, said)]
    talk = [[of_agent(floor, agent_id, second, event) for event in part] for second, part in talked]
    floor.clock.go_to(data.draw(st.sampled_from([10, 30]), label="before or after a ring lapses"))
    for batch in data.draw(st.permutations(reports + talk), label="arrivals"):
        assert all(result.status in (201, 202) for result in floor.send(*batch))
        if data.draw(st.booleans(), label="a sweep comes by"):
            floor.sweep()
    floor.clock.sleep(200)  # what waited for nothing is given up
    floor.sweep()
    floor.keep_time()
    (last,) = floor.rows(_LAST, agent_id) or [{"status": "available"}]
    assert floor.agent(agent_id)[0] == last["status"]


def of_agent(floor: Harness, agent_id: str, second: int, event: dict[str, Any]) -> dict[str, Any]:
    own = {"callId": f"{agent_id}-talk", "occurredAt": floor.clock.at(second).isoformat()}
    return event | own | ({"agentId": agent_id} if event["event"] in ("call_routed", "call_no_answer") else {})


def test_an_event_id_used_by_two_agents_is_refused(
    floor: Harness, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"event": "agent_status_changed", "status": "away", "eventId": "one"}
    other, placed = Harness(database_url, floor.clock), agents._placed

    def placed_late(*told: Any) -> Any:
        monkeypatch.undo()
        assert other.send(said | {"agentId": "interpreter-02"})[0].status == 201
        return placed(*told)

    monkeypatch.setattr(agents, "_placed", placed_late)
    assert floor.send(said | {"agentId": "interpreter-01"})[0].status == 422
    other.close()
