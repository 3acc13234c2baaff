"""The OpenAPI 3.1 document of the REST interface, built from the contracts that check requests."""

from functools import cache
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, Field, TypeAdapter

from shared.contracts import (
    answers,
    dead_letters,
    events,
    figures,
    health,
    openapi_examples,
    problems,
    queries,
    setup,
    views,
)
from shared.contracts.base import Id
from shared.contracts.body import MAX_BATCH
from shared.contracts.json_schema import ContractJsonSchema
from shared.contracts.problems import TITLES

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]
_MODELS: dict[str, tuple[Any, Mode]] = {
    "IncomingEvent": (Annotated[events.IncomingEvent, Field(discriminator="event")], "validation"),
    "QueueSetup": (setup.QueueSetup, "validation"),
    "AgentSetup": (setup.AgentSetup, "validation"),
    "Redrive": (dead_letters.Redrive, "validation"),
    "CallAnswer": (answers.CallAnswer, "serialization"),
    "AgentAnswer": (answers.AgentAnswer, "serialization"),
    "BatchAnswer": (answers.BatchAnswer, "serialization"),
    "RedriveAnswer": (answers.RedriveAnswer, "serialization"),
    "CallPage": (views.CallPage, "serialization"),
    "Changes": (views.Changes, "serialization"),
    "EventPage": (views.EventPage, "serialization"),
    "QueueList": (views.QueueList, "serialization"),
    "AgentList": (views.AgentList, "serialization"),
    "Metrics": (figures.Metrics, "serialization"),
    "DeadLetterPage": (dead_letters.DeadLetterPage, "serialization"),
    "Alive": (health.Alive, "serialization"),
    "HealthReport": (health.HealthReport, "serialization"),
    "HealthProblem": (health.HealthProblem, "serialization"),
    "Problem": (problems.Problem, "serialization"),
}
JSON, PROBLEM = "application/json", "application/problem+json"
TAGS = {
    "events": "Send events",
    "calls": "Calls and their histories",
    "queues": "Queues and their limits",
    "agents": "Agents, their languages, queues and skills",
    "metrics": "Figures",
    "dead-letters": "Events that never became legal, and announcements that reached no relay",
    "health": "Whether the system works",
}
_LIST_CALLS = """\
The answer has one of three forms:

- `CallPage`: a page of calls, the normal answer.
- `Changes`: with `since`, the changes since that position. Only `queueId` can be combined with `since`.
- `SelectedCallPage`: with `fields`, a page of calls with only these fields. Only this form has `fields`.

`format` or the `Accept` header selects CSV or NDJSON.
"""
_SEND_EVENTS = f"""\
The body is one event, or an array of 1 to {MAX_BATCH} events. Events may come late, twice or in any order.

An array is answered with a `BatchAnswer`: one result per event, in the order sent, each with its own status.

CloudEvents 1.0 are accepted as well: structured (`application/cloudevents+json`), batched
(`application/cloudevents-batch+json`) or binary (`ce-` headers).
"""
_SINCE: Json = {
    "name": "since",
    "in": "query",
    "description": "a `position` that this API returned: the response has the changes since then, or `reset`",
    "schema": {"type": "integer", "format": "int64", "minimum": 0, "maximum": 10**18 - 1},
    "example": 789,
}
_HISTORY: Json = {
    "name": "history",
    "in": "query",
    "description": "`true` to import ended calls: their events move no agents and start no timers. For administrators.",
    "schema": {"type": "string", "enum": ["true", "false"]},
}
_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": f"makes a request without `eventId`s repeatable. At most {setup.MAX_KEY} characters, "
    "with or without quotes.",
    "schema": {"type": "string", "pattern": '^([A-Za-z0-9._:@+=-]{1,120}|"[A-Za-z0-9._:@+=-]{1,120}")$'},
    "example": "pbx-1-000042",
}
_IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "the `ETag` of an earlier answer: 304 if the answer would be the same",
    "schema": {"type": "string"},
    "example": openapi_examples.ETAG,
}
_TRACEPARENT: Json = {
    "name": "traceparent",
    "in": "header",
    "description": "W3C Trace Context: the trace that this request continues. An invalid value is ignored.",
    "schema": {"type": "string"},
    "example": openapi_examples.TRACEPARENT,
}
_HEADERS: dict[str, tuple[str, str]] = {
    "ETag": ("identifies this answer: send it in `If-None-Match`", openapi_examples.ETAG),
    "Link": ('`rel="next"`: the address of the next page', f'<?cursor={openapi_examples.CURSOR}>; rel="next"'),
    "Traceparent": ("the trace of this request (W3C Trace Context)", openapi_examples.TRACEPARENT),
    "Retry-After": ("seconds to wait before another attempt", "2"),
    "WWW-Authenticate": ("how to authenticate", "Bearer"),
}
_REFUSED = {
    "400": ("BadRequest", "The request is not valid. `errors` names each field.", ()),
    "401": ("Unauthorized", "The token is missing, expired or not valid.", ("WWW-Authenticate",)),
    "403": ("Forbidden", "The token does not permit this.", ()),
    "404": ("NotFound", "There is no such thing, or the token does not permit to see it.", ()),
    "409": ("Conflict", "The event is not possible at its time.", ()),
    "413": ("TooLarge", "The body or the batch is too large.", ()),
    "415": ("UnsupportedMediaType", "The content type is not JSON.", ()),
    "422": ("KeyReused", "The event id or the key was used before with another body.", ()),
    "429": ("TooManyRequests", "Too many requests at once.", ("Retry-After",)),
    "500": ("ServerError", "The server failed.", ()),
    "503": ("Unavailable", "The database cannot be reached. Nothing was recorded.", ("Retry-After",)),
    "504": ("GatewayTimeout", "The server did not answer in time. The event may be recorded.", ()),
}
_ALWAYS = ("429", "500", "504")
_READ = ("401", "403", *_ALWAYS, "503")
_SENT = ("400", "401", "403", "413", "415", *_ALWAYS, "503")


