"""Routing on real Postgres: offers, misses, overflow, strategies, and concurrent claims."""

import threading
from collections import Counter
from itertools import count
from typing import Any

import pytest

from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.contracts.problems import ProblemError
from shared.usecases.sweep.record_offers import record_offers
from shared.usecases.sweep.services import SweepServices
from tests.support.harness import GRACE, Harness, PublishedNotices
from tests.support.routing import QUEUE, arrive, end, misses, offered, ring, set_up


def test_switchboard_routes_calls_of_its_queues(night: Harness) -> None:
    arrive(night, "ana")
    night.clock.go_to(1)
    ring(night)
    assert offered(night) == "ana"
    assert night.history() == [("call_initiated", False), ("call_offered", False)]
    assert night.call()["flags"] == []
    assert {row["kind"] for row in night.rows("select kind from timers")} == {"sla_wait", "answer"}
    assert [name for _, name in night.published.events()] == ["call_initiated", "call_offered"]


def test_where_telephony_routes_nothing_changes(night: Harness) -> None:
    set_up(night, "day")
    arrive(night, "ana", "day")
    ring(night, queue_id="day")
    assert night.offer_waiting() == 0
    assert offered(night) is None


@pytest.mark.parametrize(
    "how", ["an event", "a new agent", "the end of a call", "the end of wrapping up", "a transfer"]
)
def test_a_freed_agent_gets_the_head_of_the_queue_at_once(night: Harness, how: str) -> None:
    set_up(night, QUEUE, routing="switchboard", wrapUpSeconds=20 if how == "the end of wrapping up" else 0)
    if how in ("an event", "a new agent"):
        arrive(night, "ana", status="away" if how == "an event" else "offline")
    else:
        arrive(night, "ana")
        ring(night, "call-0")
        night.one("call_answered", "call-0", waitTime=1)
    night.clock.go_to(1)
    ring(night)
    assert offered(night) is None
    night.clock.go_to(2)
    match how:
        case "an event" | "a new agent":
            if how == "a new agent":
                arrive(night, "bea")
            else:
                night.send({"event": "agent_status_changed", "agentId": "ana", "status": "available"})
        case "a transfer":
            set_up(night, "elsewhere")
            night.one("call_transferred", "call-0", queueId="elsewhere")
        case _:
            end(night, "call-0")
    if how == "the end of wrapping up":
        assert offered(night) is None
        night.clock.go_to(22)
        assert night.sweep() == 1
        assert night.offer_waiting() == 1  # the sweep's own next step
    assert offered(night) == ("bea" if how == "a new agent" else "ana")


def test_a_reported_miss_is_followed_by_the_next_offer(night: Harness) -> None:
    arrive(night, "ana")
    night.clock.go_to(1)
    arrive(night, "bea")
    ring(night)
    night.clock.go_to(5)
    night.one("call_no_answer", agentId="ana")
    assert offered(night) == "bea"
    assert night.agent("ana") == ("away", "call-1")
    assert night.call()["flags"] == ["rerouted"]


def test_enough_misses_in_a_row_send_an_agent_away(night: Harness) -> None:
    set_up(night, QUEUE, routing="switchboard", missesBeforeAway=2)
    arrive(night, "ana")

    night.clock.go_to(1)
    ring(night)
    night.clock.go_to(3)
    night.one("call_no_answer", agentId="ana")
    assert offered(night) == "ana", "the only one there is asked again"
    night.clock.go_to(4)
    night.one("call_answered", waitTime=3)
    end(night)
    assert misses(night) == 0, "an answer resets the count"

    night.clock.go_to(10)
    ring(night, "call-2")
    night.clock.go_to(25.5)
    night.sweep()
    assert offered(night, "call-2") == "ana"
    night.clock.go_to(41)
    night.sweep()
    assert (offered(night, "call-2"), night.agent("ana"), misses(night)) == (None, ("away", "call-2"), 2)

    night.clock.go_to(50)
    night.send({"event": "agent_status_changed", "agentId": "ana", "status": "available"})
    assert (offered(night, "call-2"), misses(night)) == ("ana", 0)


