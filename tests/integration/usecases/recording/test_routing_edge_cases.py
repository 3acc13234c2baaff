"""Edge cases of routing: agents who leave during an offer, and queues without agents or with other settings."""

from typing import Any

import pytest

from tests.support.harness import Harness, sweep_for
from tests.support.routing import QUEUE, arrive, end, misses, offered, ring, set_up


def says(harness: Harness, agent_id: str, status: str, **fields: Any) -> int:
    event = {"event": "agent_status_changed", "agentId": agent_id, "status": status}
    return harness.send(event | fields)[0].status


def reason(harness: Harness, agent_id: str) -> str | None:
    return next(agent.reason for agent in harness.reads.agents() if agent.id == agent_id)


@pytest.mark.parametrize("status", ["offline", "away"])
def test_an_agent_who_leaves_while_ringing_loses_the_offer(night: Harness, status: str) -> None:
    arrive(night, "ana")
    night.clock.go_to(1)
    arrive(night, "bea")
    ring(night)
    night.clock.go_to(4)
    assert says(night, "ana", status, reason="fire drill") == 202
    assert (offered(night), night.agent("bea")) == ("bea", ("offered", "call-1"))
    assert (night.agent("ana"), reason(night, "ana"), misses(night)) == ((status, None), "fire drill", 0)
    assert night.history() == [
        (name, False) for name in ("call_initiated", "call_offered", "call_no_answer", "call_rerouted")
    ]
    night.clock.go_to(16)
    night.sweep()
    assert offered(night) == "bea", "the first offer's timer went with it"


def test_when_the_last_agent_leaves_the_caller_waits(night: Harness) -> None:
    arrive(night, "ana")
    ring(night)
    night.clock.go_to(4)
    says(night, "ana", "offline")
    assert (offered(night), night.agent("ana")) == (None, ("offline", None))
    night.clock.go_to(9)
    says(night, "ana", "available")
    assert offered(night) == "ana"


def test_a_copy_of_leaving_is_answered_as_such(night: Harness) -> None:
    arrive(night, "ana")
    ring(night)
    assert [says(night, "ana", "away", eventId="gone") for _ in range(2)] == [202, 200]
    assert [name for name, _ in night.history()].count("call_no_answer") == 1


@pytest.mark.parametrize("wrap_up_seconds", [0, 20])
def test_away_during_a_call_holds_once_the_call_is_over(night: Harness, wrap_up_seconds: int) -> None:
    set_up(night, QUEUE, routing="switchboard", wrapUpSeconds=wrap_up_seconds)
    arrive(night, "ana")
    ring(night)
    night.one("call_answered", waitTime=1)
    night.clock.go_to(5)
    assert says(night, "ana", "away", reason="lunch") == 202
    assert night.agent("ana") == ("on_call", "call-1")
    ring(night, "call-2")
    night.clock.go_to(60)
    end(night)
    if wrap_up_seconds:
        assert night.agent("ana") == ("wrap_up", "call-1")
        night.clock.go_to(80)
        night.sweep()
    assert (night.agent("ana"), reason(night, "ana"), offered(night, "call-2")) == (("away", None), "lunch", None)
    says(night, "ana", "available")
    assert offered(night, "call-2") == "ana"
    night.one("call_answered", "call-2", waitTime=1)
    night.clock.go_to(90)
    end(night, "call-2")
    night.clock.go_to(110)
    night.sweep()
    assert night.agent("ana")[0] == "available", "the report was for one call"


def test_an_agent_back_during_the_call_is_free_after_it(night: Harness) -> None:
    arrive(night, "ana")
    ring(night)
    night.one("call_answered", waitTime=1)
    for status in ("away", "available"):
        night.clock.sleep(1)
        assert says(night, "ana", status) == 202
    end(night)
    assert night.agent("ana")[0] == "available"


def test_away_during_a_call_that_is_transferred_holds_at_once(night: Harness) -> None:
    arrive(night, "ana")
    ring(night)
    night.one("call_answered", waitTime=1)
    says(night, "ana", "offline")
    night.clock.go_to(3)
    night.one("call_transferred", agentId="zoe")
    assert night.agent("ana") == ("offline", None)


