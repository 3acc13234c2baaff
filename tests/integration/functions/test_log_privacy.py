"""What callers and senders say of themselves is in no line of any log, whatever becomes of it."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from functions.ingest.app import from_queue
from shared import wiring
from shared.adapters import clock
from shared.adapters.auth import tokens
from shared.adapters.telemetry import json_log
from shared.usecases.sweep.fire_due_timers import fire_due_timers
from tests.support.calls import INITIATED
from tests.support.rest import KEY, Api

MARKER = "personal-data-marker"
WORDS = {"metadata": {"note": MARKER, MARKER: {"deep": [MARKER]}}}


@pytest.fixture
def written(api: Api) -> Iterator[io.StringIO]:  # noqa: ARG001 - after it, the functions are imported
    """All that this process logs, at the level that tells most."""
    buffer, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    json_log.configure("tests", "DEBUG")
    for handler in root.handlers:
        handler.setStream(buffer)  # type: ignore[attr-defined]  # a StreamHandler
    yield buffer
    root.handlers[:] = before
    root.setLevel(level)


def test_no_log_repeats_personal_data(
    api: Api,
    written: io.StringIO,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def says(status: int, body: Any, **options: Any) -> None:
        assert api.post(body, **options)[0] == status, body

    accepted = INITIATED | WORDS | {"eventId": "e-1"}
    says(201, accepted)
    says(200, accepted)
    says(422, accepted | {"metadata": {"other": MARKER}})
    says(400, INITIATED | WORDS | {"type": MARKER})
    says(400, INITIATED | WORDS | {"queueId": "nowhere"})
    says(400, {"event": MARKER, "callId": MARKER + " !"} | WORDS)
    says(400, f'{{"{MARKER}": ')
    says(401, accepted, token=f"{MARKER}.{MARKER}.{MARKER}")
    says(403, accepted, token=tokens.mint(KEY, role="supervisor"))
    says(409, {"event": "call_initiated", "callId": "call-1", "type": "voice", "queueId": "legal_english"} | WORDS)
    deferred = {"event": "call_ended", "callId": "call-9", "endReason": "completed", "duration": 5, "eventId": "e-9"}
    says(202, deferred | WORDS)
    says(200, [accepted, deferred | WORDS, {"event": MARKER}])
    batch = [json.dumps(accepted), json.dumps(deferred | WORDS), f"{{{MARKER}", json.dumps({"event": MARKER} | WORDS)]
    from_queue({"Records": [{"messageId": str(n), "body": body} for n, body in enumerate(batch)]}, None)
    wiring.database().connection().execute("update timers set due_at = now() - interval '1 day'")
    wiring.database().connection().execute("update events set received_at = now() - interval '1 day'")
    while fire_due_timers(wiring.sweep_services(), clock.now()).count:
        pass
    dead = api.call("GET", "/api/dead-letters")[1]["data"]
    assert [letter["id"] for letter in dead] == ["e-9"]
    assert api.call("POST", "/api/dead-letters/redrive", {"ids": ["e-9"]})[0] == 200
    assert api.call("GET", "/api/calls", query={"cursor": MARKER, "agentId": MARKER})[0] == 400
    # Postgres quotes the row that it refuses: the failure must not.
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("alter table events add constraint silent check (metadata is null) not valid")
    says(500, INITIATED | WORDS | {"callId": "call-2"})

    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert MARKER not in written.getvalue() + capsys.readouterr().out
    failure = next(line for line in lines if line["message"] == "Unexpected failure")
    assert "violates check constraint" in failure["exception"]
    recorded = [line for line in lines if str(line["message"]).startswith("recorded")]
    assert recorded[0]["call_id"] == "call-1", "and yet a call can be followed"
    assert recorded[0]["trace_id"]
    kept = [line for line in lines if line["message"] == "deferred an event"]
    assert {(line["call_id"], line["event_id"]) for line in kept} == {("call-9", "e-9")}
    again = next(line for line in lines if line["message"] == "1 events were recorded before")
    assert (again["call_id"], again["event_id"]) == ("call-1", "e-1")
    assert again["trace_id"] != recorded[0]["trace_id"], "each request's own"
    refused = [line for line in lines if str(line["message"]).startswith("refused")]
    assert ["type"] in [line["fields"] for line in refused]
