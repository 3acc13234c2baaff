"""Ended calls are archived by month, and a late event takes its call out of the archive."""

import threading
from datetime import UTC, datetime
from typing import Any

import psycopg

from shared.adapters.postgres.figures import archive
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.usecases.sweep.archive_calls import ARCHIVE_AFTER, archive_calls
from tests.support.clock import Clock
from tests.support.harness import Harness, answer_of

LATER = ARCHIVE_AFTER.total_seconds() + 300
LIFE: list[dict[str, Any]] = [
    {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish", "occurredAt": "2026-01-31T12:00:00Z"},
    {"event": "call_routed", "agentId": "interpreter-01", "routingTime": 1, "occurredAt": "2026-01-31T12:00:02Z"},
    {"event": "call_answered", "waitTime": 5, "occurredAt": "2026-01-31T12:00:05Z"},
    {"event": "call_hold", "holdDuration": 70, "occurredAt": "2026-01-31T12:00:09Z"},
    {"event": "call_ended", "endReason": "completed", "duration": 90, "occurredAt": "2026-01-31T12:01:35Z"},
]  # fmt: skip


def life(call_id: str = "call-1", *, but_for: int = -1) -> list[dict[str, Any]]:
    return [event | {"callId": call_id, "eventId": f"{call_id}-{n}"} for n, event in enumerate(LIFE) if n != but_for]


def live(harness: Harness, events: list[dict[str, Any]]) -> None:
    """The call's life, until its agent has wrapped up."""
    assert {result.status for result in harness.send(*events)} <= {201, 202}
    harness.clock.go_to(200)
    harness.sweep()


def put_away(harness: Harness, limit: int = 50) -> int:
    harness.clock.go_to(LATER)
    shelved = 0
    while found := archive_calls(harness.services.transactions, harness.clock.now(), limit):
        shelved += found
    return shelved


def places(harness: Harness) -> dict[str, str]:
    return {row["id"]: row["place"] for row in harness.rows("select id, tableoid::regclass::text as place from calls")}


def record(harness: Harness) -> dict[str, Any]:
    return {
        "call": harness.call(),
        "events": harness.rows("select id, name, at, state, version from events order by at, id"),
        "agents": harness.rows("select id, status, status_since, call_id from agents order by id"),
        "timers": harness.rows("select * from timers"),
    }


def test_ended_calls_without_open_work_are_archived(harness: Harness) -> None:
    live(harness, [*life(), *life("open", but_for=4), *life("owing")])
    harness.rows("insert into timers (call_id, kind, due_at) values ('owing', 'deferred', now())")
    assert archive_calls(harness.services.transactions, harness.clock.now()) == 0, "too early"

    before = record(harness)
    assert put_away(harness) == 1
    assert places(harness) == {"call-1": "calls_2026_01", "open": "calls_live", "owing": "calls_live"}
    assert record(harness) == before


def test_a_late_event_makes_the_same_of_a_shelved_call_as_of_any(harness: Harness) -> None:
    missing = 3
    for call_id in ("call-1", "kept"):
        live(harness, life(call_id, but_for=missing))
    harness.rows("update calls_live set settled_at = null where id = 'kept'")
    put_away(harness)
    assert places(harness) == {"call-1": "calls_2026_01", "kept": "calls_live"}
    statuses = [harness.send(life(call_id)[missing])[0].status for call_id in ("call-1", "kept")]
    assert statuses == [201, 201]
    assert places(harness) == dict.fromkeys(("call-1", "kept"), "calls_live")
    shelved, kept = harness.call("call-1"), harness.call("kept")
    assert shelved | {"id": "kept"} == kept
    assert harness.history("call-1") == harness.history("kept")
    assert harness.send(*life())[-1].status == 200


def test_a_copy_of_an_event_leaves_its_call_on_the_shelf(harness: Harness) -> None:
    live(harness, life())
    put_away(harness)
    (again,) = harness.send(life()[2])
    assert again.status == 200
    assert answer_of(again)["call"]["status"] == "ended"
    assert places(harness) == {"call-1": "calls_2026_01"}


def test_events_that_come_while_calls_are_shelved_are_not_lost(harness: Harness, database_url: str) -> None:
    calls = [f"call-{n}" for n in range(24)]
    for call_id in calls:
        live(harness, life(call_id, but_for=3))
    harness.clock.go_to(LATER)
    start, failures = threading.Barrier(3), list[BaseException]()

    def at_once(work: Any) -> None:
        mine = Harness(database_url, Clock())
        mine.clock.go_to(LATER)
        start.wait()
        try:
            work(mine)
        except BaseException as failure:
            failures.append(failure)
        mine.database.close()

    def send(mine: Harness) -> None:
        for call_id in calls:
            assert mine.send(life(call_id)[3])[0].status == 201

    def sweep(mine: Harness) -> None:
        for _ in calls:
            archive_calls(mine.services.transactions, mine.clock.now(), 3)

    threads = [threading.Thread(target=at_once, args=[work]) for work in (send, sweep, sweep)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert {harness.call(call_id)["holdSeconds"] for call_id in calls} == {70}
    assert len(harness.rows("select id from calls")) == len(calls)
    assert len(harness.rows("select id from events where source = 'telephony'")) == len(calls) * len(LIFE)


def test_the_month_of_the_log_is_there_before_its_first_event(harness: Harness) -> None:
    early = harness.send(life()[0])[0]
    assert early.status == 201
    PostgresHousekeeping(harness.database, "this-one", lambda: None).tidy(harness.clock.now())
    (row,) = harness.rows("select tableoid::regclass::text as place from events")
    assert row["place"] == "events_2026_01"
    harness.clock.go_to(24 * 3600)
    harness.one("call_resumed", "early")
    assert harness.rows("select tableoid::regclass::text as place from events where call_id = 'early'") == [
        {"place": "events_2026_02"}
    ]


def test_only_recent_months_get_a_partition() -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    started = [datetime(1999, 8, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC), now]
    assert archive.months(started, now) == [datetime(2026, 1, 1, tzinfo=UTC)]


def history(harness: Harness) -> set[str]:
    """The months of 2026 until March that are there."""
    found = harness.rows(
        "select relname from pg_class where relkind = 'r' and relname ~ '^(calls|events)_2026_0[123]$'"
    )
    return {row["relname"] for row in found}


def tidy(harness: Harness, now: datetime, keep_months: int) -> None:
    for _ in range(3):
        PostgresHousekeeping(harness.database, "this-one", lambda: None, keep_months).tidy(now)


def test_months_are_deleted_with_their_calls_and_logs(harness: Harness) -> None:
    april, january = datetime(2026, 4, 1, tzinfo=UTC), {"calls_2026_01", "events_2026_01"}
    tidy(harness, harness.clock.now(), 0)
    live(harness, [*life(), *life("open", but_for=4)])
    put_away(harness)
    tidy(harness, april, 0)
    assert history(harness) >= january, "as it comes, all is kept"
    tidy(harness, datetime(2026, 2, 28, 23, 59, tzinfo=UTC), 1)
    assert history(harness) >= january
    tidy(harness, datetime(2026, 3, 1, tzinfo=UTC), 1)
    assert history(harness) & january == {"events_2026_01"}
    tidy(harness, april, 1)
    assert history(harness) & january == {"events_2026_01"}, "a call is open that has events in it"
    assert len(harness.history("open")) == 4
    harness.one("call_ended", "open", endReason="completed", duration=9)
    harness.clock.go_to(LATER + 200)
    harness.sweep()
    harness.clock.go_to(2 * LATER + 200)
    assert archive_calls(harness.services.transactions, harness.clock.now()) == 1
    tidy(harness, april, 1)
    assert history(harness) & january == set()
    assert harness.reads.call("open") is None


def test_calls_without_a_month_of_their_own_are_forgotten_too(harness: Harness) -> None:
    """So old that none is made for them."""
    times = ("1999-08-01T10:00:00Z", "1999-08-01T10:00:05Z")
    ended = {"event": "call_ended", "endReason": "abandoned", "duration": 0}
    for call_id in ("first", "second"):
        events = [
            event | {"callId": call_id, "occurredAt": at} for event, at in zip((LIFE[0], ended), times, strict=True)
        ]
        harness.send(*events, history=True)
    assert put_away(harness) == 2
    assert set(places(harness).values()) == {"calls_other"}
    tidy(harness, harness.clock.now(), 0)
    assert len(places(harness)) == 2, "as it comes, all is kept"
    tidy(harness, harness.clock.now(), 1)
    assert places(harness) == {}
    assert harness.rows("select sum(offered)::int as offered from call_rollups where grain = '1d'") == [{"offered": 2}]


def test_a_month_in_use_is_deleted_later(harness: Harness, database_url: str) -> None:
    tidy(harness, harness.clock.now(), 0)
    live(harness, life())
    put_away(harness)
    with psycopg.connect(database_url) as reader:
        reader.execute("select count(*) from calls")
        tidy(harness, datetime(2026, 3, 1, tzinfo=UTC), 1)
        assert "calls_2026_01" in history(harness)
    tidy(harness, datetime(2026, 3, 1, tzinfo=UTC), 1)
    assert "calls_2026_01" not in history(harness)
