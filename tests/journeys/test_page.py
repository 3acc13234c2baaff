"""The dashboard in a real browser, fed by the real cloud."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from infra.chromium import find
from tests.journeys.conftest import Cloud
from tests.journeys.test_one_call import LIFE

expect.set_options(timeout=20_000)  # a signal is waited for; a busy machine is no failure
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = find()
    assert chromium, "Chromium is missing: `make test` installs it where it may"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, cloud: Cloud) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(cloud.status["dashboard"])
    yield page
    page.close()


def test_the_page_opens_signed_in_and_follows_a_call_through_its_life(page: Page, cloud: Cloud) -> None:
    expect(page.locator("[data-connection=live]").first).to_be_visible()
    call_id = cloud.new_call_id()
    row = page.locator(f"[data-call-id={call_id}]")
    for event, fields, status in LIFE[:-1]:
        version = cloud.post(event, call_id, **fields).json()["call"]["version"]
        expect(row).to_have_attribute("data-status", status)
        expect(row).to_have_attribute("data-version", str(version))

    row.click()
    history = page.get_by_test_id("timeline")
    for words in ("Call came in", "Answered"):
        expect(history).to_contain_text(words)
    cloud.post(*LIFE[-1][:1], call_id, **LIFE[-1][1])
    expect(row).to_have_count(0)


def test_the_page_shows_the_floor_that_rest_tells(page: Page, cloud: Cloud) -> None:
    call_ids = {cloud.new_call_id() for _ in range(5)}
    for call_id in call_ids:
        cloud.post("call_initiated", call_id, type="voice", queueId="legal_spanish")
    for call_id in call_ids:
        expect(page.locator(f"[data-call-id={call_id}]")).to_be_visible()
    shown = {
        (row.get_attribute("data-call-id"), row.get_attribute("data-status"))
        for row in page.locator("[data-call-id]").all()
    }
    assert shown == {(call["id"], call["status"]) for call in cloud.live_calls().values()}
    for call_id in call_ids:
        cloud.post("call_ended", call_id, endReason="abandoned", duration=0)
        expect(page.locator(f"[data-call-id={call_id}]")).to_have_count(0)


def test_without_a_token_the_page_asks_for_one_and_shows_nothing(browser: Browser, cloud: Cloud) -> None:
    page = browser.new_page()
    page.goto(cloud.status["dashboard"].split("#")[0])
    expect(page.get_by_test_id("sign-in")).to_be_visible()
    expect(page.locator("[data-call-id]")).to_have_count(0)
    page.close()
