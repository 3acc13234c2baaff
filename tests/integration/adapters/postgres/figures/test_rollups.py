"""Rollups are the calls on the shelf, whatever was shelved, taken back and shelved again."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.database import rollups
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.usecases.sweep.archive_calls import ARCHIVE_AFTER, archive_calls
from tests.support.calls import missed, story
from tests.support.figures import figures
from tests.support.harness import Harness


def shelve_all(harness: Harness) -> None:
    while archive_calls(harness.sweep_services.transactions, harness.clock.now() + 2 * ARCHIVE_AFTER):
        pass


def differing(harness: Harness) -> int:
    return sum(found for _, found in rollups.compare(harness.database.connection()))


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.deep), pytest.param(2, marks=pytest.mark.deep)])
def test_rollups_and_calls_alike_give_the_same_figures(harness: Harness, seed: int) -> None:
    """Calls over two days, some with a late event that takes them off the shelf again."""
    chance = random.Random(seed)
    for number in range(30):
        at = harness.clock.at(chance.randrange(-170_000, -4_000))
        events = [
            event | {"eventId": f"{number}-{n}", "occurredAt": (at + timedelta(seconds=9 * n)).isoformat()}
            for n, event in enumerate(_lived(number))
        ]
        harness.send(*events[:-1] or events)
        if number % 10 == 0:
            shelve_all(harness)
        harness.send(*events)
    shelve_all(harness)
    for number in chance.sample(range(30), 8):
        harness.one(
            "call_hold", f"call-{number:03}", holdDuration=70, occurredAt=harness.clock.at(-175_000).isoformat()
        )
        harness.one("call_ended", f"call-{number:03}", endReason="failed", duration=0)
    assert harness.rows("select count(*) as n from call_rollups")[0]["n"] > 0
    assert differing(harness) == 0
    _alike(harness)
    shelve_all(harness)
    _alike(harness)
    assert differing(harness) == 0


def _lived(number: int) -> list[dict[str, Any]]:
    """Each third was missed first: by one or two of three agents, who took some of the others."""
    if number % 3:
        return story(number)
    who = [f"agent-{n % 3}" for n in range(number // 3, number // 3 + 1 + number % 2)]
    return missed(f"call-{number:03}", *who, taken_by="agent-1" if number % 4 else None)


def _alike(harness: Harness) -> None:
    span = {"from": harness.clock.at(-171_123).isoformat(), "to": harness.clock.at(-11).isoformat()}
    for bucket in ("", "5m", "1h", "1d"):
        for group in ("", "queue", "agent", "queue,language,type", "agent,queue"):
            for zone in ("UTC", "Europe/Madrid", "+05:30", "-03:13"):
                asked = {
                    **span,
                    "zone": zone,
                    **({"bucket": bucket} if bucket else {}),
                    **({"groupBy": group} if group else {}),
                    **({"agentId": "agent-0,agent-1"} if zone == "UTC" else {}),
                }
                assert figures(harness, rolled=True, **asked) == figures(harness, rolled=False, **asked), asked


@pytest.mark.parametrize("bucket", ["1h", "1d"])
def test_days_shifted_by_half_an_hour_are_separate_buckets(harness: Harness, bucket: str) -> None:
    """On Lord Howe Island, in winter: between a beginning and an end in summer."""
    for minute in (15, 45):
        begun = {"occurredAt": f"2025-07-01T13:{minute}:00Z", "callId": f"call-{minute}"}
        harness.send({"event": "call_initiated", "type": "voice", "queueId": "medical_spanish", **begun})
        harness.send({"event": "call_ended", "endReason": "abandoned", "duration": 0, **begun})
    shelve_all(harness)
    summers = {"from": "2025-02-01T00:00:00Z", "to": "2025-11-01T00:00:00Z"}
    asked = {**summers, "zone": "Australia/Lord_Howe", "bucket": bucket}
    assert [row["offered"] for row in figures(harness, rolled=True, **asked)] == [1, 1]
    assert figures(harness, rolled=True, **asked) == figures(harness, rolled=False, **asked)


@pytest.mark.parametrize("bucket", ["30m", "1h", "1d"])
@pytest.mark.parametrize(
    ("zone", "begin", "hours"),
    [
        ("Europe/Madrid", "2025-03-28T23:00:00Z", 23),
        ("Europe/Madrid", "2025-10-24T22:00:00Z", 25),
        ("Africa/Cairo", "2025-04-23T22:00:00Z", 23),  # from 0 to 1 at midnight
        ("America/Havana", "2025-11-01T04:00:00Z", 25),  # from 1 to 0: two midnights
        ("Australia/Lord_Howe", "2025-04-04T13:00:00Z", 24.5),
    ],
)
def test_buckets_are_contiguous_when_clocks_change(
    harness: Harness, zone: str, begin: str, hours: float, bucket: str
) -> None:
    """The second of three days is shorter or longer: each bucket counts what lies between its ends."""
    since = datetime.fromisoformat(begin)
    until = since + timedelta(hours=48 + hours)
    here = [since + timedelta(minutes=25 * n) for n in range((until - since) // timedelta(minutes=25))]
    starts = [{"occurredAt": at.isoformat(), "callId": f"call-{n}"} for n, at in enumerate(here)]
    call = {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish"}
    harness.send(*(call | at for at in starts), history=True)
    signed_in = {
        "event": "agent_status_changed",
        "agentId": "interpreter-01",
        "status": "available",
        "occurredAt": begin,
    }
    harness.send(signed_in, signed_in | {"status": "offline", "occurredAt": until.isoformat()})
    harness.update_agent_time()
    for rolled in (True, False):
        asked = {"from": begin, "to": until.isoformat(), "zone": zone, "bucket": bucket}
        rows = figures(harness, rolled=rolled, **asked)
        parts = [(datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"])) for row in rows]
        assert [start for start, _ in parts] == [since, *(end for _, end in parts[:-1])]
        if bucket == "1d":
            assert [end - start for start, end in parts] == [timedelta(hours=h) for h in (24, hours, 24)]
        assert [row["offered"] for row in rows] == [sum(start <= at < end for at in here) for start, end in parts]
        assert [row["agentTime"]["staffed"] for row in rows] == [(end - start).total_seconds() for start, end in parts]


def test_a_rebuild_corrects_differences(harness: Harness) -> None:
    harness.send(*(event for number in range(10) for event in story(number)))
    shelve_all(harness)
    harness.rows("update call_rollups set offered = offered + 1 where grain = '1h'")
    assert differing(harness) > 0
    connection = harness.database.connection()
    for month in rollups.months(connection):
        rollups.rebuild(connection, month)
    assert differing(harness) == 0


def test_a_month_that_was_dropped_keeps_its_figures(harness: Harness) -> None:
    harness.send(*(event for number in range(10) for event in story(number)))
    shelve_all(harness)
    before = harness.rows("select * from call_rollups order by grain, start, queue_id, language, type, agent_id")
    (month,) = rollups.months(harness.database.connection())
    harness.rows(f"drop table calls_{month.beginning:%Y_%m}")
    assert differing(harness) == 0
    assert (
        harness.rows("select * from call_rollups order by grain, start, queue_id, language, type, agent_id") == before
    )


def test_late_events_keep_the_rollups_of_a_deleted_month(harness: Harness) -> None:
    def offered() -> int:
        asked = {"from": "2025-12-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
        return figures(harness, rolled=True, **asked)[0]["offered"]

    connection = harness.database.connection()
    harness.send(*(event for number in (4, 8, 12) for event in story(number)))
    shelve_all(harness)
    (known,) = rollups.months(connection)
    march = datetime(2026, 3, 1, tzinfo=UTC)
    PostgresHousekeeping(harness.database, "this-one", lambda: None, keep_months=1).tidy(march)
    assert (offered(), rollups.months(connection)) == (3, [])

    harness.send(
        *(event | {"callId": "late", "eventId": f"late-{n}"} for n, event in enumerate(story(4))), history=True
    )
    shelve_all(harness)
    assert harness.rows("select id from calls") == [{"id": "late"}]
    assert (offered(), rollups.months(connection), differing(harness)) == (4, [], 0)
    assert rollups.differing(connection, known) == 0
    rollups.rebuild(connection, known)  # which knew of the month before it was forgotten
    assert offered() == 4
