"""The interface is as it says: Schemathesis reads the description and tries what it allows and what it does not."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from pydantic import TypeAdapter
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from shared import wiring
from shared.adapters.auth import tokens
from shared.contracts import answers, openapi
from tests.support.rest import KEY, RELAY_ALIVE, SWEEP_ALIVE, Api, tell

DESCRIBED = orjson.loads(openapi.document())
SCHEMA = schemathesis.openapi.from_dict(DESCRIBED)


class Served:
    """The handlers behind WSGI, as API Gateway is before Lambda: routes by the description, or 404."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"].encode("latin-1").decode(errors="replace"), environ["REQUEST_METHOD"]
        resource, values = _route(path)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode("utf-8", "replace")
        headers = {n[5:].replace("_", "-").lower(): v for n, v in environ.items() if n.startswith("HTTP_")}
        headers["content-type"] = environ.get("CONTENT_TYPE") or ""
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
        known = resource and method.lower() in DESCRIBED["paths"][resource]
        if not known:
            start_response(
                "405 -" if resource else "404 -", [("Content-Type", "application/problem+json"), ("Allow", "GET")]
            )
            return [b'{"title":"-","status":404,"detail":"the gateway itself","errors":[],"type":"about:blank"}']
        sent = headers.pop("authorization", "").removeprefix("Bearer ")
        given: Any = values
        answer = self._api.raw(
            method, resource, body, token=sent, query=query, headers=headers, is_base64=False, **given
        )
        start_response(f"{answer['statusCode']} -", list(answer["headers"].items()))
        return [answer["body"].encode()]


def _route(path: str) -> tuple[str, dict[str, str]]:
    for resource in DESCRIBED["paths"]:
        names, values = resource.split("/"), path.split("/")
        if len(names) == len(values) and all(n[:1] == "{" or n == v for n, v in zip(names, values, strict=True)):
            return resource, {n[1:-1]: unquote(v) for n, v in zip(names, values, strict=True) if n[:1] == "{"}
    return "", {}


SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large, HealthCheck.large_base_example]
# What no schema can tell: a cursor is one that was given out, a zone has a name, two parameters must go together, an
# event must be possible. There, what is as described may still be refused.
RULED = {"/api/events", "/api/calls", "/api/calls/{call_id}/events", "/api/metrics", "/api/dead-letters"}
RULED |= {"/api/dead-letters/redrive", "/api/queues/{queue_id}", "/api/agents/{agent_id}"}
UNTOLD = {path: [checks.positive_data_acceptance] for path in RULED}
UNTOLD["/api/events"] += [checks.negative_data_rejection]  # of many, each has its own outcome within a 200
OPERATIONS = [(path, method) for path, methods in DESCRIBED["paths"].items() for method in methods]


@pytest.mark.parametrize(
    "mode", [GenerationMode.POSITIVE, pytest.param(GenerationMode.NEGATIVE, marks=pytest.mark.deep)]
)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_schemathesis_finds_no_failure(api: Api, path: str, method: str, mode: GenerationMode) -> None:
    tell(api, range(1, 12))
    for alive in (SWEEP_ALIVE, RELAY_ALIVE):  # or deep health answers 503, which counts as a failure
        wiring.database().connection().execute(alive)
    served, token = Served(api), tokens.mint(KEY, role="admin")
    schema = schemathesis.openapi.from_dict(DESCRIBED)
    schema.app = served
    operation = schema[path][method.upper()]

    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=SLOW,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def explore(case: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}
        case.call_and_validate(base_url="http://switchboard", excluded_checks=UNTOLD.get(path))

    with suppress(Unsatisfiable):  # where nothing can be wrong
        explore()


def bodies(operation: dict[str, Any]) -> dict[str, Any]:
    """The request examples of an operation, by name."""
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    return {name: example["value"] for name, example in examples.items()}


def test_each_example_of_an_event_is_accepted(api: Api) -> None:
    """In the order of the document, the basic five first: these are recorded at once."""
    sent = bodies(DESCRIBED["paths"]["/api/events"]["post"])
    statuses = {name: api.post(body)[0] for name, body in sent.items()}
    assert list(statuses.values())[:5] == [201] * 5
    assert statuses.keys() - {name for name, status in statuses.items() if status in (200, 201, 202)} == {
        "call_resumed"  # call-1 has ended by then
    }


