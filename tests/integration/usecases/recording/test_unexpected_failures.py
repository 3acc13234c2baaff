"""One call fails unexpectedly: the timers of every other call fire."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

import psycopg
import pytest

from infra.database import rebuild
from shared.adapters.aws import lambda_handler
from shared.adapters.postgres.connection import Database
from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.adapters.telemetry import metrics
from shared.domain.deadlines import TimerKind
from shared.usecases.recording.ports import CallRecord, CallUpdates
from shared.usecases.recording.rebuild_call import repair
from shared.usecases.recording.submit_messages import Message, submit_messages
from shared.usecases.sweep import run_sweep as run_sweep_module
from shared.usecases.sweep.fire_due_timers import RETRY_AFTER
from shared.usecases.sweep.run_sweep import run_sweep
from tests.support.harness import Harness

CALLS = ["call-1", "ill", "call-2"]


def initiated(call_id: str) -> dict[str, str]:
    return {"event": "call_initiated", "callId": call_id, "type": "voice", "queueId": "medical_spanish"}


def routed(call_id: str) -> dict[str, object]:
    return {"event": "call_routed", "callId": call_id, "agentId": f"of-{call_id}", "routingTime": 1}


def broken(*_: object) -> NoReturn:
    raise RuntimeError("unexpected")


@pytest.fixture(autouse=True)
def figures() -> Iterator[None]:
    """They are the process's: the next test's must not have ours."""
    yield
    metrics.flush()


@pytest.fixture
def noted() -> list[str]:
    return []


@pytest.fixture
def ill_floor(harness: Harness, noted: list[str]) -> Harness:
    """Three calls. The record of one is damaged."""
    harness.sweep_services = replace(harness.sweep_services, log_failure=noted.append)
    harness.services = replace(harness.services, log_failure=noted.append)
    for call_id in CALLS:
        harness.send(initiated(call_id))
    harness.rows("update calls_live set state = '{}' where id = 'ill'")
    return harness


def breached(harness: Harness) -> set[str]:
    return {row["call_id"] for row in harness.rows("select call_id from events where name = 'sla_breached'")}


def test_a_call_that_no_sweep_can_settle_keeps_no_other_waiting(ill_floor: Harness, noted: list[str]) -> None:
    harness = ill_floor
    harness.clock.go_to(31)
    assert harness.sweep() == 2
    assert breached(harness) == {"call-1", "call-2"}
    assert noted == ["ill"]
    (timer,) = harness.rows("select call_id, kind, due_at from timers where kind = 'sla_wait'")
    assert timer == {"call_id": "ill", "kind": "sla_wait", "due_at": harness.clock.now() + RETRY_AFTER}


def test_a_failed_call_is_retried_until_it_is_repaired(ill_floor: Harness, database_url: str) -> None:
    harness = ill_floor
    harness.clock.go_to(31)
    harness.sweep()
    differing = {difference.call_id for _, batch in rebuild.compare(database_url) for difference in batch}
    assert differing == {"ill"}
    assert repair(harness.services.transactions, "ill", harness.clock.now())
    harness.clock.sleep(RETRY_AFTER / timedelta(seconds=1))
    harness.sweep()
    assert breached(harness) == set(CALLS)
    assert harness.rows("select * from timers where call_id = 'ill'") == []


def test_a_postgres_error_is_logged_and_contained(ill_floor: Harness, noted: list[str]) -> None:
    """A call is not put off for an outage: nothing is known of it then."""
    harness = ill_floor
    harness.clock.go_to(31)
    harness.rows("alter table calls_live rename to away")
    with pytest.raises(Exception, match="calls_live"):
        harness.fire_due_timers()
    harness.rows("alter table away rename to calls_live")
    assert harness.sweep() == 2
    assert noted == ["ill"]


def test_a_batch_loses_only_the_event_of_that_call(ill_floor: Harness, noted: list[str]) -> None:
    harness = ill_floor
    results = harness.send(*(routed(call_id) for call_id in CALLS))
    assert [result.status for result in results] == [201, 500, 201]
    assert noted == ["ill"]
    assert [harness.call(call_id)["offer"]["agentId"] for call_id in ("call-1", "call-2")] == ["of-call-1", "of-call-2"]
    assert harness.rows("select * from events where call_id = 'ill' and name = 'call_routed'") == []


def test_a_delivery_gives_back_only_the_message_of_that_call(ill_floor: Harness) -> None:
    harness = ill_floor
    now = harness.clock.now()
    bodies = {call_id: f'{{"event": "call_routed", "callId": "{call_id}", "agentId": "a-{n}", "routingTime": 1}}'
              for n, call_id in enumerate(CALLS)}  # fmt: skip
    messages = [Message(f"m-{c}", body, now) for c, body in bodies.items()]
    refused = submit_messages(harness.services, messages, now).refused
    assert {name: [found.status for found in problems] for name, problems in refused.items()} == {"m-ill": [500]}


def test_calls_behind_a_failing_call_are_offered(ill_floor: Harness, noted: list[str]) -> None:
    harness = ill_floor
    harness.rows("update queues set routing = 'switchboard'")
    harness.rows("update agents set status = 'offline'")
    harness.send(initiated("behind"))
    harness.rows("update calls_live set seeks = 'any' where id = 'ill'")
    harness.rows("update agents set status = 'available' where id = 'interpreter-01'")
    assert harness.offer_waiting() == 1
    assert harness.call("behind")["offer"]["agentId"] == "interpreter-01"
    assert noted == ["ill"]


def test_a_failing_duty_of_the_sweep_stops_no_timers(
    harness: Harness, noted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timers, offers and resends continue when archiving or agent time fails."""
    harness.sweep_services = replace(harness.sweep_services, log_failure=noted.append)
    for duty in ("archive_calls", "update_agent_time"):
        monkeypatch.setattr(run_sweep_module, duty, broken)
    harness.send(initiated("call-1"))
    harness.published.news.clear()
    upkeep = PostgresHousekeeping(harness.database, "this-one", lambda: None)
    run_sweep(harness.sweep_services, upkeep, harness.clock.at(32), harness.clock.now, harness.clock.sleep)
    assert breached(harness) == {"call-1"}
    assert ("call-1", "call_initiated") in harness.published.events()
    assert set(noted) == {None}


