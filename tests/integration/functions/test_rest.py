"""The REST functions as Lambda calls them: API Gateway's event in, its answer out."""

import json
import re
from typing import Any

import psycopg
import pytest

from infra.local.redis import Redis
from shared import wiring
from shared.adapters.auth import tokens
from tests.support.calls import INITIATED
from tests.support.rest import KEY, Api, forget


def test_an_event_is_answered_with_the_call_as_it_stands(api: Api) -> None:
    status, body, headers = api.post(INITIATED)
    assert (status, body["outcome"], body["callId"], body["call"]["status"]) == (201, "applied", "call-1", "waiting")
    assert headers["access-control-allow-origin"] == "*"
    assert api.call("GET", "/api/calls/{call_id}", call_id="call-1")[1] == body["call"]


def test_a_batch_is_answered_item_by_item_in_the_order_sent(api: Api) -> None:
    status, body, _ = api.post([INITIATED, {"event": "nonsense"}, INITIATED | {"callId": "call-2", "queueId": "no"}])
    assert status == 200
    assert [item["status"] for item in body["results"]] == [201, 400, 400]
    assert body["results"][1]["problem"]["errors"][0]["field"] == "event"
    assert body["results"][2]["problem"]["errors"][0]["field"] == "queueId"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        pytest.param("{", 400, "body", id="not JSON"),
        pytest.param("[]", 400, "body", id="empty batch"),
        pytest.param("[" * 100_000, 400, "body", id="nesting bomb"),
        pytest.param('{"event": "call_ended", "event": "call_hold"}', 400, "event", id="name twice"),
        pytest.param('{"a": NaN}', 400, "body", id="not a number"),
        pytest.param(json.dumps(INITIATED | {"callId": "x" * 300_000}), 413, "body", id="too long"),
        pytest.param([INITIATED] * 501, 413, "body", id="too many"),
        pytest.param("3", 400, "body", id="no object"),
        pytest.param({"callId": "c"}, 400, "event", id="no event"),
        pytest.param({"event": "call_exploded", "callId": "c"}, 400, "event", id="unknown event"),
        pytest.param(INITIATED | {"type": "fax"}, 400, "type", id="unknown type"),
        pytest.param(INITIATED | {"callId": "a/b"}, 400, "callId", id="a slash in an id"),
        pytest.param(
            {"event": "call_routed", "callId": "c", "agentId": "-", "routingTime": 1}, 400, "agentId", id="no agent"
        ),
        pytest.param(
            {"event": "agent_status_changed", "agentId": "-", "status": "away"},
            400,
            "agentId",
            id="status without an agent",
        ),
        pytest.param(INITIATED | {"callId": 7}, 400, "callId", id="wrong type"),
        pytest.param(INITIATED | {"occurredAt": "2099-01-01T00:00:00Z"}, 400, "occurredAt", id="far future"),
        pytest.param(INITIATED | {"occurredAt": 5}, 400, "occurredAt", id="a number for a time"),
        pytest.param(INITIATED | {"occurredAt": "2026-01-01T00:00:00"}, 400, "occurredAt", id="no offset"),
        pytest.param(INITIATED | {"metadata": {"a": "\0"}}, 400, "metadata", id="NUL"),
        pytest.param(INITIATED | {"metadata": {"a": [[[[[[]]]]]]}}, 400, "metadata", id="deep metadata"),
        pytest.param(
            {"event": "call_answered", "callId": "c", "waitTime": True}, 400, "waitTime", id="a truth for a number"
        ),
        pytest.param({"event": "call_answered", "callId": "c", "waitTime": 1e9}, 400, "waitTime", id="absurd"),
        pytest.param({"event": "call_ended", "callId": "c", "duration": 1}, 400, "endReason", id="missing field"),
    ],
)
def test_bad_input_is_a_problem_that_names_the_field(api: Api, body: Any, status: int, field: str) -> None:
    got, problem, headers = api.post(body)
    assert (got, problem["status"], headers["content-type"]) == (status, status, "application/problem+json")
    assert problem["errors"][0]["field"] == field
    assert api.call("GET", "/api/calls")[1]["data"] == []


def test_another_content_type_is_not_understood(api: Api) -> None:
    assert api.post(INITIATED, headers={"content-type": "text/xml"})[0] == 415


