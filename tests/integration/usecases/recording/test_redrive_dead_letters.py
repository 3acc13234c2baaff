"""What was given up: listed with its reason, and redriven by the rules for any other event."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from shared import wiring
from shared.adapters.auth import tokens
from shared.adapters.postgres.recording.dead_letters import PostgresDeadLetters
from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
from shared.adapters.postgres.sweep.vitals import read_vitals
from shared.contracts.answers import RedriveAnswer
from shared.contracts.dead_letters import parse_redrive
from shared.usecases.recording.redrive_dead_letters import redrive
from shared.usecases.sweep.archive_calls import ARCHIVE_AFTER
from tests.support.calls import BASIC_EVENTS
from tests.support.harness import Harness
from tests.support.rest import KEY, Api

INITIATED, ROUTED, ANSWERED = BASIC_EVENTS[:3]
GIVEN_UP_SECONDS = 61


def letters_of(harness: Harness, queues: list[str] | None = None) -> list[dict[str, Any]]:
    page = PostgresDeadLetters(harness.database).page(queues, None, 100)
    return [letter.model_dump(mode="json") for letter in page]


def redriven(harness: Harness, **wanted: Any) -> list[tuple[str, int, str | None]]:
    letters = PostgresDeadLetters(harness.database)
    answer, notices = redrive(harness.services, letters, parse_redrive(wanted), harness.clock.now())
    harness.after_commit(notices)
    words = orjson.dumps(answer)
    answer = orjson.loads(words)
    assert RedriveAnswer.model_validate_json(words).model_dump(mode="json") == answer  # as it is described
    return [(result["id"], result["status"], result.get("outcome")) for result in answer["results"]]


def give_up(harness: Harness, *events: dict[str, Any]) -> None:
    assert [result.status for result in harness.send(*events)] == [202] * len(events)
    harness.clock.go_to(GIVEN_UP_SECONDS)
    assert harness.sweep() == len({event["callId"] for event in events})
    assert len(letters_of(harness)) == len(events)


def test_a_dead_letter_shows_the_event_and_its_reason(harness: Harness) -> None:
    body = ROUTED | {"eventId": "e-2", "occurredAt": "2026-01-31T12:00:00Z", "metadata": {"line": 4}}
    give_up(harness, body)
    (letter,) = letters_of(harness)
    assert letter.pop("body") == body
    assert letter == {
        "id": "e-2",
        "kind": "event",
        "callId": "call-1",
        "queueId": None,
        "type": "call_routed",
        "reason": "Its predecessor never came.",
        "failedAt": "2026-01-31T12:01:01.000Z",
        "attempts": 1,
    }


def test_an_event_that_loses_its_place_gets_a_new_grace_period(harness: Harness) -> None:
    """Its transfer is on its way: the second conversation was heard of first."""
    harness.clock.go_to(3)
    harness.send(
        INITIATED, ROUTED | {"agentId": "ben", "eventId": "second", "occurredAt": harness.clock.at(3).isoformat()}
    )
    harness.clock.go_to(200)
    for event, at in ((ROUTED, 1), (ANSWERED, 2)):
        harness.send(event | {"occurredAt": harness.clock.at(at).isoformat()})
    harness.sweep()
    assert letters_of(harness) == []
    harness.send({"event": "call_transferred", "callId": "call-1", "occurredAt": harness.clock.at(2.5).isoformat()})
    assert harness.rows("select state from events where id = 'second'") == [{"state": "applied"}]


def test_a_redrive_after_the_predecessor_applies_and_publishes(harness: Harness) -> None:
    give_up(harness, ROUTED | {"eventId": "e-2"})
    harness.send(INITIATED)
    assert harness.call()["agentId"] is None
    harness.published.news.clear()

    assert redriven(harness, ids=["e-2"]) == [("e-2", 201, "applied")]
    assert (harness.call()["agentId"], harness.call()["version"]) == ("interpreter-01", 2)
    assert harness.agent("interpreter-01") == ("offered", "call-1")
    assert harness.published.events() == [("call-1", "call_routed")]
    assert harness.rows("select o.txid from outbox o join events e using (txid) where e.id = 'e-2'") != []
    assert {row["kind"] for row in harness.rows("select kind from timers")} >= {"answer", "sla_wait"}
    assert letters_of(harness) == []
    assert redriven(harness, ids=["e-2"]) == [("e-2", 404, None)]


def test_redriven_too_soon_it_waits_for_another_grace(harness: Harness) -> None:
    give_up(harness, ROUTED | {"eventId": "e-2"})
    assert redriven(harness, ids=["e-2"]) == [("e-2", 202, "deferred")]
    harness.clock.go_to(GIVEN_UP_SECONDS + 59)
    assert harness.sweep() == 0
    harness.clock.go_to(GIVEN_UP_SECONDS + 60)
    assert harness.sweep() == 1
    (letter,) = letters_of(harness)
    assert (letter["attempts"], letter["failedAt"]) == (2, "2026-01-31T12:02:01.000Z")
    assert redriven(harness, ids=["e-2"]) == [("e-2", 202, "deferred")]
    harness.send(INITIATED)
    assert harness.call()["agentId"] == "interpreter-01"


def test_a_redrive_of_an_illegal_event_names_the_reason(harness: Harness) -> None:
    dated = "2026-01-31T12:00:{:02}Z".format
    ended = {"event": "call_ended", "callId": "call-1", "endReason": "abandoned", "duration": 0}
    give_up(harness, ROUTED | {"eventId": "e-2", "occurredAt": dated(9)})
    harness.send(INITIATED | {"occurredAt": dated(1)}, ended | {"occurredAt": dated(2)})
    before = harness.call()
    assert redriven(harness, ids=["e-2"]) == [("e-2", 409, None)]
    (letter,) = letters_of(harness)
    assert (letter["reason"], letter["attempts"]) == ("Not possible: the call is ended at that time.", 2)
    assert harness.call() == before


def test_dead_letters_are_redriven_together_in_any_order(harness: Harness) -> None:
    other = {"callId": "call-2", "eventId": "other"}
    give_up(harness, ANSWERED | {"eventId": "e-3"}, ROUTED | {"eventId": "e-2"}, ROUTED | other)
    harness.send(INITIATED)
    harness.clock.go_to(GIVEN_UP_SECONDS + 1)
    assert set(redriven(harness, all=True)) == {
        ("e-3", 201, "applied"),
        ("e-2", 201, "applied"),
        ("other", 202, "deferred"),
    }
    assert harness.call()["status"] == "active"


def test_a_redriven_message_goes_back_to_the_outbox(harness: Harness) -> None:
    harness.send(INITIATED | {"eventId": "e-1"})
    harness.rows("update outbox set failed_at = %s, attempts = 60", harness.clock.now())
    harness.clock.go_to(5)
    (letter,) = letters_of(harness, ["medical_spanish"])
    assert (letter["kind"], letter["queueId"], letter["attempts"]) == ("announcement", "medical_spanish", 60)
    assert letter["body"] == INITIATED | {"eventId": "e-1"}
    assert letters_of(harness, ["legal_english"]) == []

    (before,) = harness.rows("select txid from events")
    assert redriven(harness, all=True) == [("e-1", 202, "requeued")]
    (row,) = harness.rows("select failed_at, attempts, next_attempt_at, txid from outbox")
    assert (row["failed_at"], row["attempts"], row["next_attempt_at"]) == (None, 0, harness.clock.now())
    assert row["txid"] > before["txid"], "a feed that has passed the event must see it again"
    assert letters_of(harness) == []


def test_a_refused_event_leaves_no_dead_letter(harness: Harness) -> None:
    assert [result.status for result in harness.send(INITIATED, INITIATED | {"eventId": "again"})] == [201, 409]
    assert letters_of(harness) == []


def test_dead_letters_of_deleted_calls_are_not_counted(harness: Harness) -> None:
    PostgresHousekeeping(harness.database, "this-one", lambda: None).tidy(harness.clock.now())
    ended = {"event": "call_ended", "callId": "call-1", "duration": 0}
    late = ended | {"endReason": "abandoned", "eventId": "e-2", "occurredAt": harness.clock.at(9).isoformat()}
    early = ended | {"endReason": "failed", "eventId": "e-3", "occurredAt": harness.clock.at(5).isoformat()}
    harness.clock.go_to(10)
    harness.send(INITIATED | {"occurredAt": harness.clock.at(0).isoformat()}, late, early)
    letters = PostgresDeadLetters(harness.database)

    def counts() -> tuple[int, int, int]:
        return len(letters_of(harness)), letters.count(harness.clock.now()), read_vitals(harness.database).dead_letters

    harness.clock.sleep(2 * ARCHIVE_AFTER.total_seconds())
    assert counts() == (1, 1, 1)
    assert harness.archive_calls() == 1
    PostgresHousekeeping(harness.database, "this-one", lambda: None, 1).tidy(datetime(2026, 3, 2, tzinfo=UTC))
    assert harness.rows("select id from calls") == []
    assert harness.rows("select id from events where state = 'dead'")
    assert counts() == (0, 0, 0)


def test_pages_and_rights_over_rest(api: Api) -> None:
    api.post([ROUTED | {"callId": f"call-{number}"} for number in range(5)])
    api.post([INITIATED | {"callId": "call-0"}, INITIATED | {"callId": "call-1", "queueId": "legal_english"}])
    connection = wiring.database().connection()
    connection.execute("update events set state = 'dead', failed_at = now(), reason = 'for this test'")
    seen: list[tuple[str, str]] = []
    query = {"limit": "2"}
    while True:
        status, page, _ = api.call("GET", "/api/dead-letters", query=query)
        assert status == 200
        seen += [(letter["callId"], letter["type"]) for letter in page["data"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert len(seen) == len(set(seen)) == 7

    def get(**options: Any) -> tuple[int, Any, dict[str, str]]:
        return api.call("GET", "/api/dead-letters", **options)

    narrow = get(token=tokens.mint(KEY, role="supervisor", queues=("legal_english",)))[1]["data"]
    assert {letter["queueId"] for letter in narrow} == {"legal_english"}
    assert get(token=tokens.mint(KEY, role="sender"))[0] == 403
    assert get(query={"cursor": "AAAA"})[0] == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "body"), ({"ids": []}, "ids"), ({"ids": ["a"], "all": True}, "body"), ({"ids": [7]}, "ids[0]"), ([], "body")],
)
def test_a_redrive_must_name_its_dead_letters(api: Api, body: Any, field: str) -> None:
    status, problem, _ = api.call("POST", "/api/dead-letters/redrive", body)
    assert (status, problem["errors"][0]["field"]) == (400, field)


def test_only_an_administrator_redrives(api: Api) -> None:
    for role in ("sender", "supervisor"):
        answer = api.call("POST", "/api/dead-letters/redrive", {"all": True}, token=tokens.mint(KEY, role=role))
        assert answer[0] == 403
    status, answer, _ = api.call("POST", "/api/dead-letters/redrive", {"ids": ["unknown"]})
    assert (status, answer["results"][0]["status"], answer["remaining"]) == (200, 404, 0)
