"""Calls, agents and their reports that cross each other: out of order, in one instant, in one batch, or in truth."""

from typing import Any

import pytest

from infra.database import rebuild
from tests.support.harness import Harness
from tests.support.routing import arrive, set_up

Json = dict[str, Any]
FIELDS: dict[str, Json] = {
    "call_initiated": {"type": "voice", "queueId": "day"},
    "call_routed": {"routingTime": 0},
    "call_answered": {"waitTime": 1},
    "call_ended": {"endReason": "abandoned", "duration": 1},
}


@pytest.fixture
def day(night: Harness) -> Harness:
    """Beside the queue that Switchboard routes, two that telephony does."""
    for queue_id in ("day", "other"):
        set_up(night, queue_id)
    return night


def event_of(harness: Harness, event: str, call_id: str = "c1", at: float | None = None, **fields: Any) -> Json:
    dated = {} if at is None else {"occurredAt": harness.clock.at(at).isoformat()}
    return {"event": event, "callId": call_id, **FIELDS.get(event, {}), **dated, **fields}


def tell(harness: Harness, event: str, call_id: str = "c1", at: float | None = None, **fields: Any) -> None:
    (result,) = harness.send(event_of(harness, event, call_id, at, **fields))
    assert result.status in (201, 202), result.body


def report(harness: Harness, agent_id: str, status: str, at: float | None = None) -> None:
    dated = {} if at is None else {"occurredAt": harness.clock.at(at).isoformat()}
    harness.send({"event": "agent_status_changed", "agentId": agent_id, "status": status, **dated})


@pytest.fixture
def gone_on(day: Harness) -> Harness:
    """Its answer and its transfer came first and waited; the offer that releases them claims ana."""
    set_up(day, "day2", routing="switchboard")
    arrive(day, "ana", "night")
    day.clock.go_to(1)
    tell(day, "call_answered")
    tell(day, "call_transferred", queueId="day2")
    tell(day, "call_initiated", queueId="night")
    return day


def test_an_agent_is_free_when_the_call_went_past_the_offer(gone_on: Harness) -> None:
    assert gone_on.call("c1")["queueId"] == "day2"
    assert gone_on.agent("ana")[0] == "available"


def test_a_call_past_its_offer_can_be_routed_again(gone_on: Harness) -> None:
    harness = gone_on
    harness.clock.go_to(2)
    tell(harness, "call_routed", agentId="zoe")
    for agent_id in ("dora", "eve"):
        arrive(harness, agent_id, "day2")
    tell(harness, "call_initiated", "c2", queueId="day2")
    assert harness.call("c2")["offer"]
    tell(harness, "call_initiated", "c3")
    harness.clock.go_to(40)
    harness.sweep()
    assert harness.call("c3")["flags"] == ["sla_breached"]


def test_a_deferred_answer_frees_the_agent_claimed_before_it(day: Harness) -> None:
    day.clock.go_to(1)
    tell(day, "call_answered", agentId="bea")
    tell(day, "call_initiated", queueId="night")
    arrive(day, "ana")
    assert (day.agent("bea"), day.agent("ana")[0]) == (("on_call", "c1"), "available")


def test_news_of_an_old_call_keeps_an_offline_agent_offline(day: Harness) -> None:
    arrive(day, "ana")
    day.clock.go_to(100)
    report(day, "ana", "offline", at=100)
    day.clock.go_to(200)
    tell(day, "call_initiated", at=1)
    tell(day, "call_routed", at=2, agentId="ana")
    tell(day, "call_answered", at=3)
    assert day.agent("ana") == ("on_call", "c1"), "as far as is known"
    tell(day, "call_ended", at=50)
    assert day.agent("ana")[0] == "offline"
    assert day.rows("select status_since from agents where id = 'ana'") == [{"status_since": day.clock.at(100)}]