def test_a_miss_that_is_disproved_counts_no_more(night: Harness) -> None:
    arrive(night, "ana")
    ring(night)
    night.clock.go_to(15.5)
    night.sweep()
    assert (night.agent("ana"), misses(night)) == (("away", "call-1"), 1)
    night.one("call_ended", endReason="abandoned", duration=0, occurredAt="2026-01-31T12:00:14Z")
    assert (night.agent("ana"), misses(night)) == (("available", None), 0)


@pytest.mark.parametrize(
    ("priorities", "aging_seconds", "head"),
    [
        pytest.param((None, None), 60, "first", id="alike, who came first"),
        pytest.param((None, 1), 60, "second", id="a step is worth more than 30 s"),
        pytest.param((None, 1), 20, "first", id="a step is worth less than 30 s"),
        pytest.param((None, 2), 20, "second", id="two steps"),
        pytest.param((9, 9), 60, "first", id="alike and urgent"),
    ],
)
def test_priority_ages_with_waiting(
    night: Harness, priorities: tuple[int | None, int | None], aging_seconds: float, head: str
) -> None:
    set_up(night, QUEUE, routing="switchboard", agingSeconds=aging_seconds)
    for seconds, call_id, priority in zip((0, 30), ("first", "second"), priorities, strict=True):
        night.clock.go_to(seconds)
        ring(night, call_id, priority=priority)
    night.clock.go_to(40)
    arrive(night, "ana")
    assert [call_id for call_id in ("first", "second") if offered(night, call_id)] == [head]


def test_a_queue_may_have_a_priority_of_its_own(night: Harness) -> None:
    set_up(night, "urgent", routing="switchboard", priority=5)
    ring(night, "patient")
    night.clock.go_to(10)
    ring(night, "urgent", "urgent")
    arrive(night, "ana", QUEUE, "urgent")
    assert (offered(night, "patient"), offered(night, "urgent")) == (None, "ana")


def test_after_a_wait_a_call_may_go_to_another_queues_agents(night: Harness) -> None:
    set_up(night, QUEUE, routing="switchboard", overflowSeconds=20, overflowQueueId="legal_english")
    arrive(night, "bea", "legal_english")
    night.clock.go_to(1)
    ring(night)
    night.clock.go_to(20)
    assert (night.offer_waiting(), offered(night)) == (0, None)
    night.clock.go_to(21)
    assert (night.offer_waiting(), offered(night)) == (1, "bea")
    assert night.call()["queueId"] == QUEUE


def test_its_own_queues_agents_come_before_the_overflows(night: Harness) -> None:
    set_up(night, QUEUE, routing="switchboard", overflowSeconds=0, overflowQueueId="legal_english")
    arrive(night, "bea", "legal_english")
    night.clock.go_to(1)
    arrive(night, "ana")
    ring(night)
    ring(night, "call-2")
    assert (offered(night), offered(night, "call-2")) == ("ana", "bea")


def test_language_holds_for_every_search(night: Harness) -> None:
    arrive(night, "ana", languages=["es"])
    night.clock.go_to(1)
    arrive(night, "bea", languages=["es", "en"])
    ring(night, language="en")
    assert offered(night) == "bea"


def test_the_longest_idle_is_first(night: Harness) -> None:
    for second, agent_id in enumerate(["cleo", "ana", "bea"]):
        night.clock.go_to(second)
        arrive(night, agent_id)
    assert _takers(night, 3) == ["cleo", "ana", "bea"]


def test_the_most_skilled_is_first_then_the_longest_idle(night: Harness) -> None:
    set_up(night, QUEUE, routing="switchboard", strategy="most_skilled")
    levels = {"ana": {}, "bea": {QUEUE: 5}, "cleo": {"other": 9}, "di": {QUEUE: 5}}
    for second, (agent_id, skills) in enumerate(levels.items()):
        night.clock.go_to(second)
        arrive(night, agent_id, QUEUE, "other", skills=skills)
    assert _takers(night, 4) == ["bea", "di", "ana", "cleo"]


