"""The examples of docs/sending-events.md are sent as they are."""

import json
import re
from typing import Any

from tests.support.paths import REPOSITORY
from tests.support.rest import Api

EXAMPLE = re.compile(r"```json\n([^`]+)```\n→ ([^\n]+)")
GUIDE = (REPOSITORY / "docs" / "sending-events.md").read_text()


def outcome(status: int, answer: dict[str, Any]) -> str:
    if status < 300:
        return f"{status} {answer['outcome']}"
    return f"{status} {', '.join(error['field'] for error in answer['errors'])}"


def test_each_example_is_answered_as_the_guide_says(api: Api) -> None:
    examples = [(body, re.findall(r"`(\d+ [^`]+)`", outcomes)) for body, outcomes in EXAMPLE.findall(GUIDE)]
    assert len(examples) == GUIDE.count("```json")
    for body, outcomes in examples:
        status, answer, _ = api.post(body)
        several = "results" in answer
        items = answer["results"] if several else [answer | {"status": status}]
        assert [outcome(item["status"], item.get("problem", item)) for item in items] == outcomes, json.loads(body)