@pytest.mark.parametrize("in_order", [True, False], ids=["rung while talking", "the end is heard of last"])
def test_an_agent_of_two_calls_keeps_the_one_that_goes_on(day: Harness, in_order: bool) -> None:
    arrive(day, "ana", "night")
    day.clock.go_to(12)
    tell(day, "call_initiated", at=1)
    tell(day, "call_routed", at=2, agentId="ana")
    tell(day, "call_answered", at=3)
    tell(day, "call_initiated", "c2", at=5)
    second = [("call_routed", 8 if in_order else 11), ("call_answered", 12)]
    tell(day, second[0][0], "c2", at=second[0][1], agentId="ana")
    assert day.agent("ana") == ("on_call", "c1")
    if in_order:
        tell(day, "call_ended", at=10)
        assert day.agent("ana") == ("offered", "c2")
        tell(day, "call_answered", "c2", at=12)
    else:
        tell(day, "call_answered", "c2", at=12)
        tell(day, "call_ended", at=10)
    day.clock.go_to(13)
    tell(day, "call_initiated", "c3", queueId="night")
    assert (day.agent("ana"), day.call("c3")["offer"]) == (("on_call", "c2"), None)
    tell(day, "call_ended", "c2")
    assert day.agent("ana")[0] == "offered", "c3 has waited"


def test_an_agent_keeps_the_first_call_when_the_second_ends(day: Harness) -> None:
    arrive(day, "ana", "night")
    tell(day, "call_initiated")
    tell(day, "call_routed", agentId="ana")
    tell(day, "call_answered")
    tell(day, "call_initiated", "c2")
    tell(day, "call_routed", "c2", agentId="ana")
    tell(day, "call_ended", "c2")
    assert day.agent("ana") == ("on_call", "c1")
    tell(day, "call_ended")
    assert day.agent("ana")[0] == "available"


def rerouted(harness: Harness) -> None:
    """ana was rung at 0.5 and lapsed at 15.5: bea is rung."""
    for agent_id in ("ana", "bea"):
        arrive(harness, agent_id, "day")
    harness.clock.go_to(0.5)
    tell(harness, "call_initiated", at=0)
    tell(harness, "call_routed", at=0.5, agentId="ana")
    harness.clock.go_to(16)
    harness.sweep()
    assert harness.agent("bea")[0] == "offered"


@pytest.mark.parametrize("transfer_first", [True, False])
def test_a_reroute_is_void_after_a_transfer_to_telephony(day: Harness, database_url: str, transfer_first: bool) -> None:
    rerouted(day)
    late: list[tuple[str, float, Json]] = [("call_answered", 5, {}), ("call_transferred", 10, {"queueId": "other"})]
    for event, at, fields in reversed(late) if transfer_first else late:
        tell(day, event, at=at, **fields)
    assert day.agent("bea")[0] == "available"
    tell(day, "call_hold", at=7, holdDuration=1)
    assert day.agent("bea")[0] == "available"
    assert [found for _, batch in rebuild.compare(database_url) for found in batch] == []


@pytest.mark.parametrize("answer_first", [True, False])
def test_a_void_timeout_holds_when_a_later_report_proves_it(
    day: Harness, database_url: str, answer_first: bool
) -> None:
    """Its answer disproves the reroute; the transfer before that leaves the call without an offer once more."""
    arrive(day, "ana", "night")
    tell(day, "call_initiated", queueId="night")
    arrive(day, "bea", "night")
    day.clock.go_to(16)
    day.sweep()
    assert day.agent("bea")[0] == "offered"
    late: list[tuple[str, float, Json]] = [("call_answered", 5, {}), ("call_transferred", 10, {"queueId": "night"})]
    for event, at, fields in late if answer_first else reversed(late):
        tell(day, event, at=at, **fields)
    assert (day.call("c1")["offer"]["agentId"], day.agent("bea")) == ("bea", ("offered", "c1"))
    assert [found for _, batch in rebuild.compare(database_url) for found in batch] == []