def test_an_idempotency_key_is_of_one_request(api: Api) -> None:
    """Of all of it: with another body, longer or shorter, nothing is recorded."""
    headers = {"idempotency-key": "key-1"}
    routed = {"event": "call_routed", "callId": "call-1", "agentId": "interpreter-01", "routingTime": 1}
    holds = [{"event": "call_hold", "callId": "call-1", "holdDuration": seconds} for seconds in (20, 30, 40)]
    api.post([INITIATED, routed, {"event": "call_answered", "callId": "call-1", "waitTime": 1}])
    for expected in (201, 200):
        answer = api.post(holds[:2], headers=headers)[1]
        assert [result["status"] for result in answer["results"]] == [expected, expected]
    for other in (holds, holds[:1], holds[1:]):
        answer = api.post(other, headers=headers)[1]
        assert {result["status"] for result in answer["results"]} == {422}
    assert api.post(holds[0], headers=headers)[0] == 422
    history = api.call("GET", "/api/calls/{call_id}/events", call_id="call-1")[1]["data"]
    assert [event["metadata"]["holdDuration"] for event in history if event["type"] == "call_hold"] == [20, 30]


def test_a_key_identifies_one_request_despite_agent_reports(api: Api) -> None:
    headers = {"idempotency-key": "key-1"}
    away = {"event": "agent_status_changed", "agentId": "interpreter-01", "status": "away"}
    assert api.post([INITIATED, away], headers=headers)[0] == 200
    another = {"event": "call_hold", "callId": "call-1", "holdDuration": 20}
    answer = api.post([INITIATED, away, another], headers=headers)[1]
    assert [result["status"] for result in answer["results"]] == [422, 200, 422]
    back = api.post([INITIATED, away | {"status": "available"}], headers=headers)[1]["results"][1]
    assert (back["status"], back["problem"]["errors"][0]["field"]) == (422, "Idempotency-Key")


def test_the_idempotency_key_makes_a_request_repeatable(api: Api) -> None:
    first = api.post(INITIATED, headers={"idempotency-key": "key-1"})
    again = api.post(INITIATED, headers={"idempotency-key": "key-1"})
    other = api.post(INITIATED | {"type": "video"}, headers={"idempotency-key": "key-1"})
    assert (first[0], again[0], other[0]) == (201, 200, 422)
    assert other[1]["errors"][0]["field"] == "Idempotency-Key"
    assert again[1]["eventId"] == first[1]["eventId"] == "key-1"


@pytest.mark.parametrize("token", ["", "nonsense", tokens.mint(KEY, role="admin", ttl_seconds=-1)])
def test_requests_need_a_valid_token(api: Api, token: str) -> None:
    for method, resource in [("POST", "/api/events"), ("GET", "/api/calls")]:
        status, problem, headers = api.call(method, resource, INITIATED, token=token)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert "call" not in problem


@pytest.mark.parametrize(("body", "token", "status"), [(INITIATED, None, 201), ({}, None, 400), (INITIATED, "", 401)])
def test_each_answer_has_the_security_headers(api: Api, body: Any, token: str | None, status: int) -> None:
    got, _, headers = api.post(body, token=token)
    assert (got, headers["cache-control"], headers["x-content-type-options"]) == (status, "no-store", "nosniff")
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "set-cookie" not in headers and "access-control-allow-credentials" not in headers


def test_each_role_may_do_its_own_work_and_no_more(api: Api) -> None:
    sender = tokens.mint(KEY, role="sender")
    supervisor = tokens.mint(KEY, role="supervisor")
    assert api.post(INITIATED, token=sender)[0] == 201
    assert api.post(INITIATED, token=supervisor)[0] == 403
    assert api.post(INITIATED, token=sender, query={"history": "true"})[0] == 403
    assert api.call("GET", "/api/calls", token=sender)[0] == 403
    assert api.call("GET", "/api/calls", token=supervisor)[0] == 200
    assert api.call("PUT", "/api/queues/{queue_id}", {"name": "Q"}, token=supervisor, queue_id="q")[0] == 403


def test_a_token_shows_only_its_queues(api: Api) -> None:
    api.post([INITIATED, INITIATED | {"callId": "call-2", "queueId": "legal_english"}])
    narrow = tokens.mint(KEY, role="supervisor", queues=("legal_english",))
    assert [call["id"] for call in api.call("GET", "/api/calls", token=narrow)[1]["data"]] == ["call-2"]
    assert api.call("GET", "/api/calls", token=narrow, query={"queueId": "medical_spanish"})[1]["data"] == []
    assert api.call("GET", "/api/calls/{call_id}", token=narrow, call_id="call-1")[0] == 404
    assert api.call("GET", "/api/calls/{call_id}/events", token=narrow, call_id="call-1")[0] == 404
    assert [queue["id"] for queue in api.call("GET", "/api/queues", token=narrow)[1]["data"]] == ["legal_english"]


