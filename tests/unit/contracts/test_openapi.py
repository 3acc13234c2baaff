"""docs/openapi.json: valid OpenAPI that generated clients can read, with examples that its own schemas allow."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.contracts.problems import Problem
from tests.support.paths import REPOSITORY

Json = dict[str, Any]
DOCUMENT: Json = json.loads((REPOSITORY / "docs" / "openapi.json").read_text())
SCHEMAS: Json = DOCUMENT["components"]["schemas"]
OPERATIONS: dict[str, Json] = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
BASIC_EVENTS = ["call_initiated", "call_routed", "call_answered", "call_hold", "call_ended"]
EVENT_MODELS = [ref["$ref"].rpartition("/")[2] for ref in SCHEMAS["IncomingEvent"]["oneOf"]]


def objects(value: Any) -> Iterator[Json]:
    """Every object within a JSON value, itself included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(inner)


def strict_components() -> Json:
    """The components, with every object closed: a misspelt name in an example is an error, too."""
    components = copy.deepcopy(DOCUMENT["components"])
    for schema in objects(components["schemas"]):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return components


COMPONENTS = strict_components()


def faults(schema: Json, value: Any) -> list[str]:
    validator = Draft202012Validator(
        {**schema, "components": COMPONENTS}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(value)]


def resolved(response: Json) -> Json:
    return DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]] if "$ref" in response else response


def contents(operation: Json) -> Iterator[tuple[str, str, Json]]:
    """Each body of an operation: its message, its media type and its description."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, content
    for status, response in operation["responses"].items():
        for media_type, content in resolved(response).get("content", {}).items():
            yield status, media_type, content


def examples(content: Json) -> dict[str, Any]:
    named = {name: example["value"] for name, example in content.get("examples", {}).items()}
    return named | ({"example": content["example"]} if "example" in content else {})


def test_it_is_a_valid_openapi_document() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_each_operation_has_an_id_of_its_own_and_a_summary() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    assert all(name.isidentifier() and name[0].islower() for name in ids)
    assert all(operation["summary"] and operation["tags"] for operation in OPERATIONS.values())


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_body_has_examples_that_its_schema_allows(name: str) -> None:
    for message, media_type, content in contents(OPERATIONS[name]):
        given = examples(content)
        assert given, f"{message} {media_type} has no example"
        for example, value in given.items():
            assert faults(content["schema"], value) == [], f"{message} {media_type} {example}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_parameter_example_is_allowed(name: str) -> None:
    for parameter in OPERATIONS[name]["parameters"]:
        assert parameter["in"] != "path" or "example" in parameter, parameter["name"]
        if "example" in parameter:
            assert faults(parameter["schema"], parameter["example"]) == [], parameter["name"]


def test_each_event_has_an_example_and_the_basic_five_come_first() -> None:
    named = OPERATIONS["POST /api/events"]["requestBody"]["content"]["application/json"]["examples"]
    assert list(named)[:5] == BASIC_EVENTS
    events = {SCHEMAS[model]["properties"]["event"]["const"] for model in EVENT_MODELS}
    assert {example["value"]["event"] for name, example in named.items() if name != "batch"} == events


def test_no_component_is_an_alias() -> None:
    assert [name for name, schema in SCHEMAS.items() if "$ref" in schema] == []


def test_no_field_defaults_to_null() -> None:
    assert [schema for schema in objects(DOCUMENT) if schema.get("default", 0) is None] == []


def test_no_parameter_has_a_default_that_clients_would_send() -> None:
    """`since` stands alone: a generated client that sends `limit=50` with each request could not use it."""
    parameters = [parameter for operation in OPERATIONS.values() for parameter in operation["parameters"]]
    assert [parameter["name"] for parameter in parameters if "default" in parameter["schema"]] == []
    limits = [parameter["description"] for parameter in parameters if parameter["name"] == "limit"]
    assert limits == ["default 50", "default 500", "default 50"]


def test_optional_event_fields_may_still_be_null() -> None:
    for model in EVENT_MODELS:
        optional = SCHEMAS[model]["properties"].keys() - SCHEMAS[model]["required"]
        assert {"eventId", "occurredAt", "sequence", "metadata"} <= optional
        for field in optional:
            assert {"type": "null"} in SCHEMAS[model]["properties"][field]["anyOf"], f"{model}.{field}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_error_is_a_problem(name: str) -> None:
    refusals = {status: response for status, response in OPERATIONS[name]["responses"].items() if status >= "400"}
    assert {"429", "500", "504"} <= refusals.keys()
    for status, response in refusals.items():
        content = resolved(response)["content"]
        assert list(content) == ["application/problem+json"], status
        for value in examples(content["application/problem+json"]).values():
            assert Problem.model_validate(value).status == int(status)


def test_the_headers_of_requests_are_described() -> None:
    sent = {
        name: {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"}
        for name, operation in OPERATIONS.items()
    }
    assert all("traceparent" in names for names in sent.values())
    assert [name for name, names in sent.items() if "Idempotency-Key" in names] == ["POST /api/events"]
    conditional = {name for name, operation in OPERATIONS.items() if "304" in operation["responses"]}
    assert {name for name, names in sent.items() if "If-None-Match" in names} == conditional
    assert "GET /api/calls" in conditional