@cache
def document() -> bytes:
    content: Json = {
        "openapi": "3.1.0",
        "x-comment": "Generated by `python -m infra.specs.generate` from shared/contracts. Do not edit it.",
        "info": {
            "title": "Switchboard",
            "version": "1",
            "description": "Call-centre events in, calls, agents and figures out. Times are RFC 3339 in UTC, durations "
            "are seconds. Every error is a problem document (RFC 9457); `errors` names the fields.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "..", "description": "the API that serves this document"}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": _paths(),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "headers": {
                name: {"description": text, "schema": {"type": "string"}, "example": example}
                for name, (text, example) in _HEADERS.items()
            },
            "responses": dict(_refused_component(status) for status in _REFUSED),
            "schemas": _schemas(),
        },
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2)


def _schemas() -> Json:
    inputs: list[tuple[str, Mode, TypeAdapter[Any]]] = [
        (name, mode, TypeAdapter(model)) for name, (model, mode) in _MODELS.items()
    ]
    template = "#/components/schemas/{model}"
    named, shared = TypeAdapter[Any].json_schemas(inputs, ref_template=template, schema_generator=ContractJsonSchema)
    models: Json = shared.get("$defs", {})
    unions: Json = {name: named[name, mode] for name, mode, _ in inputs if "$ref" not in named[name, mode]}
    return {**unions, **models, **_selected(models["CallPage"], models["CallView"])}


def _selected(page: Json, call: Json) -> Json:
    """Return the schemas of a page with only the requested fields of calls."""
    fields = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": queries.CALL_FIELDS}}
    rows = {"type": "array", "items": _ref("SelectedCall")}
    return {
        "SelectedCallPage": {
            **page,
            "title": "SelectedCallPage",
            "description": "Calls with only the fields that the request named in `fields`.",
            "properties": {**page["properties"], "data": rows, "fields": fields},
            "required": [*page["required"], "fields"],
        },
        "SelectedCall": {
            **{key: value for key, value in call.items() if key != "required"},
            "title": "SelectedCall",
            "description": "Those fields of a `CallView` that the request named in `fields`.",
        },
    }