def test_a_timeout_does_not_end_a_later_offer(day: Harness) -> None:
    rerouted(day)
    tell(day, "call_transferred", at=10, agentId="ana")
    tell(day, "call_answered", at=5)
    assert day.rows("select misses from calls") == [{"misses": 0}]


def test_a_ring_by_transfer_forgives_the_miss_before_it(day: Harness) -> None:
    """As for any other offer: a caller who hangs up during it sends no agent away."""
    for agent_id in ("ana", "bea"):
        arrive(day, agent_id, "day")
    tell(day, "call_initiated")
    tell(day, "call_routed", agentId="ana")
    tell(day, "call_no_answer", agentId="ana")
    tell(day, "call_answered", agentId="bea")
    day.clock.go_to(7)
    report(day, "ana", "available")
    tell(day, "call_transferred", agentId="ana")
    day.clock.go_to(12)
    tell(day, "call_ended")
    assert day.agent("ana")[0] == "available"


def test_a_miss_that_telephony_confirms_counts_once(day: Harness) -> None:
    set_up(day, "day", missesBeforeAway=2)
    rerouted(day)
    assert day.agent("ana")[0] == "available"
    day.clock.go_to(17)
    tell(day, "call_no_answer", at=15.2, agentId="ana")
    assert day.rows("select status, misses from agents where id = 'ana'") == [{"status": "available", "misses": 1}]


def test_two_misses_in_one_batch_are_two(day: Harness) -> None:
    set_up(day, "day", missesBeforeAway=2)
    arrive(day, "ana", "other")
    day.clock.go_to(30)
    steps: list[tuple[str, float, Json]] = [
        ("call_initiated", 1, {}), ("call_routed", 2, {"agentId": "ana"}), ("call_no_answer", 4, {"agentId": "ana"}),
    ]  # fmt: skip
    day.send(*[
        event_of(day, event, call_id, begun + at, **fields)
        for call_id, begun in (("c1", 0), ("c2", 10))
        for event, at, fields in steps
    ])  # fmt: skip
    assert day.agent("ana")[0] == "away"


def test_a_batch_gives_an_agent_to_the_first_call(day: Harness) -> None:
    arrive(day, "ana", "day")
    day.clock.go_to(30)
    day.send(
        event_of(day, "call_initiated", at=1),
        event_of(day, "call_routed", at=2, agentId="ana"),
        event_of(day, "call_answered", at=3),
        event_of(day, "call_initiated", "c2", at=4),
        event_of(day, "call_routed", "c2", at=20, agentId="ana"),
    )
    assert day.agent("ana") == ("on_call", "c1")


def test_an_offer_is_declined_in_its_own_batch(day: Harness) -> None:
    for agent_id in ("ana", "bea"):
        arrive(day, agent_id, "day")
    declined = {"event": "agent_status_changed", "agentId": "ana", "status": "away"}
    day.send(event_of(day, "call_initiated"), event_of(day, "call_routed", agentId="ana"), declined)
    assert (day.agent("ana")[0], day.agent("bea")[0]) == ("away", "offered")


def test_an_agent_back_after_a_miss_stays_back(day: Harness) -> None:
    arrive(day, "ana", "day")
    tell(day, "call_initiated", at=0)
    tell(day, "call_routed", at=0, agentId="ana")
    day.clock.go_to(15.2)
    report(day, "ana", "available", at=15.1)
    day.clock.go_to(15.4)
    day.sweep()
    assert day.agent("ana")[0] != "away"


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "in one batch"])
def test_a_transfer_target_has_the_call_since_the_transfer(day: Harness, *, at_once: bool) -> None:
    arrive(day, "bea", "night")
    day.clock.go_to(200)
    report(day, "bea", "away", at=50)
    events = [
        event_of(day, "call_initiated", at=1),
        event_of(day, "call_routed", at=2, agentId="ana"),
        event_of(day, "call_answered", at=3),
        event_of(day, "call_transferred", at=90, agentId="bea"),
        event_of(day, "call_answered", at=100),
    ]
    for batch in [events] if at_once else [[event] for event in events]:
        day.send(*batch)
    since = "select status_since from agents where id = 'bea'"
    assert (day.agent("bea"), day.rows(since)) == (("on_call", "c1"), [{"status_since": day.clock.at(100)}])
    tell(day, "call_ended", at=150)
    seconds = "select occupied_seconds from agents where id = 'bea'"
    assert day.agent("bea")[0] == "available", "a report from before the offer is over"
    assert day.rows(seconds) == [{"occupied_seconds": 50 if at_once else 60}]


