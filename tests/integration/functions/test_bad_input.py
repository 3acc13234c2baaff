"""Bad input: each is a problem document that names the field or the state, and leaves nothing behind."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.postgres import Postgres
from infra.local.redis import Redis
from tests.support.calls import INITIATED
from tests.support.databases import copy_of
from tests.support.rest import Api, nothing_recorded, serving

ANSWERED = {"event": "call_answered", "callId": "c", "waitTime": 1}
HELD = {"event": "call_hold", "callId": "c", "holdDuration": 0}
ENDED = {"event": "call_ended", "callId": "c", "endReason": "completed", "duration": 1}
AWAY = {"event": "agent_status_changed", "agentId": "interpreter-01", "status": "away"}


def with_text(body: dict[str, Any], field: str, text: str) -> str:
    """JSON that Python's own writer would not write."""
    return json.dumps(body | {field: "HERE"}).replace('"HERE"', text)


@pytest.fixture(scope="module")
def unchanged_database(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    """One database for all tests whose requests must leave nothing behind."""
    with copy_of(postgres_server, template_database) as url:
        yield url


@pytest.fixture
def refusing_api(unchanged_database: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with serving(unchanged_database, redis_server.url, monkeypatch) as served:
        yield served


BAD: dict[str, tuple[Any, str]] = {
    "empty body": ("", "body"),
    "null": ("null", "body"),
    "a string": ('"call_initiated"', "body"),
    "an unknown queue": (INITIATED | {"queueId": "nowhere"}, "queueId"),
    "an unknown agent": (AWAY | {"agentId": "unknown"}, "agentId"),
    "an unknown status": (AWAY | {"status": "asleep"}, "status"),
    "a status that only calls give": (AWAY | {"status": "on_call"}, "status"),
    "a long reason": (AWAY | {"reason": "x" * 101}, "reason"),
    "NUL in a reason": (AWAY | {"reason": "\0"}, "reason"),
    "a lone surrogate in a reason": (AWAY | {"reason": "\ud800"}, "reason"),
    "a number as a string": (ANSWERED | {"waitTime": "5"}, "waitTime"),
    "a string as a number": (INITIATED | {"type": 1}, "type"),
    "null for a number": (ANSWERED | {"waitTime": None}, "waitTime"),
    "a list for a number": (ANSWERED | {"waitTime": [1]}, "waitTime"),
    "a negative wait": (ANSWERED | {"waitTime": -0.001}, "waitTime"),
    "a negative hold": (HELD | {"holdDuration": -1}, "holdDuration"),
    "a negative duration": (ENDED | {"duration": -1}, "duration"),
    "a duration over a week": (ENDED | {"duration": 7 * 86_400 + 1}, "duration"),
    "a float beyond all floats": (with_text(ENDED, "duration", "1e999"), "duration"),
    "a float beyond all floats in metadata": (with_text(INITIATED, "metadata", '{"a": [1e999]}'), "metadata"),
    "Infinity": (with_text(ENDED, "duration", "-Infinity"), "body"),
    "an integer of 400 digits": (with_text(ENDED, "duration", "1" * 400), "duration"),
    "an integer of 5,000 digits": (with_text(ENDED, "duration", "1" * 5000), "body"),
    "an integer of 400 digits in metadata": (with_text(INITIATED, "metadata", f'{{"a": {"1" * 400}}}'), "metadata"),
    "a sequence beyond 2**53": (INITIATED | {"sequence": 2**63}, "sequence"),
    "a negative sequence": (INITIATED | {"sequence": -1}, "sequence"),
    "a broken sequence": (INITIATED | {"sequence": 1.5}, "sequence"),
    "an empty id": (INITIATED | {"callId": ""}, "callId"),
    "an id too long": (INITIATED | {"callId": "x" * 129}, "callId"),
    "an id with a line break": (INITIATED | {"callId": "x\n"}, "callId"),
    "NUL in an id": (INITIATED | {"callId": "a\0b"}, "callId"),
    "NUL in an event's id": (INITIATED | {"eventId": "\0"}, "eventId"),
    "a lone surrogate in an id": (INITIATED | {"callId": "\ud800"}, "callId"),
    "a lone surrogate in metadata": (INITIATED | {"metadata": {"a": "\ud800"}}, "metadata"),
    "a lone surrogate in a name": (INITIATED | {"metadata": {"\udfff": 1}}, "metadata"),
    "NUL in a name": (INITIATED | {"metadata": {"a": [{"\0": 1}]}}, "metadata"),
    "metadata with too many entries": (INITIATED | {"metadata": {str(n): n for n in range(101)}}, "metadata"),
    "metadata with a long text": (INITIATED | {"metadata": {"a": "x" * 4001}}, "metadata"),
    "metadata with a long name": (INITIATED | {"metadata": {"x" * 4001: 1}}, "metadata"),
    "metadata too large in all": (INITIATED | {"metadata": {str(n): "x" * 4000 for n in range(9)}}, "metadata"),
    "metadata that is a list": (INITIATED | {"metadata": []}, "metadata"),
    "a name twice, deep inside": (with_text(INITIATED, "metadata", '{"a": [{"b": 1, "b": 2}]}'), "b"),
    "a name twice, behind a colon in disguise": (with_text(INITIATED, "metadata", r'{"b": 1, "b": "\u003A"}'), "b"),
    "a name twice that no text can carry": (r'{"\ud800": 1, "\ud800": 2}', "\\ud800"),
    "a nesting bomb of objects": ('{"a":' * 40_000 + "1" + "}" * 40_000, "body"),
    "a nesting bomb in metadata": (with_text(INITIATED, "metadata", '{"a":' * 900 + "1" + "}" * 900), "metadata"),
    "a time in words": (INITIATED | {"occurredAt": "yesterday"}, "occurredAt"),
    "a time before there was one": (INITIATED | {"occurredAt": "0001-01-01T00:00:00+14:00"}, "occurredAt"),
    "a time after there is one": (INITIATED | {"occurredAt": "9999-12-31T23:59:59-14:00"}, "occurredAt"),
    "a time of long ago": (INITIATED | {"occurredAt": "1969-12-31T23:59:59Z"}, "occurredAt"),
    "the 30th of February": (INITIATED | {"occurredAt": "2026-02-30T00:00:00Z"}, "occurredAt"),
    "a language that is none": (INITIATED | {"language": "español!"}, "language"),
    "an event that the system alone records": ({"event": "sla_breached", "callId": "c"}, "event"),
    "an event that is a list": (INITIATED | {"event": ["call_initiated"]}, "event"),
    "a lone surrogate as an event": (INITIATED | {"event": "\ud800"}, "event"),
}


@pytest.mark.parametrize(("body", "field"), BAD.values(), ids=BAD)
def test_it_is_a_problem_that_names_the_field(refusing_api: Api, body: Any, field: str) -> None:
    status, problem, headers = refusing_api.post(body)
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert problem["errors"][0]["field"].startswith(field)
    assert nothing_recorded()


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ({"event": "call_teleported", "callId": "c"}, "'call_initiated', 'call_routed'"),
        (INITIATED | {"occurredAt": "yesterday"}, "must be an RFC 3339 time with its offset, such as 2026-"),
        ("5", "is not an object"),
    ],
)
def test_a_problem_names_the_allowed_values(refusing_api: Api, body: Any, allowed: str) -> None:
    assert allowed in refusing_api.post(body)[1]["errors"][0]["message"]


