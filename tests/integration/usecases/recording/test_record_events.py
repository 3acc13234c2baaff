"""The recorder on real Postgres: what each event leaves on record, in whatever order it comes."""

from typing import Any

import pytest

from shared.contracts.base import rfc3339
from shared.contracts.problems import Problem
from tests.support.calls import BASIC_EVENTS
from tests.support.harness import Harness, answer_of


def problem_of(result: Any) -> Problem:
    assert isinstance(result.body, Problem)
    return result.body


def test_the_five_seed_events_are_recorded_as_they_are(harness: Harness) -> None:
    statuses = []
    for second, event in enumerate(BASIC_EVENTS):
        harness.clock.go_to(second)
        (result,) = harness.send(event)
        assert isinstance(result.body, dict)
        statuses.append((result.status, result.body["outcome"], answer_of(result)["call"]["status"]))

    assert statuses == [
        (201, "applied", "waiting"),
        (201, "applied", "waiting"),
        (201, "applied", "active"),
        (201, "applied", "on_hold"),
        (201, "applied", "ended"),
    ]
    call = harness.call()
    assert (call["waitSeconds"], call["holdSeconds"], call["durationSeconds"]) == (8, 20, 95)
    assert (call["agentId"], call["endReason"], call["flags"], call["version"]) == (
        "interpreter-01",
        "completed",
        [],
        5,
    )
    assert call["startTime"] == "2026-01-31T12:00:00.000Z"
    assert harness.history() == [(event["event"], False) for event in BASIC_EVENTS]
    assert [name for _, name in harness.published.events()] == [event["event"] for event in BASIC_EVENTS]
    assert harness.rows("select kind from timers") == [{"kind": "wrap_up"}]
    assert len(harness.rows("select * from outbox")) == 5


def life_at_two_instants(harness: Harness, call_id: str) -> list[dict[str, Any]]:
    """Eight events that a phone system with whole seconds and no sequence may send, in the order of their arrival."""
    sent: list[tuple[float, str, dict[str, Any]]] = [
        (0, "call_initiated", {"type": "voice", "queueId": "medical_spanish"}),
        (0, "call_routed", {"agentId": "interpreter-01", "routingTime": 1}),
        (0, "call_answered", {"waitTime": 0}),
        (1, "call_transferred", {"queueId": "medical_spanish"}),
        (1, "call_hold", {"holdDuration": 0}),
        (1, "call_routed", {"agentId": "interpreter-02", "routingTime": 1}),
        (1, "call_answered", {"waitTime": 0}),
        (0, "call_hold", {"holdDuration": 0}),
    ]
    return [
        {
            "event": name,
            "callId": call_id,
            "eventId": f"{call_id}.{number}",
            "occurredAt": rfc3339(harness.clock.at(second)),
        }
        | fields
        for number, (second, name, fields) in enumerate(sent)
    ]


def test_a_batch_has_the_results_of_its_events_sent_alone(harness: Harness) -> None:
    harness.clock.go_to(60)
    alone = [harness.send(event)[0] for event in life_at_two_instants(harness, "alone")]
    batch = harness.send(*life_at_two_instants(harness, "batch"))
    assert [result.status for result in batch] == [result.status for result in alone] == [201] * 8
    assert [answer_of(result)["outcome"] for result in batch] == [answer_of(result)["outcome"] for result in alone]
    without_id = [{**harness.call(call_id), "id": None} for call_id in ("alone", "batch")]
    assert without_id[0] == without_id[1]
    assert harness.history("alone") == harness.history("batch")


def test_a_batch_and_its_replay_return_the_final_calls(harness: Harness) -> None:
    batch = [event | {"eventId": str(number)} for number, event in enumerate(BASIC_EVENTS)]
    first, again = harness.send(*batch), harness.send(*batch)
    assert [result.status for result in (*first, *again)] == [201] * 5 + [200] * 5
    assert all(answer_of(result)["call"] == harness.call() for result in (*first, *again))


def test_the_agent_follows_the_call(harness: Harness) -> None:
    seen = []
    for second, event in enumerate(BASIC_EVENTS):
        harness.clock.go_to(second)
        harness.send(event)
        seen.append(harness.agent("interpreter-01"))
    assert seen == [
        ("available", None),
        ("offered", "call-1"),
        ("on_call", "call-1"),
        ("on_call", "call-1"),
        ("wrap_up", "call-1"),
    ]
    harness.clock.go_to(4 + 20)
    assert harness.sweep() == 1
    assert harness.agent("interpreter-01") == ("available", None)


