"""Calls are rebuilt from their logs: records that differ are found and repaired."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.database import rebuild
from shared.usecases.recording.rebuild_call import Difference, repair
from shared.usecases.sweep.archive_calls import ARCHIVE_AFTER, archive_calls
from tests.support.clock import Clock
from tests.support.harness import Harness

SWITCHBOARD = Path(sys.executable).with_name("switchboard")


@pytest.fixture
def lived(harness: Harness, clock: Clock) -> Harness:
    """Calls in all states: late and early events, a re-route, a hold too long, a dead letter, an anchor."""
    for n in range(12):
        harness.one("call_initiated", f"call-{n}", type="voice", queueId="medical_spanish", language="es")
        harness.one("call_routed", f"call-{n}", agentId=f"own-{n}", routingTime=1)
    harness.one("call_ended", "anchor", endReason="completed", duration=5)
    for n in range(3, 12):
        clock.go_to(3 + n)
        harness.one("call_answered", f"call-{n}", waitTime=4)
        harness.one("call_hold", f"call-{n}", holdDuration=0)
    clock.go_to(40)
    harness.sweep()
    harness.offer_waiting()
    for n in range(6, 9):
        harness.one("call_ended", f"call-{n}", endReason="completed", duration=9)
    late = harness.clock.at(14).isoformat()
    harness.one("call_answered", "call-0", waitTime=14, occurredAt=late)  # disproves its re-route
    clock.go_to(200)
    harness.sweep()
    return harness


def found(url: str) -> list[Difference]:
    return [difference for _, batch in rebuild.compare(url) for difference in batch]


def test_records_match_their_log(lived: Harness, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(database_url) == []
    monkeypatch.setattr(rebuild, "CALLS_PER_BATCH", 5)
    folded = [calls for calls, _ in rebuild.compare(database_url)]
    assert folded == [5, 5, 3]
    assert sum(folded) == rebuild.count(database_url)
    assert {row["state"] for row in lived.rows("select distinct state from events")} >= {"applied", "void", "dead"}


def test_a_corrupted_call_is_found_and_repaired(lived: Harness, database_url: str, clock: Clock) -> None:
    before = lived.call("call-7")
    lived.rows("update calls set wait_seconds = 999, status = 'waiting', ended_at = null where id = 'call-7'")
    differing = found(database_url)
    assert {difference.call_id for difference in differing} == {"call-7"}
    assert Difference("call-7", "wait_seconds", 999, 4) in differing
    assert repair(lived.sweep_services.transactions, "call-7", clock.now())
    assert found(database_url) == []
    after = lived.call("call-7")
    assert after.pop("version") == before.pop("version") + 1, "clients that have the wrong call take the right one"
    assert after == before
    assert not repair(lived.sweep_services.transactions, "call-7", clock.now())


def test_a_call_that_outlived_its_log_is_left_as_it_is(harness: Harness, database_url: str, clock: Clock) -> None:
    """Its beginning's month of the log was forgotten, and with it perhaps not all of its events."""
    harness.one("call_initiated", type="voice", queueId="medical_spanish")
    clock.go_to(40)
    harness.one("call_ended", endReason="abandoned", duration=0)
    before = harness.call()
    for forgotten in ("call_initiated", "%"):
        harness.rows("delete from events where name like %s", forgotten)
        assert found(database_url) == []
        assert not repair(harness.sweep_services.transactions, "call-1", clock.now())
    assert harness.call() == before


def test_the_command_tells_repairs_and_says_so_by_its_exit_code(lived: Harness, database_url: str) -> None:
    def run(*options: str) -> tuple[int, str]:
        command = [SWITCHBOARD, "rebuild", "--database-url", database_url, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.strip()

    while archive_calls(lived.sweep_services.transactions, lived.clock.now() + 2 * ARCHIVE_AFTER):
        pass
    assert run()[0] == 0
    lived.rows("update calls set wait_seconds = 999 where id = 'call-7'")
    lived.rows("update call_rollups set offered = offered + 1 where grain = '1h'")
    code, output = run()
    assert (code, "13 calls compared, 1 differences." in output) == (1, True)
    assert "2026-01: " in output
    code, output = run("--repair")
    assert (code, "1 calls repaired." in output, "1 months repaired." in output) == (1, True, True)
    assert run()[0] == 0
