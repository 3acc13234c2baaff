"""Calls that are over are shelved by months, and a late event takes its call off the shelf: nobody notices either."""

import threading
from datetime import UTC, datetime
from typing import Any

import psycopg

from shared.adapters.postgres.figures import archive
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.usecases.sweep.archive_calls import SHELVE_AFTER, shelve
from tests.support.clock import Clock
from tests.support.harness import Harness, answer_of

LATER = SHELVE_AFTER.total_seconds() + 300
LIFE: list[dict[str, Any]] = [
    {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish", "occurredAt": "2026-01-31T12:00:00Z"},
    {"event": "call_routed", "agentId": "interpreter-01", "routingTime": 1, "occurredAt": "2026-01-31T12:00:02Z"},
    {"event": "call_answered", "waitTime": 5, "occurredAt": "2026-01-31T12:00:05Z"},
    {"event": "call_hold", "holdDuration": 70, "occurredAt": "2026-01-31T12:00:09Z"},
    {"event": "call_ended", "endReason": "completed", "duration": 90, "occurredAt": "2026-01-31T12:01:35Z"},
]  # fmt: skip


def life(call_id: str = "call-1", *, but_for: int = -1) -> list[dict[str, Any]]:
    return [event | {"callId": call_id, "eventId": f"{call_id}-{n}"} for n, event in enumerate(LIFE) if n != but_for]


def live(floor: Harness, events: list[dict[str, Any]]) -> None:
    """The call's life, until its agent has wrapped up."""
    assert {result.status for result in floor.send(*events)} <= {201, 202}
    floor.clock.go_to(200)
    floor.sweep()


def put_away(floor: Harness, limit: int = 50) -> int:
    floor.clock.go_to(LATER)
    shelved = 0
    while found := shelve(floor.services.transactions, floor.clock.now(), limit):
        shelved += found
    return shelved


def places(floor: Harness) -> dict[str, str]:
    return {row["id"]: row["place"] for row in floor.rows("select id, tableoid::regclass::text as place from calls")}


def record(floor: Harness) -> dict[str, Any]:
    return {
        "call": floor.call(),
        "events": floor.rows("select id, name, at, state, version from events order by at, id"),
        "agents": floor.rows("select id, status, status_since, call_id from agents order by id"),
        "timers": floor.rows("select * from timers"),
    }


def test_ended_calls_without_open_work_are_archived(floor: Harness) -> None:
    live(floor, [*life(), *life("open", but_for=4), *life("owing")])
    floor.rows("insert into timers (call_id, kind, due_at) values ('owing', 'deferred', now())")
    assert shelve(floor.services.transactions, floor.clock.now()) == 0, "too early"

    before = record(floor)
    assert put_away(floor) == 1
    assert places(floor) == {"call-1": "calls_2026_01", "open": "calls_live", "owing": "calls_live"}
    assert record(floor) == before


def test_a_late_event_makes_the_same_of_a_shelved_call_as_of_any(floor: Harness) -> None:
    missing = 3
    for call_id in ("call-1", "kept"):
        live(floor, life(call_id, but_for=missing))
    floor.rows("update calls_live set settled_at = null where id = 'kept'")
    put_away(floor)
    assert places(floor) == {"call-1": "calls_2026_01", "kept": "calls_live"}
    statuses = [floor.send(life(call_id)[missing])[0].status for call_id in ("call-1", "kept")]
    assert statuses == [201, 201]
    assert places(floor) == dict.fromkeys(("call-1", "kept"), "calls_live")
    shelved, kept = floor.call("call-1"), floor.call("kept")
    assert shelved | {"id": "kept"} == kept
    assert floor.history("call-1") == floor.history("kept")
    assert floor.send(*life())[-1].status == 200


def test_a_copy_of_an_event_leaves_its_call_on_the_shelf(floor: Harness) -> None:
    live(floor, life())
    put_away(floor)
    (again,) = floor.send(life()[2])
    assert again.status == 200
    assert answer_of(again)["call"]["status"] == "ended"
    assert places(floor) == {"call-1": "calls_2026_01"}


def test_events_that_come_while_calls_are_shelved_are_not_lost(floor: Harness, database_url: str) -> None:
    calls = [f"call-{n}" for n in range(60)]
    for call_id in calls:
        live(floor, life(call_id, but_for=3))
    floor.clock.go_to(LATER)
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
            shelve(mine.services.transactions, mine.clock.now(), 3)

    threads = [threading.Thread(target=at_once, args=[work]) for work in (send, sweep, sweep)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert {floor.call(call_id)["holdSeconds"] for call_id in calls} == {70}
    assert len(floor.rows("select id from calls")) == len(calls)
    assert len(floor.rows("select id from events where source = 'telephony'")) == len(calls) * len(LIFE)


def test_the_month_of_the_log_is_there_before_its_first_event(floor: Harness) -> None:
    early = floor.send(life()[0])[0]
    assert early.status == 201
    PostgresHousekeeping(floor.database, "this-one", lambda: None).tidy(floor.clock.now())
    (row,) = floor.rows("select tableoid::regclass::text as place from events")
    assert row["place"] == "events_2026_01"
    floor.clock.go_to(24 * 3600)
    floor.one("call_resumed", "early")
    assert floor.rows("select tableoid::regclass::text as place from events where call_id = 'early'") == [
        {"place": "events_2026_02"}
    ]


def test_only_recent_months_get_a_partition() -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    started = [datetime(1999, 8, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC), now]
    assert archive.months(started, now) == [datetime(2026, 1, 1, tzinfo=UTC)]


def history(floor: Harness) -> set[str]:
    """The months of 2026 until March that are there."""
    found = floor.rows("select relname from pg_class where relkind = 'r' and relname ~ '^(calls|events)_2026_0[123]$'")
    return {row["relname"] for row in found}


def tidy(floor: Harness, now: datetime, keep_months: int) -> None:
    for _ in range(3):
        PostgresHousekeeping(floor.database, "this-one", lambda: None, keep_months).tidy(now)


def test_months_are_deleted_with_their_calls_and_logs(floor: Harness) -> None:
    april, january = datetime(2026, 4, 1, tzinfo=UTC), {"calls_2026_01", "events_2026_01"}
    tidy(floor, floor.clock.now(), 0)
    live(floor, [*life(), *life("open", but_for=4)])
    put_away(floor)
    tidy(floor, april, 0)
    assert history(floor) >= january, "as it comes, all is kept"
    tidy(floor, datetime(2026, 2, 28, 23, 59, tzinfo=UTC), 1)
    assert history(floor) >= january
    tidy(floor, datetime(2026, 3, 1, tzinfo=UTC), 1)
    assert history(floor) & january == {"events_2026_01"}
    tidy(floor, april, 1)
    assert history(floor) & january == {"events_2026_01"}, "a call is open that has events in it"
    assert len(floor.history("open")) == 4
    floor.one("call_ended", "open", endReason="completed", duration=9)
    floor.clock.go_to(LATER + 200)
    floor.sweep()
    floor.clock.go_to(2 * LATER + 200)
    assert shelve(floor.services.transactions, floor.clock.now()) == 1
    tidy(floor, april, 1)
    assert history(floor) & january == set()
    assert floor.reads.call("open") is None


def test_calls_without_a_month_of_their_own_are_forgotten_too(floor: Harness) -> None:
    """So old that none is made for them."""
    times = ("1999-08-01T10:00:00Z", "1999-08-01T10:00:05Z")
    ended = {"event": "call_ended", "endReason": "abandoned", "duration": 0}
    for call_id in ("first", "second"):
        events = [
            event | {"callId": call_id, "occurredAt": at} for event, at in zip((LIFE[0], ended), times, strict=True)
        ]
        floor.send(*events, history=True)
    assert put_away(floor) == 2
    assert set(places(floor).values()) == {"calls_other"}
    tidy(floor, floor.clock.now(), 0)
    assert len(places(floor)) == 2, "as it comes, all is kept"
    tidy(floor, floor.clock.now(), 1)
    assert places(floor) == {}
    assert floor.rows("select sum(offered)::int as offered from call_rollups where grain = '1d'") == [{"offered": 2}]


def test_a_month_in_use_is_deleted_later(floor: Harness, database_url: str) -> None:
    tidy(floor, floor.clock.now(), 0)
    live(floor, life())
    put_away(floor)
    with psycopg.connect(database_url) as reader:
        reader.execute("select count(*) from calls")
        tidy(floor, datetime(2026, 3, 1, tzinfo=UTC), 1)
        assert "calls_2026_01" in history(floor)
    tidy(floor, datetime(2026, 3, 1, tzinfo=UTC), 1)
    assert "calls_2026_01" not in history(floor)