def test_a_failed_publish_does_not_change_the_answer(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(harness.published, "publish", broken)
    harness.sweep_services = replace(harness.sweep_services, log_failure=lambda_handler.log_failure)
    events = [initiated("call-1"), routed("call-1"), {"event": "call_answered", "callId": "call-1", "waitTime": 1}]
    assert [result.status for result in harness.send(*events)] == [201, 201, 201]
    assert harness.history("call-1") == [("call_initiated", False), ("call_routed", False), ("call_answered", False)]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [RuntimeError]
    assert harness.rows("select calls from outbox") == [{"calls": ["call-1"]}], "it is sent later"


def test_an_agents_event_that_fails_takes_no_calls_event_along(
    harness: Harness, noted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness.services.agents, "change", broken)
    harness.services = replace(harness.services, log_failure=noted.append)
    changed = {"event": "agent_status_changed", "agentId": "interpreter-01", "status": "away"}
    assert [result.status for result in harness.send(initiated("call-1"), changed, routed("call-1"))] == [201, 500, 201]
    assert noted == [None]


def test_an_error_during_a_transaction_spares_the_next_one(
    harness: Harness, other_connection: psycopg.Connection[Any], database_url: str
) -> None:
    """psycopg takes statements for prepared that were sent behind a failed one."""
    begin = "insert into calls_live (id, recorded_since) values ('call-1', now())"
    other_connection.execute(begin)
    now, disarmed = harness.clock.now(), {("call-1", TimerKind.ANSWER)}
    with closing(Database(database_url)) as database:
        transactions = PostgresTransactions(database)
        for _ in range(2):  # a `rollback` that is prepared itself makes psycopg forget nothing any more
            with transactions.begin() as unit_of_work:
                unit_of_work.load((), (), ["medical_spanish"])
        with transactions.begin() as unit_of_work:
            unit_of_work.write(CallUpdates(disarmed=disarmed), now)
        with pytest.raises(RuntimeError), transactions.begin() as unit_of_work:
            unit_of_work.write(
                CallUpdates([CallRecord("call-1")], disarmed=disarmed), now
            )  # waits for the other, and fails
            other_connection.commit()
            broken()
        with transactions.begin() as unit_of_work:
            unit_of_work.write(CallUpdates(disarmed=disarmed), now)
            assert unit_of_work.reserve_positions(1).positions
