"""The dashboard of a system without queues, in a real browser: the commands that it shows set up a queue and a call."""

import os
import subprocess

from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.cloud import COMMAND_SECONDS, Cloud
from tests.support.pages import DESK, PHONE, failings


def open_page(browser: Browser, cloud: Cloud, token: str) -> Page:
    page = browser.new_page(viewport=DESK, permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{cloud.status['dashboard'].split('#')[0]}#token={token}")
    return page


def copied(page: Page, step: Locator) -> str:
    """The command of this step, copied with the keyboard."""
    button = step.get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    expect(step.get_by_role("status")).to_have_text("Copied")
    return page.evaluate("navigator.clipboard.readText()")


def run(command: str, token: str) -> None:
    subprocess.run(
        ["bash", "-c", command.replace("curl ", "curl --fail --silent --show-error ")],
        env={**os.environ, "TOKEN": token},
        check=True,
        timeout=COMMAND_SECONDS,
    )


def test_the_copied_commands_create_a_queue_and_a_call(browser: Browser, cloud: Cloud) -> None:
    queue_id, call_id = f"new-{cloud.name}", cloud.new_call_id()
    token = cloud.token(queue_id)
    page = open_page(browser, cloud, token)
    expect(page.get_by_test_id("first-steps")).to_be_visible()
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    found = failings(page)
    page.set_viewport_size(PHONE)
    assert found + failings(page) == []
    page.set_viewport_size(DESK)

    run(copied(page, page.get_by_test_id("step-queue")), token)
    expect(page.get_by_test_id("first-steps")).to_have_count(0)
    expect(page.get_by_test_id("call-list")).to_be_visible()
    run(copied(page, page.get_by_test_id("step-call")).replace("call-1", call_id), token)
    expect(page.locator(f"[data-call-id={call_id}]")).to_have_attribute("data-status", "waiting")
    page.close()
    cloud.end_calls(call_id)


def test_a_supervisor_sees_that_an_administrator_adds_queues(browser: Browser, cloud: Cloud) -> None:
    page = open_page(browser, cloud, cloud.token(f"missing-{cloud.name}", role="supervisor"))
    expect(page.get_by_test_id("ask-administrator")).to_contain_text("Ask your Switchboard administrator")
    expect(page.get_by_test_id("first-steps")).to_have_count(0)
    page.close()