def test_the_least_occupied_is_first(night: Harness) -> None:
    """The share of the shift counts, not the minutes: who has just come and had one call is the busier one."""
    set_up(night, QUEUE, routing="switchboard", strategy="least_occupied")
    arrive(night, "early")
    ring(night, "call-a")
    night.one("call_answered", "call-a", waitTime=0)
    night.clock.go_to(600)
    end(night, "call-a")  # ten minutes on a call
    night.clock.go_to(3000)
    night.send({"event": "agent_status_changed", "agentId": "early", "status": "away"})
    arrive(night, "late")
    ring(night, "call-b")
    assert offered(night, "call-b") == "late"
    night.one("call_answered", "call-b", waitTime=0)
    night.clock.go_to(3300)
    end(night, "call-b")  # five minutes, of as many
    night.send({"event": "agent_status_changed", "agentId": "early", "status": "available"})
    night.clock.go_to(3600)
    assert _takers(night, 2) == ["early", "late"]


def test_a_new_shift_begins_without_occupancy(night: Harness) -> None:
    arrive(night, "ana")
    ring(night)
    night.one("call_answered", waitTime=0)
    night.clock.go_to(60)
    end(night)
    night.clock.go_to(70)
    shift = "select round(occupied_seconds) occupied, signed_in_since notnull as signed_in from agents where id = 'ana'"
    assert night.rows(shift) == [{"occupied": 60, "signed_in": True}]
    for second, status in ((80, "offline"), (90, "available")):
        night.clock.go_to(second)
        night.send({"event": "agent_status_changed", "agentId": "ana", "status": status})
    assert night.rows(shift) == [{"occupied": 0, "signed_in": True}]


@pytest.mark.parametrize(
    "fact",
    [
        pytest.param({"event": "call_ended", "endReason": "abandoned", "duration": 0}, id="the caller hangs up"),
        pytest.param({"event": "call_routed", "agentId": "zoe", "routingTime": 1}, id="telephony routes elsewhere"),
        pytest.param({"event": "call_answered", "agentId": "zoe", "waitTime": 1}, id="another agent answers"),
    ],
)
def test_an_offer_that_is_no_longer_true_is_rescinded(night: Harness, fact: dict[str, Any]) -> None:
    arrive(night, "ana")
    ring(night)
    assert night.agent("ana") == ("offered", "call-1")
    night.clock.go_to(3)
    night.send(fact | {"callId": "call-1"})
    assert night.agent("ana") == ("available", None)
    ring(night, "call-2")
    assert offered(night, "call-2") == "ana"


def test_a_withdrawn_offer_keeps_the_agent_s_idle_rank(night: Harness) -> None:
    for second, agent_id in enumerate(("ana", "bea")):
        night.clock.go_to(second)
        arrive(night, agent_id)
    for second in (10, 20):
        night.clock.go_to(second)
        ring(night, f"call-{second}")
        assert offered(night, f"call-{second}") == "ana"
        end(night, f"call-{second}", "abandoned")
    assert _takers(night, 2) == ["ana", "bea"]
    night.clock.go_to(30)
    night.one("call_answered", "taken-0", waitTime=1)
    night.one("call_ended", "taken-1", endReason="abandoned", duration=0)
    end(night, "taken-0")
    ring(night)
    assert offered(night) == "bea", "who has served stands behind who has not"


def test_a_transfer_frees_the_agent_and_offers_to_the_named_one(night: Harness) -> None:
    arrive(night, "ana")
    ring(night)
    night.one("call_answered", waitTime=1)
    night.clock.go_to(3)
    night.one("call_transferred", agentId="zoe")
    assert (night.agent("ana"), night.agent("zoe")) == (("available", None), ("offered", "call-1"))


@pytest.mark.parametrize("to_us", [True, False])
def test_a_transfer_follows_the_routing_of_its_target_queue(night: Harness, to_us: bool) -> None:
    """Else a caller whom both leave to the other waits for ever, or two phones ring."""
    set_up(night, "day")
    first, then = ("day", QUEUE) if to_us else (QUEUE, "day")
    ring(night, queue_id=first)
    night.one("call_routed", agentId="zoe", routingTime=1)
    night.one("call_answered", waitTime=1)
    arrive(night, "bea", then)
    night.one("call_transferred", queueId=then)
    night.clock.go_to(1)
    night.offer_waiting()
    assert offered(night) == ("bea" if to_us else None)
    assert night.reads.events("call-1", None, 500)[3].metadata == {"queueId": then}