def test_an_agent_removed_while_ringing_may_still_answer(night: Harness) -> None:
    set_up(night, QUEUE, routing="switchboard", missesBeforeAway=3)
    arrive(night, "ana")
    ring(night)
    arrive(night, "ana", "elsewhere")
    assert night.agent("ana") == ("offered", "call-1")
    night.clock.go_to(15.5)
    night.sweep()
    assert (offered(night), night.agent("ana")[0]) == (None, "available")
    assert night.offer_waiting() == 0
    night.one("call_answered", agentId="ana", waitTime=12, occurredAt=night.clock.at(12).isoformat())
    assert night.agent("ana") == ("on_call", "call-1")


def test_a_transfer_to_a_queue_without_agents_waits_there(night: Harness) -> None:
    set_up(night, "empty", routing="switchboard", overflowSeconds=0, overflowQueueId=QUEUE)
    arrive(night, "ana")
    ring(night)
    night.one("call_answered", waitTime=1)
    night.clock.go_to(5)
    night.one("call_transferred", queueId="empty")
    assert (night.agent("ana")[0], offered(night), night.call()["queueId"]) == ("available", None, "empty")
    night.clock.go_to(500)
    night.sweep()
    assert (night.offer_waiting(), offered(night)) == (0, None), "who has been spoken with waits for the queue's own"
    arrive(night, "bea", "empty")
    assert offered(night) == "bea"
    night.one("call_answered", waitTime=1)
    end(night)
    assert (night.call()["status"], night.rows("select * from timers")) == ("ended", [])


def test_a_call_that_overflows_keeps_its_own_queues_limits(night: Harness) -> None:
    set_up(night, "other", answerSeconds=5, wrapUpSeconds=50, missesBeforeAway=1)
    set_up(
        night, QUEUE, routing="switchboard", answerSeconds=20, wrapUpSeconds=10, missesBeforeAway=2,
        overflowSeconds=0, overflowQueueId="other",
    )  # fmt: skip
    arrive(night, "bea", "other")
    night.clock.go_to(1)
    ring(night)
    assert offered(night) == "bea"
    night.clock.go_to(19)
    night.sweep()
    assert (offered(night), night.call()["flags"]) == ("bea", [])
    night.clock.go_to(21.5)
    night.sweep()
    assert (offered(night), misses(night, "bea")) == ("bea", 1), "one miss is forgiven by the call's own queue"
    night.one("call_answered", waitTime=1)
    night.clock.go_to(60)
    end(night)
    night.clock.go_to(70)
    night.sweep()
    assert night.agent("bea")[0] == "available"


@pytest.mark.parametrize("status", ["available", "away"])
def test_an_early_end_of_wrap_up_cancels_its_timer(night: Harness, status: str) -> None:
    set_up(night, QUEUE, routing="switchboard", wrapUpSeconds=20)
    arrive(night, "ana")
    ring(night)
    night.one("call_answered", waitTime=1)
    night.clock.go_to(30)
    end(night)
    ring(night, "call-2")
    night.clock.go_to(35)
    assert says(night, "ana", status) == 201
    expected = ("offered", "call-2") if status == "available" else ("away", None)
    assert night.agent("ana") == expected
    if status == "available":
        night.one("call_answered", "call-2", waitTime=1)
        expected = ("on_call", "call-2")
    night.clock.go_to(51)
    night.sweep()
    assert night.agent("ana") == expected


def test_each_queue_has_its_own_time_for_wrapping_up(night: Harness) -> None:
    set_up(night, QUEUE, routing="switchboard", wrapUpSeconds=10)
    set_up(night, "long", routing="switchboard", wrapUpSeconds=40)
    for agent_id, queue_id in (("ana", QUEUE), ("bea", "long")):
        arrive(night, agent_id, queue_id)
        ring(night, f"{agent_id}-1", queue_id)
        night.one("call_answered", f"{agent_id}-1", waitTime=1)
        arrive(night, agent_id, QUEUE, "long")
    night.clock.go_to(100)
    end(night, "ana-1")
    end(night, "bea-1")
    seen: dict[int, list[str]] = {}
    for second in (109, 111, 139, 141):
        night.clock.go_to(second)
        night.sweep()
        seen[second] = [night.agent(agent_id)[0] for agent_id in ("ana", "bea")]
    assert seen == {
        109: ["wrap_up", "wrap_up"],
        111: ["available", "wrap_up"],
        139: ["available", "wrap_up"],
        141: ["available", "available"],
    }


