"""The feed's document: what AsyncAPI 3 allows, with examples that its own schemas allow."""

import json

import pytest
from jsonschema import Draft7Validator

from infra.specs import asyncapi
from infra.toolchain import dashboard
from tests.support.asyncapi import DOCUMENT, MESSAGES, faults
from tests.support.paths import REPOSITORY

SPECIFICATION = dashboard.SOURCE / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"


@pytest.mark.contract
def test_it_is_an_asyncapi_document() -> None:
    if not SPECIFICATION.exists():
        dashboard.install()
    validator = Draft7Validator(json.loads(SPECIFICATION.read_text()))
    assert [(list(error.absolute_path), error.message) for error in validator.iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize("name", MESSAGES)
def test_each_message_has_examples_that_its_schema_allows(name: str) -> None:
    assert MESSAGES[name]["examples"]
    assert [faults(example["payload"], name) for example in MESSAGES[name]["examples"]] == [[]] * len(
        MESSAGES[name]["examples"]
    )


def test_frames_of_the_vectors_are_examples() -> None:
    frames = [
        step["frame"]
        for name in asyncapi.EXAMPLE_VECTORS
        for step in json.loads((REPOSITORY / "docs" / "feed-vectors" / f"{name}.json").read_text())["steps"]
        if step.get("frame", {}).get("type") == "update"
    ]
    examples = [example["payload"] for example in MESSAGES["update"]["examples"]]
    assert frames and [frame for frame in frames if frame not in examples] == []


def test_the_schemas_refuse_invalid_messages() -> None:
    assert faults({"action": "subscribe", "topics": ["everything"]}, "subscribe")
    assert faults({"action": "subscribe", "topics": []}, "subscribe")
    assert faults({"type": "update", "position": 1, "calls": [{"id": "c"}]}, "update")


def test_every_reference_leads_somewhere() -> None:
    def refs(node: object) -> list[str]:
        if isinstance(node, list):
            return [ref for item in node for ref in refs(item)]
        if not isinstance(node, dict):
            return []
        return [node["$ref"]] if "$ref" in node else [ref for item in node.values() for ref in refs(item)]

    for ref in refs(DOCUMENT):
        found = DOCUMENT
        for part in ref.removeprefix("#/").split("/"):
            found = found[part]
    assert asyncapi.document() == json.dumps(DOCUMENT, indent=2, ensure_ascii=False) + "\n"
