"""The published description of the feed."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.paths import REPOSITORY

DOCUMENT = json.loads((REPOSITORY / "docs" / "asyncapi.json").read_text())


MESSAGES = DOCUMENT["components"]["messages"]


def faults(frame: Any, message: str) -> list[str]:
    """What the document's schema of a message finds wrong with a frame."""
    schema = {**MESSAGES[message]["payload"], "components": DOCUMENT["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(frame)]
