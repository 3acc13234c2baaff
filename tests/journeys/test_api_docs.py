"""/api/docs in a real browser: each body is a form with an example, and a problem marks the field that it names."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import orjson
import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from shared.contracts import openapi
from tests.support.cloud import Cloud, Json
from tests.support.pages import failings

DESCRIBED: Json = orjson.loads(openapi.document())
WITH_BODY = [
    about
    for methods in DESCRIBED["paths"].values()
    for about in methods.values()
    if about.get("requestBody") is not None
]


@pytest.fixture
def page(context: BrowserContext, cloud: Cloud) -> Iterator[Page]:
    """With an administrator's token. It asks this API only, and its policy blocks nothing that it needs."""
    page = context.new_page()
    asked: set[str] = set()
    blocked: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            blocked.append(message.text)

    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.on("console", hear)
    page.goto(f"{cloud.status['api']}/api/docs")
    page.get_by_label("Token").fill(cloud.status["token"])
    yield page
    assert (asked, blocked) == ({urlsplit(cloud.status["api"]).netloc}, [])
    page.close()


def opened(page: Page, operation_id: str) -> Locator:
    operation = page.locator(f"#{operation_id}")
    operation.locator("summary").first.click()
    return operation


def labelled(operation: Locator, name: str) -> Locator:
    """The control with this label, which may have the mark of a required field."""
    return operation.get_by_label(re.compile(rf"^{name}( \(required\))?$"))


def send(operation: Locator, status: int) -> None:
    operation.get_by_role("button", name="Send").click()
    expect(operation.get_by_role("status")).to_contain_text(f"{status}: ")


def test_a_filled_form_sends_an_event_and_shows_the_answer(page: Page, cloud: Cloud) -> None:
    call_id, operation = cloud.new_call_id(), opened(page, "sendEvents")
    labelled(operation, "callId").fill(call_id)
    labelled(operation, "queueId").fill(cloud.new_queue())
    send(operation, 201)
    answer = json.loads(operation.get_by_role("region", name="Response body").inner_text())
    assert (answer["outcome"], answer["call"]["id"], answer["call"]["status"]) == ("applied", call_id, "waiting")
    expect(operation.locator("dl")).to_contain_text("traceparent")

    labelled(operation, "event").select_option("call_ended")
    expect(labelled(operation, "queueId")).to_have_count(0)
    expect(labelled(operation, "callId")).to_have_value(call_id)
    labelled(operation, "endReason").select_option("abandoned")
    labelled(operation, "duration").fill("0")
    send(operation, 201)
    assert cloud.get(f"/api/calls/{call_id}")["status"] == "ended"


def test_a_problem_is_shown_beside_the_field_it_names(page: Page) -> None:
    operation = opened(page, "sendEvents")
    body, kind = labelled(operation, "JSON"), labelled(operation, "type")
    body.fill(body.input_value().replace('"voice"', '"voise"'))
    expect(kind).to_have_value("voise")
    send(operation, 400)
    expect(kind).to_have_attribute("aria-invalid", "true")
    expect(kind).to_be_focused()
    expect(kind).to_have_accessible_description(re.compile("'voice' or 'video'"))
    assert failings(page) == []
    kind.select_option("video")
    expect(kind).to_have_attribute("aria-invalid", "false")
    assert json.loads(body.input_value())["type"] == "video"

    listing = opened(page, "listCalls")
    labelled(listing, "limit").fill("0")
    send(listing, 400)
    expect(labelled(listing, "limit")).to_have_attribute("aria-invalid", "true")


def test_each_body_is_a_form_filled_with_its_example(page: Page) -> None:
    assert len(WITH_BODY) > 3
    for about in WITH_BODY:
        operation = opened(page, about["operationId"])
        example = next(iter(about["requestBody"]["content"]["application/json"]["examples"].values()))["value"]
        assert json.loads(labelled(operation, "JSON").input_value()) == example
        for name, value in example.items():
            shown = value if isinstance(value, str) else None
            expect(labelled(operation, name)).to_have_value(re.compile(re.escape(shown) if shown else "."))


def test_a_list_of_events_is_edited_as_json(page: Page) -> None:
    operation = opened(page, "sendEvents")
    labelled(operation, "Example").select_option("Several events at once")
    expect(labelled(operation, "callId")).to_have_count(1)
    expect(labelled(operation, "callId")).to_be_hidden()
    labelled(operation, "JSON").fill('[{"event": "none"}]')
    send(operation, 200)
    expect(operation.get_by_role("region", name="Response body")).to_contain_text('"status": 400')
