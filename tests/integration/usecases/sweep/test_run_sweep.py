"""A minute of sweeping: on time, through outages of Redis, and handed over at its end."""

from datetime import datetime, timedelta

import pytest

from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.usecases.errors import UnavailableError
from shared.usecases.sweep import run_sweep as run_sweep_module
from shared.usecases.sweep.run_sweep import Tally, run_sweep
from shared.usecases.sweep.services import SweepServices
from shared.usecases.sweep.sweep_transaction import SweepResult
from tests.support.harness import Harness, sweep_for

INITIATED = {"event": "call_initiated", "callId": "call-1", "type": "voice", "queueId": "medical_spanish"}
ROUTED = {"event": "call_routed", "callId": "call-1", "agentId": "interpreter-01", "routingTime": 1}


def test_each_promise_is_looked_at_when_it_falls_due(harness: Harness) -> None:
    harness.send(INITIATED, ROUTED)
    harness.clock.go_to(14)
    sweep_for(harness, 17, [])
    system = harness.rows("select name, at, received_at from events where source = 'system' order by position")
    assert [row["name"] for row in system][:4] == [
        "answer_timed_out",
        "call_rerouted",
        "sla_breached",
        "answer_timed_out",
    ]
    assert max(row["received_at"] - row["at"] for row in system) < timedelta(seconds=0.01)


def test_promises_that_fall_due_at_one_instant_are_both_kept(harness: Harness) -> None:
    """A sender whose clock knows seconds only: rung 15 s after the call began, it has 15 s of 30 left for both."""
    harness.send(INITIATED | {"occurredAt": "2026-01-31T12:00:00Z"})
    harness.clock.go_to(15)
    harness.send(ROUTED | {"occurredAt": "2026-01-31T12:00:15Z"})
    harness.clock.go_to(30)
    assert harness.sweep() == 2
    assert [name for name, _ in harness.history()][2:] == ["sla_breached", "answer_timed_out", "call_rerouted"]


def test_uncleared_messages_are_resent_with_growing_pauses(harness: Harness) -> None:
    harness.send(INITIATED)
    harness.published.news.clear()
    sweep_for(harness, 25, [])
    assert 2 <= harness.published.events().count(("call-1", "call_initiated")) <= 5
    harness.rows("delete from outbox")
    harness.published.news.clear()
    sweep_for(harness, 5, [])
    assert ("call-1", "call_initiated") not in harness.published.events()


def test_a_resent_transfer_reaches_the_queue_it_left(harness: Harness) -> None:
    harness.send(INITIATED, ROUTED, {"event": "call_answered", "callId": "call-1", "waitTime": 1})
    harness.send({"event": "call_transferred", "callId": "call-1", "queueId": "legal_spanish"})
    harness.published.news.clear()
    sweep_for(harness, 5, [])
    left_queues = {
        change.row.event.name: change.departure.queue_id for news in harness.published.news for change in news.calls
    }
    assert left_queues["call_transferred"] == "medical_spanish"


def test_an_unsendable_message_becomes_a_dead_letter(harness: Harness) -> None:
    harness.send(INITIATED)
    harness.rows("update outbox set attempts = 59")
    sweep_for(harness, 5, [])
    (row,) = harness.rows("select attempts, failed_at is not null as failed from outbox order by txid limit 1")
    assert row == {"attempts": 60, "failed": True}


def test_only_the_last_running_sweep_wakes_a_successor(harness: Harness) -> None:
    woken: list[str] = []
    harness.rows(
        "insert into heartbeats (name, holder, alive_until) values ('sweep', 'another', %s)", harness.clock.at(10)
    )
    sweep_for(harness, 2, woken)
    assert woken == []
    harness.clock.go_to(20)
    sweep_for(harness, 2, woken)
    assert woken == ["sweep"]
    assert harness.rows("select holder from heartbeats where holder = 'this-one'") == []


def test_an_expired_connection_is_deleted_after_a_minute(harness: Harness) -> None:
    harness.rows(
        "insert into connections (id, role, queues, connected_at, expires_at) values ('c', 'admin', '{*}', %s, %s)",
        harness.clock.at(0),
        harness.clock.at(1),
    )
    for second, count in ((40, 1), (80, 0)):
        harness.clock.go_to(second)
        sweep_for(harness, 13, [])
        assert len(harness.rows("select * from connections")) == count


def test_a_load_that_never_ends_keeps_no_sweep_beyond_its_minute(harness: Harness, monkeypatch) -> None:
    """At every look there is one more timer: the sweep still says that it is alive, tells again, and ends in time."""

    def one_more(_sweeper: SweepServices, _now: datetime) -> SweepResult:
        harness.clock.sleep(0.2)
        return SweepResult(1)

    monkeypatch.setattr(run_sweep_module, "fire_due_timers", one_more)
    harness.send(INITIATED)
    harness.published.news.clear()
    begun, woken = harness.clock.now(), list[str]()
    sweep_for(harness, 12, woken)
    assert harness.clock.now() - begun < timedelta(seconds=12.5)
    assert ("call-1", "call_initiated") in harness.published.events()
    assert woken == ["sweep"]


def test_a_sweep_waits_through_an_outage_of_postgres(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise UnavailableError("away")

    monkeypatch.setattr(harness.database, "connection", away)
    upkeep = PostgresHousekeeping(harness.database, "this-one", lambda: None)
    tally = run_sweep(harness.sweep_services, upkeep, harness.clock.at(3), harness.clock.now, harness.clock.sleep)
    assert tally == Tally(outages=3)
