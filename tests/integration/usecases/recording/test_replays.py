"""A copy is known by its id, however long ago the event was, and at the same cost however long the log is."""

from datetime import timedelta
from typing import Any

from shared.adapters.postgres.recording import statements
from tests.support.harness import Harness

VOICE = {"type": "voice", "queueId": "medical_spanish"}
MONTH_SECONDS = timedelta(days=31).total_seconds()


def test_copies_are_recognised_after_months(harness: Harness) -> None:
    assert harness.one("call_initiated", eventId="first", **VOICE).status == 201
    assert harness.one("call_ended", eventId="second", endReason="abandoned", duration=0).status == 201
    harness.clock.sleep(MONTH_SECONDS - 60)
    for months in range(13):
        harness.rows("select make_month('events', %s)", harness.clock.at(0) + timedelta(days=30 * months))
    assert harness.one("call_initiated", "call-2", eventId="first", **VOICE).status == 422
    harness.clock.sleep(10 * MONTH_SECONDS)
    assert harness.archive_calls() == 1
    assert harness.one("call_initiated", eventId="first", **VOICE).status == 200
    assert harness.one("call_ended", eventId="second", endReason="failed", duration=0).status == 422
    assert harness.one("call_initiated", "call-2", eventId="first", **VOICE).status == 201


def test_a_log_of_many_months_costs_no_more_than_one_of_few(harness: Harness) -> None:
    for months in range(30):
        harness.rows("select make_month('events', %s)", harness.clock.now() - timedelta(days=30 * months))
    harness.one("call_initiated", **VOICE)
    parameters = {"ids": ["a", "b"], "calls": ["call-1", "call-2"], "since": harness.clock.now() - timedelta(days=31)}
    connection = harness.database.connection()
    (plan,) = connection.execute(f"explain (analyze, format json) {statements.KNOWN_EVENTS}", parameters).fetchone()  # type: ignore[misc, arg-type]
    looked = looked_at(plan[0]["Plan"])
    assert "events_2026_01" in looked and [month for month in looked if month < "events_2025_12"] == []


def looked_at(node: dict[str, Any]) -> list[str]:
    mine = (
        [node["Relation Name"]]
        if node.get("Actual Loops") and node.get("Relation Name", "").startswith("events")
        else []
    )
    return mine + [name for inner in node.get("Plans", ()) for name in looked_at(inner)]


def test_a_copy_is_known_though_its_call_was_forgotten(harness: Harness) -> None:
    """As long as the log has the original: the call's month went before the log's, or it would be counted twice."""
    harness.rows("select make_month('events', %s)", harness.clock.at(0))
    fields = {"eventId": "first", "occurredAt": harness.clock.at(0).isoformat(), **VOICE}
    assert harness.one("call_initiated", **fields).status == 201
    harness.rows("delete from timers")
    harness.rows("delete from calls")
    harness.clock.sleep(MONTH_SECONDS + 3 * 86400)
    assert harness.one("call_initiated", **fields).status == 200