def test_an_unanswered_offer_is_rerouted_and_flags_the_wait(harness: Harness) -> None:
    harness.send(*BASIC_EVENTS[:2])
    harness.clock.go_to(14.9)
    assert harness.sweep() == 0
    harness.clock.go_to(15.2)
    assert harness.sweep() == 1

    call = harness.call()
    assert call["flags"] == ["rerouted"]
    second_agent = call["offer"]["agentId"]
    assert second_agent != "interpreter-01"
    assert call["offer"]["attempt"] == 2
    assert harness.agent("interpreter-01") == ("away", "call-1")
    assert harness.agent(second_agent) == ("offered", "call-1")

    harness.clock.go_to(31)
    assert harness.sweep() == 2  # the wait of 30 s, and the second offer, made at 15.2 s
    assert harness.call()["flags"] == ["sla_breached", "rerouted"]
    assert harness.history() == [
        ("call_initiated", False),
        ("call_routed", False),
        ("answer_timed_out", False),
        ("call_rerouted", False),
        ("sla_breached", False),
        ("answer_timed_out", False),
        ("call_rerouted", False),
    ]


def test_a_late_answer_voids_the_reroute_and_frees_its_agents(harness: Harness) -> None:
    harness.send(*BASIC_EVENTS[:2])
    harness.clock.go_to(15.1)
    harness.sweep()
    second_agent = harness.call()["offer"]["agentId"]

    harness.clock.go_to(16)
    result = harness.one("call_answered", waitTime=14, occurredAt="2026-01-31T12:00:14Z")

    assert result.status == 201
    assert harness.call()["agentId"] == "interpreter-01"
    assert harness.call()["flags"] == []
    assert harness.agent("interpreter-01") == ("on_call", "call-1")
    assert harness.agent(second_agent) == ("available", None)
    assert harness.history() == [
        ("call_initiated", False),
        ("call_routed", False),
        ("call_answered", False),
        ("answer_timed_out", True),
        ("call_rerouted", True),
    ]


def test_a_hold_that_lasts_too_long_is_flagged_live(harness: Harness) -> None:
    harness.send(*BASIC_EVENTS[:3])
    harness.clock.go_to(10)
    harness.one("call_hold", holdDuration=0)
    harness.clock.go_to(69)
    assert harness.sweep() == 0
    harness.clock.go_to(70.5)
    assert harness.sweep() == 1
    assert harness.call()["flags"] == ["hold_exceeded"]
    harness.clock.go_to(80)
    harness.one("call_resumed")
    assert harness.call()["holdSeconds"] == 70


def test_an_early_event_is_deferred_until_its_predecessor(harness: Harness) -> None:
    answered = {**BASIC_EVENTS[2], "occurredAt": "2026-01-31T12:00:08Z"}
    routed = {**BASIC_EVENTS[1], "occurredAt": "2026-01-31T12:00:02Z"}
    initiated = {**BASIC_EVENTS[0], "occurredAt": "2026-01-31T12:00:00Z"}
    outcomes = []
    for second, event in enumerate([answered, routed, initiated]):
        harness.clock.go_to(9 + second)
        (result,) = harness.send(event)
        assert isinstance(result.body, dict)
        outcomes.append((result.status, result.body["outcome"]))

    assert outcomes == [(202, "deferred"), (202, "deferred"), (201, "applied")]
    assert harness.call()["status"] == "active"
    assert [name for name, _ in harness.history()] == ["call_initiated", "call_routed", "call_answered"]
    assert harness.rows("select kind from timers") == []


def test_a_deferred_event_is_given_up_when_its_grace_ends(harness: Harness) -> None:
    harness.one("call_answered", waitTime=3)
    harness.clock.go_to(61)
    assert harness.sweep() == 1
    assert harness.rows("select state, reason from events") == [
        {"state": "dead", "reason": "Its predecessor never came."}
    ]
    assert harness.rows("select * from timers") == []


def test_a_call_with_only_deferred_events_is_not_shown(harness: Harness) -> None:
    harness.one("call_answered", waitTime=3)
    assert harness.reads.call("call-1") is None


@pytest.mark.parametrize(
    ("first", "second", "status", "field"),
    [
        pytest.param(BASIC_EVENTS[0], BASIC_EVENTS[0] | {"type": "video"}, 409, "event", id="a call begins once"),
        pytest.param(
            BASIC_EVENTS[0],
            {**BASIC_EVENTS[0], "queueId": "nowhere", "callId": "c-2"},
            400,
            "queueId",
            id="unknown queue",
        ),
    ],
)
def test_an_illegal_event_is_refused_by_name(
    harness: Harness, first: dict[str, Any], second: dict[str, Any], status: int, field: str
) -> None:
    harness.send(first)
    harness.clock.go_to(1)
    (result,) = harness.send(second)
    assert problem_of(result).status == status
    assert problem_of(result).errors[0].field == field
    assert len(harness.rows("select * from events")) == 1


def test_nothing_follows_the_end(harness: Harness) -> None:
    harness.send(*BASIC_EVENTS)
    harness.clock.go_to(200)
    refused = problem_of(harness.one("call_hold", holdDuration=0))
    assert refused.status == 409
    assert "ended" in refused.detail
    assert "call_hold" in refused.detail


