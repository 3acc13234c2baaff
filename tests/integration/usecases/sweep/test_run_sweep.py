"""A minute of sweeping: on time, through outages of Redis, and handed over at its end."""

from datetime import datetime, timedelta

import pytest

from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.usecases.errors import UnavailableError
from shared.usecases.sweep import run_sweep as run_sweep_module
from shared.usecases.sweep.fire_due_timers import Swept
from shared.usecases.sweep.run_sweep import Tally, run_sweep
from shared.usecases.sweep.services import SweepServices
from tests.support.harness import Harness, sweep_for

INITIATED = {"event": "call_initiated", "callId": "call-1", "type": "voice", "queueId": "medical_spanish"}
ROUTED = {"event": "call_routed", "callId": "call-1", "agentId": "interpreter-01", "routingTime": 1}


def test_each_promise_is_looked_at_when_it_falls_due(floor: Harness) -> None:
    floor.send(INITIATED, ROUTED)
    sweep_for(floor, 31, [])
    system = floor.rows("select name, at, received_at from events where source = 'system' order by position")
    assert [row["name"] for row in system][:4] == [
        "answer_timed_out",
        "call_rerouted",
        "sla_breached",
        "answer_timed_out",
    ]
    assert max(row["received_at"] - row["at"] for row in system) < timedelta(seconds=0.01)


def test_promises_that_fall_due_at_one_instant_are_both_kept(floor: Harness) -> None:
    """A sender whose clock knows seconds only: rung 15 s after the call began, it has 15 s of 30 left for both."""
    floor.send(INITIATED | {"occurredAt": "2026-01-31T12:00:00Z"})
    floor.clock.go_to(15)
    floor.send(ROUTED | {"occurredAt": "2026-01-31T12:00:15Z"})
    floor.clock.go_to(30)
    assert floor.sweep() == 2
    assert [name for name, _ in floor.history()][2:] == ["sla_breached", "answer_timed_out", "call_rerouted"]


def test_uncleared_messages_are_resent_with_growing_pauses(floor: Harness) -> None:
    floor.send(INITIATED)
    floor.told.news.clear()
    sweep_for(floor, 25, [])
    assert 2 <= floor.told.events().count(("call-1", "call_initiated")) <= 5
    floor.rows("delete from outbox")
    floor.told.news.clear()
    sweep_for(floor, 5, [])
    assert ("call-1", "call_initiated") not in floor.told.events()


def test_a_resent_transfer_reaches_the_queue_it_left(floor: Harness) -> None:
    floor.send(INITIATED, ROUTED, {"event": "call_answered", "callId": "call-1", "waitTime": 1})
    floor.send({"event": "call_transferred", "callId": "call-1", "queueId": "legal_spanish"})
    floor.told.news.clear()
    sweep_for(floor, 5, [])
    told = {change.row.event.name: change.left.queue_id for news in floor.told.news for change in news.changes}
    assert told["call_transferred"] == "medical_spanish"


def test_an_unsendable_message_becomes_a_dead_letter(floor: Harness) -> None:
    floor.send(INITIATED)
    floor.rows("update outbox set attempts = 59")
    sweep_for(floor, 5, [])
    (row,) = floor.rows("select attempts, failed_at is not null as failed from outbox order by txid limit 1")
    assert row == {"attempts": 60, "failed": True}


def test_only_the_last_running_sweep_wakes_a_successor(floor: Harness) -> None:
    woken: list[str] = []
    floor.rows("insert into heartbeats (name, holder, alive_until) values ('sweep', 'another', %s)", floor.clock.at(10))
    sweep_for(floor, 2, woken)
    assert woken == []
    floor.clock.go_to(20)
    sweep_for(floor, 2, woken)
    assert woken == ["sweep"]
    assert floor.rows("select holder from heartbeats where holder = 'this-one'") == []


def test_an_expired_connection_is_deleted_after_a_minute(floor: Harness) -> None:
    floor.rows(
        "insert into connections (id, role, queues, connected_at, expires_at) values ('c', 'admin', '{*}', %s, %s)",
        floor.clock.at(0),
        floor.clock.at(1),
    )
    sweep_for(floor, 40, [])
    assert len(floor.rows("select * from connections")) == 1
    sweep_for(floor, 40, [])
    assert floor.rows("select * from connections") == []


def test_a_load_that_never_ends_keeps_no_sweep_beyond_its_minute(floor: Harness, monkeypatch) -> None:
    """At every look there is one more timer: the sweep still says that it is alive, tells again, and ends in time."""

    def one_more(_sweeper: SweepServices, _now: datetime) -> Swept:
        floor.clock.sleep(0.2)
        return Swept(1)

    monkeypatch.setattr(run_sweep_module, "fire_due_timers", one_more)
    floor.send(INITIATED)
    floor.told.news.clear()
    begun, woken = floor.clock.now(), list[str]()
    sweep_for(floor, 12, woken)
    assert floor.clock.now() - begun < timedelta(seconds=12.5)
    assert ("call-1", "call_initiated") in floor.told.events()
    assert woken == ["sweep"]


def test_a_sweep_waits_through_an_outage_of_postgres(floor: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise UnavailableError("away")

    monkeypatch.setattr(floor.database, "connection", away)
    upkeep = PostgresHousekeeping(floor.database, "this-one", lambda: None)
    tally = run_sweep(floor.sweeper, upkeep, floor.clock.at(3), floor.clock.now, floor.clock.sleep)
    assert tally == Tally(outages=3)