def test_an_answer_that_arrives_late_takes_the_next_offer_back(night: Harness) -> None:
    arrive(night, "ana")
    night.clock.go_to(1)
    arrive(night, "bea")
    ring(night)
    night.clock.go_to(16.5)
    night.sweep()
    assert (night.agent("ana"), night.agent("bea")) == (("away", "call-1"), ("offered", "call-1"))
    night.one("call_answered", waitTime=12, occurredAt=_iso(night, 13))
    assert (night.agent("ana"), night.agent("bea")) == (("on_call", "call-1"), ("available", None))
    assert misses(night) == 0


def test_a_sender_s_fast_clock_leaves_no_idle_claim(night: Harness) -> None:
    arrive(night, "ana")
    ring(night)
    night.clock.go_to(2)
    night.one("call_no_answer", agentId="ana", occurredAt=_iso(night, 100))
    night.clock.go_to(3)
    arrive(night, "bea")
    assert (offered(night), night.agent("bea")) == ("bea", ("offered", "call-1"))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        pytest.param({"overflowSeconds": 5}, "overflowQueueId", id="where to?"),
        pytest.param({"overflowQueueId": "legal_english"}, "overflowQueueId", id="when?"),
        pytest.param({"overflowSeconds": 5, "overflowQueueId": "nowhere"}, "overflowQueueId", id="unknown"),
        pytest.param({"overflowSeconds": 5, "overflowQueueId": QUEUE}, "overflowQueueId", id="itself"),
        pytest.param({"strategy": "cheapest"}, "strategy", id="unknown strategy"),
        pytest.param({"routing": "unknown"}, "routing", id="unknown routing"),
        pytest.param({"missesBeforeAway": 0}, "missesBeforeAway", id="never away"),
        pytest.param({"priority": 10}, "priority", id="too urgent"),
        pytest.param({"agingSeconds": 0}, "agingSeconds", id="endless aging"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(night: Harness, settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ProblemError) as refused:
        set_up(night, QUEUE, **settings)
    assert (refused.value.problem.status, refused.value.problem.errors[0].field) == (400, field)


def test_concurrent_claims_get_different_agents(night: Harness, database_url: str) -> None:
    """Eight invocations, each with a connection of its own, offer sixty calls to twenty agents at one moment."""
    agents, calls, threads = 20, 60, 8
    for number in range(calls):
        night.clock.go_to(number / 10)
        ring(night, f"call-{number}")
    night.rows(
        "insert into agents (id, name, queues, status, status_since)"
        " select 'a-' || n, 'a', array['night'], 'available', '2026-01-01' from generate_series(1, %s) n",
        agents,
    )
    barrier, ids = threading.Barrier(threads), count()

    def claim() -> None:
        database = Database(database_url)
        sweep_services = SweepServices(
            PostgresTransactions(database), PublishedNotices(), lambda: f"raced-{next(ids)}", GRACE
        )
        database.connection()
        barrier.wait()
        while record_offers(sweep_services, night.clock.now(), limit=1).count:
            pass
        database.close()

    running = [threading.Thread(target=claim) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()

    night.offer_waiting()  # what one passed over because another had it locked for an instant
    engaged = {
        row["id"]: row["call_id"] for row in night.rows("select id, call_id from agents where status = 'offered'")
    }
    by_call = {f"call-{n}": offered(night, f"call-{n}") for n in range(calls)}
    assert {agent: call for call, agent in by_call.items() if agent} == engaged
    assert len(engaged) == agents
    assert Counter(row["name"] for row in night.rows("select name from events where source = 'system'")) == {
        "call_offered": agents
    }
    first = list(by_call.values())[: agents + threads]
    assert len([agent for agent in first if agent]) == agents, "the head first, but for who was in the middle of asking"


def _takers(harness: Harness, count: int) -> list[str | None]:
    for number in range(count):
        ring(harness, f"taken-{number}")
    return [offered(harness, f"taken-{number}") for number in range(count)]


def _iso(harness: Harness, seconds: float) -> str:
    return harness.clock.at(seconds).isoformat()
