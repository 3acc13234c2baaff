"""CloudEvents over REST and SQS: the same outcomes as the events in them."""

import json
from typing import Any

from tests.support.calls import INITIATED
from tests.support.cloudevents import BATCHED, ENVELOPE, STRUCTURED
from tests.support.rest import Api


def test_an_event_is_recorded_once_in_any_content_mode(api: Api) -> None:
    first = api.post(ENVELOPE, headers=STRUCTURED)
    assert (first[0], first[1]["eventId"], first[1]["call"]["status"]) == (201, "42@=2Fpbx=2Fnorth", "waiting")
    binary = {f"CE-{name}": value for name, value in ENVELOPE.items() if isinstance(value, str)}
    again = [
        api.post(ENVELOPE, headers=STRUCTURED),
        api.post(ENVELOPE),
        api.post(ENVELOPE["data"], headers=binary),
        api.post(INITIATED | {"eventId": first[1]["eventId"]}),
    ]
    assert [(status, body["outcome"]) for status, body, _ in again] == [(200, "replayed")] * 4
    assert api.post(ENVELOPE | {"data": ENVELOPE["data"] | {"type": "video"}})[0] == 422  # type: ignore[operator]


def test_in_a_batch_each_has_its_own_outcome(api: Api) -> None:
    lost = ENVELOPE | {"id": "43", "data": {"type": "voice", "queueId": "nowhere"}}
    status, body, _ = api.post([ENVELOPE, lost, INITIATED | {"callId": "call-2"}, 7], headers=BATCHED)
    assert (status, [result["status"] for result in body["results"]]) == (200, [201, 400, 400, 400])
    fields = [result["problem"]["errors"][0]["field"] for result in body["results"][1:]]
    assert fields == ["data.queueId", "specversion", "body"]


def test_the_body_must_match_its_content_type(api: Api) -> None:
    wrong: list[tuple[Any, dict[str, str], str]] = [
        (INITIATED, STRUCTURED, "specversion"),
        ([ENVELOPE], STRUCTURED, "body"),
        (ENVELOPE, BATCHED, "body"),
        ([], BATCHED, "body"),
    ]
    for body, headers, field in wrong:
        status, problem, _ = api.post(body, headers=headers)
        assert (status, problem["errors"][0]["field"]) == (400, field)
    assert api.call("PUT", "/api/queues/{queue_id}", {"name": "Q"}, headers=STRUCTURED, queue_id="q")[0] == 415
    assert api.call("GET", "/api/calls")[1]["data"] == []


def test_a_contradiction_names_the_event_type(api: Api) -> None:
    api.post(ENVELOPE)
    status, problem, _ = api.post(ENVELOPE | {"id": "44"}, headers=STRUCTURED)
    assert (status, problem["errors"]) == (
        409,
        [{"field": "type", "message": "is not possible while the call is waiting"}],
    )


def test_the_queue_takes_them_too(api: Api) -> None:
    from functions.ingest.app import from_queue

    bodies = [ENVELOPE, [ENVELOPE, ENVELOPE | {"id": "45", "subject": "call-2"}], ENVELOPE | {"specversion": "2.0"}]
    records = [{"messageId": f"m-{number}", "body": json.dumps(body)} for number, body in enumerate(bodies)]
    assert from_queue({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "m-2"}]}
    assert {call["id"] for call in api.call("GET", "/api/calls")[1]["data"]} == {"call-1", "call-2"}