@pytest.mark.parametrize(
    "raw",
    [b"\xff\xfe\x00rubbish", b'{"event": "\xe9"}', b"\x00" * 64, b"\xed\xa0\x80", b"PK\x03\x04", "{}".encode("utf-16")],
)
def test_a_body_that_is_not_utf_8_is_refused(refusing_api: Api, raw: bytes) -> None:
    status, problem, _ = refusing_api.post(base64.b64encode(raw).decode(), is_base64=True)
    assert (status, problem["errors"][0]["field"]) == (400, "body")
    assert nothing_recorded()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_body_in_base64_is_read_like_any_other(api: Api, mark: bytes) -> None:
    text = base64.b64encode(mark + json.dumps(INITIATED).encode()).decode()
    assert api.post(text, is_base64=True)[0] == 201


@pytest.mark.parametrize("content_type", ["text/xml", "text/plain", "application/x-www-form-urlencoded", "rubbish"])
def test_a_wrong_content_type_is_named(refusing_api: Api, content_type: str) -> None:
    status, problem, _ = refusing_api.post(INITIATED, headers={"content-type": content_type})
    assert (status, problem["errors"][0]["field"]) == (415, "Content-Type")
    assert nothing_recorded()


@pytest.mark.parametrize("key", ["x" * 129, "a b", "a/b", "\x7f", "é"])
def test_an_idempotency_key_is_an_id_like_any_other(refusing_api: Api, key: str) -> None:
    status, problem, _ = refusing_api.post(INITIATED, headers={"idempotency-key": key})
    assert (status, problem["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert nothing_recorded()


@pytest.mark.parametrize("flag", ["", "1", "True", "yes", "true "])
def test_an_unclear_history_flag_is_refused(refusing_api: Api, flag: str) -> None:
    status, problem, _ = refusing_api.post(INITIATED, query={"history": flag})
    assert (status, problem["errors"][0]["field"]) == (400, "history")
    assert nothing_recorded()


@pytest.mark.parametrize(
    ("bad", "state"),
    [
        (INITIATED | {"type": "video"}, "waiting"),
        ({"event": "call_routed", "callId": "call-1", "agentId": "a", "routingTime": 1}, "ended"),
        ({"event": "call_resumed", "callId": "call-1"}, "ended"),
    ],
)
def test_an_illegal_event_names_the_state_and_the_event(api: Api, bad: dict[str, Any], state: str) -> None:
    api.post(INITIATED)
    if state == "ended":
        api.post({"event": "call_ended", "callId": "call-1", "endReason": "abandoned", "duration": 0})
    before = api.call("GET", "/api/calls/{call_id}/events", call_id="call-1")[1]
    status, problem, _ = api.post(bad)
    assert (status, problem["errors"][0]["field"]) == (409, "event")
    assert f"call call-1 is {state}" in problem["detail"]
    assert bad["event"] in problem["detail"]
    assert api.call("GET", "/api/calls/{call_id}/events", call_id="call-1")[1] == before


def test_a_bad_one_in_a_batch_has_no_part_in_it(api: Api) -> None:
    for body, field in BAD.values():
        if isinstance(body, dict):
            _, answer, _ = api.post([body, AWAY])
            assert answer["results"][0]["problem"]["errors"][0]["field"].startswith(field)
            assert answer["results"][1]["status"] in (200, 201)
    assert api.call("GET", "/api/calls")[1]["data"] == []


@pytest.mark.parametrize("name", ["agentId", "queueId", "cursor", "status", "flag", "limit"])
def test_a_parameter_may_be_anything(api: Api, name: str) -> None:
    forged = [base64.urlsafe_b64encode(json.dumps(parts).encode()).decode() for parts in FORGED]
    for value in ("\0", "\ud800", "'", "9" * 5000, "[]", *forged):
        for resource in ("/api/calls", "/api/dead-letters"):
            status, answer, _ = api.call("GET", resource, query={name: value})
            assert status in (200, 400), (name, value, answer)
            assert status == 200 or answer["errors"][0]["field"] == name
        api.post(INITIATED)
        status, answer, _ = api.call("GET", "/api/calls/{call_id}/events", call_id="call-1", query={name: value})
        assert status in (200, 400), (name, value, answer)


FORGED: list[Any] = [
    ["2026-01-31T12:00:00+00:00", 2**70],
    ["2026-01-31T12:00:00+00:00", "\0"],
    ["2026-01-31T12:00:00+00:00", "event \0"],
    ["2026-01-31T12:00:00", 1],
    ["0001-01-01T00:00:00+14:00", 1],
    ["2026-01-31T12:00:00+00:00", None],
    ["2026-01-31T12:00:00+00:00"],
    {"a": 1},
    3,
]


@pytest.mark.parametrize("call_id", ["\0", "\ud800", "'", "x" * 5000, "../x"])
def test_an_id_in_a_path_may_be_anything(api: Api, call_id: str) -> None:
    for resource in ("/api/calls/{call_id}", "/api/calls/{call_id}/events"):
        assert api.call("GET", resource, call_id=call_id)[0] in (400, 404)
    assert api.call("PUT", "/api/queues/{queue_id}", {"name": "Q"}, queue_id=call_id)[0] in (200, 400)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\0"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": 7}, "name"),
        ({"slaSeconds": 0}, "slaSeconds"),
        ({"slaSeconds": "30"}, "slaSeconds"),
        ({"holdSeconds": -1}, "holdSeconds"),
        ({"answerSeconds": 86_401}, "answerSeconds"),
        ({"language": "?"}, "language"),
    ],
)
def test_a_bad_queue_is_refused(refusing_api: Api, change: dict[str, Any], field: str) -> None:
    status, problem, _ = refusing_api.call("PUT", "/api/queues/{queue_id}", {"name": "Q"} | change, queue_id="new")
    assert (status, problem["errors"][0]["field"]) == (400, field)
    assert "new" not in {queue["id"] for queue in refusing_api.call("GET", "/api/queues")[1]["data"]}