def _paths() -> Json:
    calls = _read("listCalls", "calls", "List calls", query=queries.CallsQuery, tagged=True, paged=True)
    return {
        "/api/events": {"post": _send_events()},
        "/api/calls": {"get": _list_calls(calls)},
        "/api/calls/{call_id}": {"get": _read("getCall", "calls", "Get a call", "CallView", "call_id", tagged=True)},
        "/api/calls/{call_id}/events": {
            "get": _read(
                "listCallEvents", "calls", "List a call's events, oldest first", "EventPage", "call_id",
                query=queries.EventsQuery, tagged=True, paged=True,
            )
        },
        "/api/queues": {"get": _read("listQueues", "queues", "List the queues of the token", "QueueList", tagged=True)},
        "/api/queues/{queue_id}": {
            "get": _read("getQueue", "queues", "Get a queue", "QueueView", "queue_id"),
            "put": _send("setUpQueue", "queues", "Set up a queue", "QueueSetup", "QueueView", "queue_id"),
        },
        "/api/agents": {
            "get": _read("listAgents", "agents", "List the agents of the token's queues", "AgentList", tagged=True)
        },
        "/api/agents/{agent_id}": {
            "get": _read("getAgent", "agents", "Get an agent", "AgentView", "agent_id"),
            "put": _send("setUpAgent", "agents", "Set up an agent", "AgentSetup", "AgentView", "agent_id"),
        },
        "/api/metrics": {
            "get": _read("getMetrics", "metrics", "Get figures", "Metrics", query=queries.MetricsQuery)
        },
        "/api/dead-letters": {
            "get": _read(
                "listDeadLetters", "dead-letters", "List dead letters, newest first", "DeadLetterPage",
                query=queries.Paged, tagged=True, paged=True,
            )
        },
        "/api/dead-letters/redrive": {
            "post": _send("redriveDeadLetters", "dead-letters", "Try dead letters again", "Redrive", "RedriveAnswer")
        },
        "/api/health": {"get": _health()},
        "/api/health/deep": {"get": _deep_health()},
    }  # fmt: skip


def _send_events() -> Json:
    event, one, many = _ref("IncomingEvent"), [_ref("CallAnswer"), _ref("AgentAnswer")], _ref("BatchAnswer")
    several = {"type": "array", "items": event, "minItems": 1, "maxItems": MAX_BATCH}
    good = {
        "200": ("A copy of a recorded event, or the results of a batch.", {"anyOf": [*one, many]}),
        "201": ("Recorded.", {"anyOf": one}),
        "202": ("Deferred until its predecessor arrives, or until the agent's call is over.", {"anyOf": one}),
    }
    operation = _operation("sendEvents", "events", "Send events", good, ("409", "422", *_SENT))
    parameters = [_HISTORY, _IDEMPOTENCY_KEY, _TRACEPARENT]
    body = _body("sendEvents", {"anyOf": [event, several]})
    return {**operation, "description": _SEND_EVENTS, "parameters": parameters, "requestBody": body}


def _list_calls(operation: Json) -> Json:
    content = operation["responses"]["200"]["content"]
    content[JSON]["schema"] = {"anyOf": [_ref("CallPage"), _ref("Changes"), _ref("SelectedCallPage")]}
    content["text/csv"] = {"schema": {"type": "string"}, "example": openapi_examples.CALLS_CSV}
    content["application/x-ndjson"] = {"schema": {"type": "string"}, "example": openapi_examples.CALLS_NDJSON}
    return {**operation, "description": _LIST_CALLS, "parameters": [_SINCE, *operation["parameters"]]}


def _read(
    operation_id: str,
    tag: str,
    summary: str,
    answer: str = "",
    *path: str,
    query: type[BaseModel] | None = None,
    tagged: bool = False,
    paged: bool = False,
) -> Json:
    """A GET. `tagged`: it has an entity tag and may answer 304. `paged`: a `Link` names the next page."""
    refusals = (*(("400",) if query or path else ()), *(("404",) if path else ()), *_READ)
    operation = _operation(operation_id, tag, summary, {"200": ("The answer.", _ref(answer))}, refusals)
    operation["responses"]["200"]["headers"] |= _headers(*(["ETag"] if tagged else []), *(["Link"] if paged else []))
    if tagged:
        same = {"description": "The answer is the one that `If-None-Match` names.", "headers": _headers("ETag")}
        operation["responses"] = {"200": operation["responses"].pop("200"), "304": same, **operation["responses"]}
    header = [_IF_NONE_MATCH, _TRACEPARENT] if tagged else [_TRACEPARENT]
    return {**operation, "parameters": [*_path(path), *(_parameters(query) if query else []), *header]}