@pytest.fixture
def rung(day: Harness) -> Harness:
    """Wraps up from 10 s to 40 s, and telephony rings at 12 s."""
    set_up(day, "day", wrapUpSeconds=30, missesBeforeAway=2)
    set_up(day, "other", missesBeforeAway=1)
    arrive(day, "ana", "night")
    tell(day, "call_initiated", at=1)
    tell(day, "call_routed", at=2, agentId="ana")
    tell(day, "call_answered", at=3)
    return day


def ring_of(harness: Harness, queue_id: str = "day", *, first: bool = False) -> None:
    harness.clock.go_to(12)
    tell(harness, "call_initiated", "c2", at=11, queueId=queue_id)
    if not first:
        tell(harness, "call_ended", at=10)
    tell(harness, "call_routed", "c2", at=12, agentId="ana")
    if first:
        tell(harness, "call_ended", at=10)
    assert harness.agent("ana") == ("offered", "c2")


@pytest.mark.parametrize("first", [False, True], ids=["in order", "the ring is heard of first"])
@pytest.mark.parametrize("event", ["call_ended", "call_no_answer"])
def test_a_missed_offer_keeps_the_rest_of_a_wrap_up(rung: Harness, event: str, *, first: bool) -> None:
    ring_of(rung, first=first)
    rung.clock.go_to(15)
    tell(rung, event, "c2", agentId="ana")
    assert rung.agent("ana") == ("wrap_up", "c1")
    tell(rung, "call_initiated", "c3", queueId="night")
    rung.clock.go_to(39)
    rung.sweep()
    assert (rung.agent("ana"), rung.call("c3")["offer"]) == (("wrap_up", "c1"), None)
    rung.clock.go_to(40)
    rung.sweep()
    rung.offer_waiting()
    assert rung.agent("ana") == ("offered", "c3")
    rung.update_agent_time()
    assert spans(rung) == [
        (0, "available"), (2, "offered"), (3, "on_call"), (10, "wrap_up"), (12, "offered"), (15, "wrap_up"),
        (40, "offered"),
    ]  # fmt: skip


@pytest.mark.parametrize("event", ["call_answered", "call_no_answer", "a word"])
def test_another_call_or_a_miss_ends_the_wrap_up(rung: Harness, event: str) -> None:
    ring_of(rung, "other")
    rung.clock.go_to(15)
    if event == "a word":
        report(rung, "ana", "available")
    else:
        tell(rung, event, "c2", agentId="ana")
    rung.clock.go_to(20)
    tell(rung, "call_ended", "c2")
    expected = "away" if event == "call_no_answer" else "available"
    assert rung.agent("ana")[0] == expected
    rung.update_agent_time()
    assert spans(rung)[-1][1] == expected
    rung.clock.go_to(40)
    rung.sweep()
    assert rung.agent("ana")[0] == expected


def spans(harness: Harness) -> list[tuple[float, str]]:
    """Without those that lasted no time."""
    rows = harness.rows(
        "select began, status from agent_intervals where agent_id = 'ana' and ended is distinct from began"
        " order by began, of_call, source, step"
    )
    return [((row["began"] - harness.clock.at(0)).total_seconds(), row["status"]) for row in rows]