def test_an_agent_report_holds_despite_a_sender_s_fast_clock(night: Harness) -> None:
    arrive(night, "ana")
    ring(night)
    night.clock.go_to(4)
    night.one("call_no_answer", agentId="ana", occurredAt=night.clock.at(120).isoformat())
    assert night.agent("ana") == ("away", "call-1")
    night.clock.go_to(5)
    assert says(night, "ana", "available", occurredAt=night.clock.at(3).isoformat()) == 201  # recorded, and overtaken
    assert night.agent("ana") == ("away", "call-1")
    assert says(night, "ana", "available") == 201
    assert night.agent("ana") == ("offered", "call-1")


def test_a_flood_of_one_kind_of_timer_keeps_no_other_waiting(night: Harness) -> None:
    """Sixty promises to callers of one queue are overdue before the phone in another has rung for its time."""
    set_up(night, "flooded")
    for number in range(60):
        ring(night, f"flood-{number}", "flooded")
    night.clock.go_to(16)
    arrive(night, "ana")
    ring(night)
    night.clock.go_to(31.5)
    night.fire_due_timers(limit=10)
    assert (offered(night), night.agent("ana")) == (None, ("away", "call-1"))
    assert night.rows("select count(*) from timers where due_at <= %s", night.clock.now()) == [{"count": 50}]


def test_a_flood_of_timers_delays_no_offers(night: Harness) -> None:
    """More promises are overdue than one transaction settles: the free agent is offered the caller before the rest."""
    set_up(night, "flooded")
    for number in range(250):
        ring(night, f"flood-{number}", "flooded")
    night.clock.go_to(30)
    ring(night)
    night.rows(
        "insert into agents (id, name, queues, status, status_since)"
        " values ('ana', 'a', array['night'], 'available', '2026-01-31')"
    )
    night.clock.go_to(31)
    sweep_for(night, 1, [])
    names = [name for _, name in night.published.events() if name in ("sla_breached", "call_offered")]
    assert (names.count("sla_breached"), names.index("call_offered")) == (250, 200)


TALKING = [
    {"event": "call_initiated", "callId": "call-1", "type": "voice", "queueId": QUEUE},
    {"event": "call_routed", "callId": "call-1", "agentId": "ana", "routingTime": 1},
    {"event": "call_answered", "callId": "call-1", "waitTime": 1},
    {"event": "call_transferred", "callId": "call-1", "agentId": "cy"},
]


@pytest.mark.parametrize("events", range(2, 6))
@pytest.mark.parametrize("ending", ["completed", "abandoned"])
@pytest.mark.parametrize("status", ["available", "away", "offline"])
def test_agent_reports_of_a_batch_follow_its_call_events(night: Harness, status: str, ending: str, events: int) -> None:
    """The call's last event before it does not name the agent."""
    set_up(night, QUEUE)
    ended = {"event": "call_ended", "callId": "call-1", "endReason": ending, "duration": 20}
    life = [*TALKING, ended][:events] if ending == "completed" else [*TALKING[: events - 1], ended]
    report = {"event": "agent_status_changed", "agentId": "ana", "status": status}

    def outcome(batch: bool) -> Any:
        for table in ("calls", "events", "timers", "outbox", "agent_events", "agents"):
            night.rows(f"delete from {table}")  # noqa: S608 - our own names
        night.clock.go_to(0)
        for agent_id in ("ana", "bea"):
            arrive(night, agent_id)
        night.send(*life[:-1])
        night.clock.go_to(3)
        results = night.send(life[-1], report) if batch else [night.send(event)[0] for event in (life[-1], report)]
        agents = night.rows("select id, status, call_id, misses, next_status from agents order by id")
        return [result.status for result in results], night.history(), agents

    assert outcome(batch=True) == outcome(batch=False)