def test_each_other_example_of_a_request_is_accepted(api: Api) -> None:
    accepted = {
        name: api.call(method.upper(), path, body, queue_id="medical_spanish", agent_id="interpreter-07")[0]
        for path, methods in DESCRIBED["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation and path != "/api/events"
        for name, body in bodies(operation).items()
    }
    assert accepted == dict.fromkeys(("queue", "agent", "some", "all"), 200)


def test_the_examples_of_answers_have_the_fields_of_real_answers(api: Api) -> None:
    events = bodies(DESCRIBED["paths"]["/api/events"]["post"])
    for name in list(events)[:3]:
        api.post(events[name])
    ids = {"call_id": "call-1", "queue_id": "medical_spanish", "agent_id": "interpreter-07"}
    for path in ("/api/calls", "/api/calls/{call_id}", "/api/calls/{call_id}/events", "/api/queues", "/api/agents"):
        answer = api.call("GET", path, **ids)[1]
        example = next(iter(answered(path).values()))["value"]
        assert fields_of(example) == fields_of(answer), path
    metrics = api.call("GET", "/api/metrics", query={"groupBy": "queue"})[1]
    example = answered("/api/metrics")["metrics"]["value"]
    assert fields_of(example["data"]) == fields_of(metrics["data"])


def answered(path: str) -> dict[str, Any]:
    return DESCRIBED["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["examples"]


def fields_of(answer: Any) -> set[str]:
    """The names in an object, or in the first of a list's."""
    return set(answer[0] if isinstance(answer, list) else answer)


def test_a_repeated_parameter_counts_as_joined_by_commas(api: Api) -> None:
    tell(api, range(1, 6))
    several = {"status": ["waiting", "ended"]}
    joined = api.call("GET", "/api/calls", query={"status": "waiting,ended"})[1]["data"]
    assert {call["status"] for call in joined} == {"waiting", "ended"}
    assert api.call("GET", "/api/calls", queries=several)[1]["data"] == joined
    assert api.call("GET", "/api/calls", queries={"limit": ["1", "2"]})[0] == 400


def test_a_page_with_selected_fields_names_them(api: Api) -> None:
    tell(api, range(1, 3))
    page = api.call("GET", "/api/calls", query={"fields": "id,status"})[1]
    assert (page["fields"], set(page["data"][0])) == (["id", "status"], {"id", "status"})
    assert "fields" not in api.call("GET", "/api/calls")[1]


CALL = {"event": "call_initiated", "callId": "call-1", "type": "voice", "queueId": "medical_spanish", "eventId": "e-1"}
AGENT = {"event": "agent_status_changed", "agentId": "interpreter-01", "status": "away", "eventId": "e-2"}
EARLY = {"event": "call_resumed", "callId": "call-2", "eventId": "e-3"}


def test_the_document_describes_every_field_of_an_answer(api: Api) -> None:
    one = TypeAdapter[Any](answers.CallAnswer | answers.AgentAnswer)
    many = TypeAdapter(answers.BatchAnswer)
    batch = [{**CALL, "eventId": "e-4"}, {**AGENT, "eventId": "e-5"}, {**EARLY, "callId": "call-3"}, {"event": "none"}]
    sent = [(201, one, CALL), (200, one, CALL), (201, one, AGENT), (200, one, AGENT), (202, one, EARLY)]
    for status, described, body in [*sent, (200, many, batch)]:
        answer = api.raw("POST", "/api/events", body)
        answered = described.validate_json(answer["body"])
        assert (answer["statusCode"], described.dump_python(answered, mode="json")) == (
            status,
            orjson.loads(answer["body"]),
        )


def test_the_description_is_served_and_names_every_route(api: Api) -> None:
    served = api.raw("GET", "/api/openapi.json", token="")
    assert (served["statusCode"], orjson.loads(served["body"])) == (200, DESCRIBED)
    described = {(path, method.upper()) for path, method in OPERATIONS}
    of_the_document = {("/api/openapi.json", "GET"), ("/api/docs", "GET")}
    assert described | of_the_document == {
        (path, method) for app in api.apps for path, methods in app.routes.items() for method in methods
    }


def test_the_page_runs_its_own_script_and_no_other(api: Api) -> None:
    answer = api.raw("GET", "/api/docs", token="")
    policy = answer["headers"]["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'sha256-" in policy
    assert "http://" not in answer["body"] and "https://" not in answer["body"]
    assert " onclick=" not in answer["body"] and " style=" not in answer["body"]