def _send(operation_id: str, tag: str, summary: str, body: str, answer: str, *path: str) -> Json:
    operation = _operation(operation_id, tag, summary, {"200": ("Done.", _ref(answer))}, _SENT)
    return {**operation, "parameters": [*_path(path), _TRACEPARENT], "requestBody": _body(operation_id, _ref(body))}


def _health() -> Json:
    good = {"200": ("The function answers.", _ref("Alive"))}
    operation = _operation("getHealth", "health", "Check that the API answers", good, _ALWAYS)
    return {**operation, "security": [], "parameters": [_TRACEPARENT]}


def _deep_health() -> Json:
    good = {"200": ("Every essential part works.", _ref("HealthReport"))}
    operation = _operation("getDeepHealth", "health", "Check every part", good, ("401", "403", *_ALWAYS))
    down = _response("getDeepHealth", "503", "An essential part is down.", _ref("HealthProblem"), PROBLEM)
    operation["responses"]["503"] = down
    description = "For administrators of all queues. 503 if Postgres, the sweep or the relay is down."
    return {**operation, "description": description, "parameters": [_TRACEPARENT]}


def _operation(
    operation_id: str, tag: str, summary: str, good: dict[str, tuple[str, Json]], refusals: tuple[str, ...]
) -> Json:
    answered = {status: _response(operation_id, status, text, schema) for status, (text, schema) in good.items()}
    refused = {status: {"$ref": f"#/components/responses/{_REFUSED[status][0]}"} for status in sorted(refusals)}
    return {"operationId": operation_id, "tags": [tag], "summary": summary, "responses": {**answered, **refused}}


def _response(operation_id: str, status: str, description: str, schema: Json, media_type: str = JSON) -> Json:
    examples = _examples(openapi_examples.RESPONSES[operation_id][status])
    content = {media_type: {"schema": schema, "examples": examples}}
    return {"description": description, "headers": _headers("Traceparent"), "content": content}


def _refused_component(status: str) -> tuple[str, Json]:
    name, description, headers = _REFUSED[status]
    examples = {"problem": {"summary": TITLES[int(status)], "value": openapi_examples.PROBLEMS[status]}}
    content = {PROBLEM: {"schema": _ref("Problem"), "examples": examples}}
    return name, {"description": description, "headers": _headers(*headers, "Traceparent"), "content": content}


def _body(operation_id: str, schema: Json) -> Json:
    examples = _examples(openapi_examples.REQUESTS[operation_id])
    return {"required": True, "content": {JSON: {"schema": schema, "examples": examples}}}


def _examples(named: dict[str, tuple[str, Any]]) -> Json:
    return {name: {"summary": summary, "value": value} for name, (summary, value) in named.items()}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _path(names: tuple[str, ...]) -> list[Json]:
    schema = TypeAdapter(Id).json_schema()
    return [
        {"name": name, "in": "path", "required": True, "schema": schema, "example": openapi_examples.PATH[name]}
        for name in names
    ]


def _parameters(query: type[BaseModel]) -> list[Json]:
    schema = query.model_json_schema(schema_generator=ContractJsonSchema)
    return [_parameter(name, dict(field)) for name, field in schema["properties"].items()]


def _parameter(name: str, schema: Json) -> Json:
    """Return the description of a query parameter. Requests omit one without a value, so it is never null.

    The description contains the default. If the schema did, generated clients would send it with every request, and
    `since` allows no other parameters.
    """
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **options[0]}
    default = schema.pop("default", None)
    texts = [schema.pop("description", ""), f"default {default}" if default not in (None, [], ()) else ""]
    described = {"description": "; ".join(filter(None, texts))} if any(texts) else {}
    listed = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    return {"name": name, "in": "query", **described, **listed, "schema": schema}
