"""`kill -9` at every round trip of ingest and sweep, before it is sent and after it was answered; then recovery."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest

from infra.local.postgres import Postgres
from shared.adapters.postgres.recording.unit_of_work import PostgresUnitOfWork
from shared.usecases.sweep.archive_calls import archive_calls
from tests.support.clock import Clock
from tests.support.databases import copy_of
from tests.support.harness import Harness

VOICE = {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish"}
ROUTED = {"event": "call_routed", "routingTime": 1}
# A minute of three calls: a batch, an early event, lapsed offers, a breach, a wrap-up. An hour later one of them is
# shelved, and taken off the shelf by an event that is late.
SCRIPT: list[tuple[float, list[dict[str, Any]]]] = [
    (0, [VOICE | {"callId": "one"}]),
    (1, [VOICE | {"callId": "two"}, ROUTED | {"callId": "two", "agentId": "interpreter-02"}]),
    (2, [ROUTED | {"callId": "one", "agentId": "interpreter-01"}]),
    (3, [{"event": "call_answered", "callId": "three", "waitTime": 1}]),
    (4, [VOICE | {"callId": "three"}, ROUTED | {"callId": "three", "agentId": "interpreter-03"}]),
    (17.5, []),
    (20, [{"event": "call_answered", "callId": "two", "waitTime": 19}]),
    (24, [{"event": "call_ended", "callId": "three", "endReason": "completed", "duration": 20}]),
    (32, []),
    (50, []),
    (3700, []),
    (3750, [{"event": "call_hold", "callId": "three", "holdDuration": 5, "occurredAt": "2026-01-31T12:00:10Z"}]),
]  # fmt: skip


def play(harness: Harness) -> list[float]:
    """Send each event, again if need be, as a sender does that got no answer; sweep after each step.

    The seconds at which calls were shelved.
    """
    shelved: list[float] = []
    for second, events in SCRIPT:
        harness.clock.go_to(second)
        named = [event | {"eventId": f"{second}-{number}"} for number, event in enumerate(events)]
        if named:
            assert {result.status for result in harness.send(*named)} <= {200, 201, 202}
        harness.sweep()
        if archive_calls(harness.services.transactions, harness.clock.now()):
            shelved.append(second)
    return shelved


def outcome(harness: Harness) -> dict[str, Any]:
    """All of the record that does not depend on who wrote it: ids of the system's own events and positions do."""
    events = "select call_id, name, data, at, state, version from events order by call_id, at, name"
    return {
        "calls": [harness.call(call_id) for call_id in ("one", "two", "three")],
        "events": harness.rows(events),
        "agents": harness.rows("select id, status, status_since, call_id, reason from agents order by id"),
        "timers": harness.rows("select * from timers order by call_id, kind"),
        "untold": harness.rows(
            "select calls, agents, count(*) as transactions from outbox group by 1, 2 order by 1, 2"
        ),
    }


class Databases:
    """A fresh database for each death."""

    def __init__(self, server: Postgres, template: str) -> None:
        self._server, self._template = server, template

    @contextmanager
    def harness(self) -> Iterator[tuple[Harness, str]]:
        with copy_of(self._server, self._template) as url:
            harness = Harness(url, Clock())
            harness.rows(
                "update agents set status_since = '2026-01-01'::timestamptz + substr(id, 13)::int * interval '1 s'"
            )
            yield harness, url
            harness.database.close()


@pytest.fixture
def databases(postgres_server: Postgres, template_database: str) -> Databases:
    return Databases(postgres_server, template_database)


def die_at(url: str, step: int, *, answered: bool) -> bool:
    """Play in a process of its own that is killed at this round trip; whether it got that far."""
    child = os.fork()
    if child == 0:
        _arm(step, answered=answered)
        try:
            play(Harness(url, Clock()))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _arm(step: int, *, answered: bool) -> None:
    original, steps = PostgresUnitOfWork._run, count()

    def run(self: PostgresUnitOfWork, queries: Any, **options: Any) -> Any:
        mine = next(steps) == step
        if mine and not answered:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(self, queries, **options)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    PostgresUnitOfWork._run = run  # type: ignore[method-assign]


@pytest.mark.deep
@pytest.mark.parametrize("answered", [False, True], ids=["before it is sent", "after it was answered"])
def test_a_kill_at_any_round_trip_loses_and_repeats_nothing(databases: Databases, answered: bool) -> None:
    with databases.harness() as (undisturbed, _):
        assert play(undisturbed) == [3700]
        expected = outcome(undisturbed)
    assert {event["name"] for event in expected["events"]} >= {"answer_timed_out", "call_rerouted", "sla_breached"}

    deaths = 0
    for step in count():
        with databases.harness() as (harness, url):
            if not die_at(url, step, answered=answered):
                break
            play(harness)
            assert outcome(harness) == expected, f"killed at round trip {step}"
            harness.assert_no_orphans()
            deaths += 1
    assert deaths > 20