@pytest.mark.parametrize("kind", ["queue", "agent"])
def test_one_queue_and_one_agent_are_read_as_the_lists_show_them(api: Api, kind: str) -> None:
    for listed in api.call("GET", f"/api/{kind}s")[1]["data"]:
        path: dict[str, Any] = {f"{kind}_id": listed["id"]}
        status, read, _ = api.call("GET", f"/api/{kind}s/{{{kind}_id}}", **path)
        assert (status, read) == (200, listed)
    unknown: dict[str, Any] = {f"{kind}_id": "unknown"}
    status, problem, headers = api.call("GET", f"/api/{kind}s/{{{kind}_id}}", **unknown)
    assert (status, problem["detail"]) == (404, f"There is no {kind} unknown.")
    assert headers["content-type"] == "application/problem+json"


def test_pages_walk_over_every_call_once_newest_first(api: Api) -> None:
    for number in range(7):
        api.post(INITIATED | {"callId": f"call-{number}"})
    seen: list[str] = []
    query = {"limit": "3", "status": "waiting"}
    while True:
        page = api.call("GET", "/api/calls", query=query)[1]
        seen += [call["id"] for call in page["data"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert seen == [f"call-{number}" for number in reversed(range(7))]


@pytest.mark.parametrize(
    ("name", "value"),
    [("limit", "0"), ("limit", "501"), ("limit", "x"), ("status", "asleep"), ("cursor", "AAAA"), ("flag", "red")],
)
def test_a_parameter_that_is_not_valid_is_named(api: Api, name: str, value: str) -> None:
    status, problem, _ = api.call("GET", "/api/calls", query={name: value})
    assert (status, problem["errors"][0]["field"]) == (400, name)


def test_filters_narrow_the_list(api: Api) -> None:
    api.post([INITIATED, INITIATED | {"callId": "call-2", "queueId": "legal_english"}])
    api.post({"event": "call_routed", "callId": "call-1", "agentId": "interpreter-01", "routingTime": 1})
    api.post({"event": "call_answered", "callId": "call-1", "waitTime": 31})

    def found(**query: str) -> list[str]:
        return [call["id"] for call in api.call("GET", "/api/calls", query=query)[1]["data"]]

    assert found(status="active") == ["call-1"]
    assert found(status="waiting,active,on_hold", queueId="legal_english") == ["call-2"]
    assert found(agentId="interpreter-01") == ["call-1"]
    assert found(flag="sla_breached") == ["call-1"]


def test_a_history_is_read_oldest_first_page_by_page(api: Api) -> None:
    api.post(INITIATED)
    api.post({"event": "call_routed", "callId": "call-1", "agentId": "interpreter-01", "routingTime": 1})
    first = api.call("GET", "/api/calls/{call_id}/events", call_id="call-1", query={"limit": "1"})[1]
    second = api.call(
        "GET", "/api/calls/{call_id}/events", call_id="call-1", query={"limit": "1", "cursor": first["nextCursor"]}
    )[1]
    assert [event["type"] for event in first["data"] + second["data"]] == ["call_initiated", "call_routed"]
    assert second["data"][0]["metadata"] == {"agentId": "interpreter-01", "routingTime": 1}
    assert second["nextCursor"] is None


def test_history_of_one_instant_keeps_its_causal_order(api: Api) -> None:
    """On any channel and page: a clock of whole seconds, and the last events came first."""
    events: list[dict[str, Any]] = [
        INITIATED,
        {"event": "call_routed", "callId": "call-1", "agentId": "interpreter-01", "routingTime": 0},
        {"event": "call_no_answer", "callId": "call-1", "agentId": "interpreter-01"},
        {"event": "call_answered", "callId": "call-1", "agentId": "interpreter-02", "waitTime": 0},
        {"event": "call_ended", "callId": "call-1", "endReason": "completed", "duration": 0},
    ]
    for event in reversed(events):
        assert api.post(event | {"occurredAt": "2026-01-31T12:00:00Z"})[0] in (201, 202)
    read: list[str] = []
    query = {"limit": "2"}
    while True:
        page = api.call("GET", "/api/calls/{call_id}/events", call_id="call-1", query=query)[1]
        read += [event["type"] for event in page["data"]]
        if not page["nextCursor"]:
            break
        query["cursor"] = page["nextCursor"]
    assert read == [event["event"] for event in events]


def test_the_answer_never_depends_on_redis(api: Api, redis_server: Redis) -> None:
    redis_server.stop()
    assert api.post(INITIATED)[0] == 201


def test_without_postgres_the_sender_is_asked_to_come_back(
    api: Api, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", re.sub(r":\d+/", ":1/", database_url))  # nothing listens there
    forget()
    status, problem, headers = api.post(INITIATED)
    assert (status, problem["status"], headers["retry-after"]) == (503, 503, "2")


def test_a_warm_function_survives_a_lost_connection(api: Api, database_url: str) -> None:
    api.post(INITIATED)
    api.call("GET", "/api/calls")
    with psycopg.connect(database_url, autocommit=True) as other:
        for warm in (wiring.database(), wiring.reads()._database):
            other.execute("select pg_terminate_backend(%s, 5000)", [warm.connection().info.backend_pid])
    assert api.post({"event": "call_routed", "callId": "call-1", "agentId": "a", "routingTime": 1})[0] == 201
    assert api.call("GET", "/api/calls")[0] == 200


def test_queues_and_agents_are_set_up_by_an_administrator(api: Api) -> None:
    status, queue, _ = api.call("PUT", "/api/queues/{queue_id}", {"name": "Night", "slaSeconds": 20}, queue_id="night")
    assert (status, queue["slaSeconds"], queue["answerSeconds"]) == (200, 20, 15)
    status, agent, _ = api.call(
        "PUT", "/api/agents/{agent_id}", {"name": "Nora", "queues": ["night"], "status": "available"}, agent_id="nora"
    )
    assert (status, agent["status"], agent["queues"]) == (200, "available", ["night"])
    api.post(INITIATED | {"queueId": "night"})
    deadline = api.call("GET", "/api/calls/{call_id}", call_id="call-1")[1]["deadline"]
    assert deadline["kind"] == "sla_wait"


def test_the_id_for_calls_without_an_agent_is_reserved(api: Api) -> None:
    status, problem, _ = api.call("PUT", "/api/agents/{agent_id}", {"name": "Nora"}, agent_id="-")
    assert (status, problem["errors"][0]["field"]) == (400, "agentId")
    assert api.call("PUT", "/api/agents/{agent_id}", {"name": "Nora"}, agent_id="-n")[0] == 200


def test_only_refused_messages_return_to_the_queue(api: Api) -> None:
    from functions.ingest.app import from_queue

    def message(number: int, body: Any) -> dict[str, Any]:
        return {"messageId": f"m-{number}", "body": body if isinstance(body, str) else json.dumps(body)}

    batch = {"Records": [message(1, INITIATED), message(2, "{"), message(3, INITIATED | {"callId": "call-3"})]}
    answer = from_queue(batch, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-2"}]}
    assert {call["id"] for call in api.call("GET", "/api/calls")[1]["data"]} == {"call-1", "call-3"}


def test_a_message_is_received_when_the_queue_accepts_it(api: Api) -> None:
    from functions.ingest.app import from_queue

    events = [INITIATED, {"event": "call_routed", "callId": "call-1", "agentId": "a", "routingTime": 1}]
    records = [
        {"messageId": str(n), "body": json.dumps(event), "attributes": {"SentTimestamp": "1769860800000"}}
        for n, event in enumerate(events)
    ]
    assert from_queue({"Records": records}, None) == {"batchItemFailures": []}
    history = api.call("GET", "/api/calls/{call_id}/events", call_id="call-1")[1]["data"]
    assert [(event["type"], event["timestamp"]) for event in history] == [
        ("call_initiated", "2026-01-31T12:00:00.000Z"),
        ("call_routed", "2026-01-31T12:00:00.000Z"),
    ]


@pytest.mark.usefixtures("api")
def test_without_postgres_all_messages_return_to_the_queue(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    from functions.ingest.app import from_queue

    monkeypatch.setenv("DATABASE_URL", re.sub(r":\d+/", ":1/", database_url))  # nothing listens there
    forget()
    records = [{"messageId": str(n), "body": json.dumps(INITIATED)} for n in range(2)]
    assert from_queue({"Records": records}, None) == {
        "batchItemFailures": [{"itemIdentifier": "0"}, {"itemIdentifier": "1"}]
    }


def test_changes_since_a_position_are_sent_once_then_304(api: Api) -> None:
    since = str(api.call("GET", "/api/calls")[1]["position"])
    api.post(INITIATED)
    status, events, headers = api.call("GET", "/api/calls", query={"since": since})
    assert (status, [call["id"] for call in events["calls"]]) == (200, ["call-1"])
    held = {"if-none-match": headers["etag"]}
    assert api.call("GET", "/api/calls", query={"since": since}, headers=held)[:2] == (304, None)
    api.post(INITIATED | {"callId": "call-2"})
    assert api.call("GET", "/api/calls", query={"since": since}, headers=held)[0] == 200
    status, problem, _ = api.call("GET", "/api/calls", query={"since": since, "cursor": "x"})
    assert (status, problem["errors"][0]["field"]) == (400, "cursor")