def test_a_replay_changes_nothing(harness: Harness) -> None:
    named = BASIC_EVENTS[0] | {"eventId": "sender-1"}
    (first,) = harness.send(named)
    (again,) = harness.send(named)
    assert (first.status, again.status) == (201, 200)
    assert isinstance(again.body, dict)
    assert again.body["outcome"] == "replayed"
    assert harness.call()["version"] == 1

    (other,) = harness.send(BASIC_EVENTS[0] | {"eventId": "sender-1", "type": "video"})
    assert problem_of(other).status == 422


def test_without_an_id_only_the_latest_event_can_be_replayed(harness: Harness) -> None:
    harness.send(*BASIC_EVENTS[:3])
    hold = {"event": "call_hold", "callId": "call-1", "holdDuration": 10}
    harness.clock.go_to(10)
    assert [result.status for result in harness.send(hold, hold)] == [201, 200]
    harness.clock.go_to(30)
    harness.one("call_resumed")
    harness.clock.go_to(40)
    assert harness.send(hold)[0].status == 201
    assert harness.call()["holdSeconds"] == 30


def test_history_moves_no_agents_and_starts_no_timers(harness: Harness) -> None:
    dated = [event | {"occurredAt": f"1999-08-01T07:00:{second:02}Z"} for second, event in enumerate(BASIC_EVENTS)]
    results = harness.send(*dated, history=True)
    assert [result.status for result in results] == [201] * 5
    assert harness.agent("interpreter-01") == ("available", None)
    assert harness.rows("select * from timers") == []
    assert harness.call()["status"] == "ended"


def test_one_bad_event_in_a_batch_spoils_no_other(harness: Harness) -> None:
    results = harness.send(
        BASIC_EVENTS[0], {"event": "call_answered", "callId": "call-1", "waitTime": -1}, BASIC_EVENTS[1]
    )
    assert [result.status for result in results] == [201, 400, 201]
    assert problem_of(results[1]).errors[0].field == "waitTime"


def test_a_call_without_an_agent_gets_the_next_free_one(harness: Harness) -> None:
    harness.rows("update agents set status = 'offline', status_since = '2026-01-01' where id <> 'interpreter-01'")
    harness.send(*BASIC_EVENTS[:2])
    harness.clock.go_to(15.1)
    harness.sweep()
    assert harness.call()["offer"] is None
    assert harness.offer_waiting() == 0

    harness.clock.go_to(17)
    (result,) = harness.send({"event": "agent_status_changed", "agentId": "interpreter-02", "status": "available"})
    assert result.status == 201
    assert harness.call()["offer"]["agentId"] == "interpreter-02"
    assert harness.agent("interpreter-02") == ("offered", "call-1")


def test_the_initiation_is_listed_first_despite_other_clocks(harness: Harness) -> None:
    harness.one("call_initiated", type="voice", queueId="medical_spanish", occurredAt="2026-01-31T12:00:00.500Z")
    harness.one("call_routed", agentId="interpreter-01", routingTime=1, occurredAt="2026-01-31T11:59:59Z")
    assert [name for name, _ in harness.history()] == ["call_initiated", "call_routed"]


def test_a_flood_of_one_kind_of_timer_does_not_starve_another(harness: Harness) -> None:
    harness.send(*(BASIC_EVENTS[0] | {"callId": f"flood-{n}"} for n in range(20)))
    harness.send(*BASIC_EVENTS[:3], {"event": "call_hold", "callId": "call-1", "holdDuration": 0})
    harness.clock.go_to(100)
    harness.fire_due_timers(limit=5)
    assert harness.call()["flags"] == ["hold_exceeded"]
    assert len(harness.rows("select * from calls where state->>'sla_breached_at' is not null")) == 5


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
def test_an_event_made_illegal_later_becomes_a_dead_letter(harness: Harness, together: bool) -> None:
    times = [
        (0, BASIC_EVENTS[0]),
        (1, BASIC_EVENTS[1]),
        (2, BASIC_EVENTS[2]),
        (8, BASIC_EVENTS[3]),
        (5, BASIC_EVENTS[4]),
    ]  # held after its end
    events = [event | {"occurredAt": rfc3339(harness.clock.at(second))} for second, event in times]
    harness.clock.go_to(10)
    results = harness.send(*events) if together else [harness.send(event)[0] for event in events]
    assert [result.status for result in results] == [201] * 5
    assert (harness.call()["status"], harness.call()["holdSeconds"]) == ("ended", 0)
    assert [name for name, _ in harness.history()] == [
        event["event"] for event in BASIC_EVENTS if event["event"] != "call_hold"
    ]
    (given_up,) = harness.rows("select name, reason, failed_at from events where state = 'dead'")
    assert (given_up["name"], given_up["failed_at"].replace(microsecond=0)) == ("call_hold", harness.clock.now())
    assert given_up["reason"].startswith("Not possible beside call_ended")
