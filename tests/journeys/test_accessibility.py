"""The dashboard for everyone: by keys alone, by axe's rules, in the colours that a person has chosen."""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.support.cloud import Cloud
from tests.support.pages import DESK, PHONE, call_that_was_short, failings, live, show

NewPage = Callable[[], Page]
Scheme = Literal["light", "dark"]
VIEWS = ("floor", "floor?group=language", "agents", "figures", "alerts", "dead-letters", "calls?flag=short_call")


LETTERS = {
    "data": [
        {
            "id": "event-1", "kind": "event", "callId": "call-1", "queueId": None, "type": "call_answered",
            "reason": "Its predecessor never came.", "failedAt": "2026-01-31T12:00:00.000Z", "attempts": 1, "body": {},
        }
    ],
    "nextCursor": None,
}  # fmt: skip
"""What the list of dead letters holds here: who sees one queue only may not read it."""


def test_keyboard_focus_moves_to_the_next_alert(page: Page, cloud: Cloud, queue: str, agent: str) -> None:
    for _ in range(2):
        call_that_was_short(cloud, queue, agent)
    show(page, f"alerts?queue={queue}&kind=short_call")
    buttons = page.get_by_test_id("acknowledge")
    expect(buttons).to_have_count(2)
    buttons.first.press("Enter")
    expect(buttons).to_have_count(1)
    expect(buttons).to_be_focused()
    buttons.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_forced_colours_keep_the_focus_and_states_visible(page: Page, cloud: Cloud, queue: str) -> None:
    cloud.new_agent(queue, status="away")
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="voice", queueId=queue)
    page.emulate_media(forced_colors="active")
    expect(page.locator(f"[data-call-id={call_id}]")).to_be_visible()
    page.get_by_test_id("call-list").press("Home")
    expect(page.locator("[data-cursor=true]")).to_have_css("outline-style", "solid")
    show(page, "agents")
    expect(page.locator("[data-testid=agent-mark][data-status=away]").first).to_have_css("forced-color-adjust", "none")
    cloud.end_calls(call_id)


# What can have the focus and is in sight, each with a number by which it is known again; and which of them has it.
FOCUSABLE = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
  .filter((each) => !each.disabled && each.checkVisibility() && !each.matches("[data-testid=skip]"))
  .map((each, number) => { each.dataset.stop = String(number); return each.dataset.stop })"""
FOCUSED = """() => {
  const { activeElement: each } = document
  const marked = each.matches("#calls") ? each.querySelector("[data-cursor=true]") : each
  const { outlineStyle, boxShadow } = getComputedStyle(marked ?? each)
  return [each.dataset.stop ?? null, outlineStyle !== "none" || boxShadow !== "none"]
}"""


def test_every_control_is_reached_and_seen_by_keys_alone(page: Page, cloud: Cloud, queue: str, agent: str) -> None:
    call_that_was_short(cloud, queue, agent)
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="voice", queueId=queue)
    expect(page.locator(f"[data-call-id={call_id}]")).to_be_visible()
    page.route(re.compile("/api/dead-letters"), lambda route: route.fulfill(json=LETTERS))
    missing: dict[str, set[str]] = {}
    unseen: dict[str, list[str]] = {}
    for address in VIEWS:
        show(page, address)
        expect(page.get_by_test_id("loading")).to_have_count(0)
        stops = set(page.evaluate(FOCUSABLE))
        reached: dict[str, bool] = {}
        for _ in range(4 * len(stops)):  # a date's day, month and year are a stop each
            page.keyboard.press("Tab")
            stop, is_seen = page.evaluate(FOCUSED)
            if stop is not None:
                reached[stop] = is_seen or reached.get(stop, False)
            if set(reached) == stops and all(reached.values()):
                break
        missing |= {address: stops - set(reached)} if stops - set(reached) else {}
        unseen |= {address: hidden} if (hidden := [stop for stop, is_seen in reached.items() if not is_seen]) else {}
    assert (missing, unseen) == ({}, {})
    cloud.end_calls(call_id)


def test_a_call_is_found_opened_and_closed_by_keys_alone(blank_page: Page, cloud: Cloud) -> None:
    queue, other = cloud.new_queue(name="Sign language"), cloud.new_queue(name="Legal")
    page = blank_page
    page.goto(cloud.dashboard(queue, other))
    live(page)
    *call_ids, elsewhere = (cloud.new_call_id() for _ in range(3))
    for call_id in (*call_ids, elsewhere):
        cloud.post("call_initiated", call_id, type="voice", queueId=other if call_id == elsewhere else queue)
        expect(page.locator(f"[data-call-id={call_id}]")).to_be_visible()
    page.keyboard.press("3")
    expect(page.locator("[data-view=figures]")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("/")
    page.keyboard.type("sign language")
    expect(page.get_by_test_id("call-row")).to_have_count(2)
    page.get_by_test_id("call-list").focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("call-panel")).to_contain_text(call_ids[1])
    page.keyboard.press("ArrowUp")
    expect(page.get_by_test_id("call-panel")).to_contain_text(call_ids[0])
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("call-panel")).to_have_count(0)
    expect(page.get_by_test_id("call-list")).to_be_focused()
    cloud.end_calls(*call_ids, elsewhere)


ESCAPE_AT_ONCE = """() => new MutationObserver((_, observer) => {
    if (!document.querySelector("[data-testid=call-panel]")) return;
    observer.disconnect();
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    window.escaped = true;
}).observe(document.body, { childList: true, subtree: true })"""


@pytest.mark.parametrize("width", [1280, 360])
def test_closing_a_call_returns_the_keyboard_focus(page: Page, cloud: Cloud, queue: str, width: int) -> None:
    call_ids = [cloud.new_call_id() for _ in range(3)]
    for call_id in call_ids:
        cloud.post("call_initiated", call_id, type="voice", queueId=queue)
        cloud.post("call_ended", call_id, endReason="abandoned", duration=0)
    page.set_viewport_size({"width": width, "height": 740})
    show(page, f"calls?queueId={queue}")
    opener = page.locator(f"[data-call-id={call_ids[1]}] button")
    opener.focus()
    page.evaluate(ESCAPE_AT_ONCE)
    page.keyboard.press("Enter")
    page.wait_for_function("window.escaped")
    expect(page.get_by_test_id("call-panel")).to_have_count(0)
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("call-panel")).to_contain_text(call_ids[1])
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("call-panel")).to_have_count(0)
    expect(opener).to_be_focused()


def states(page: Page, cloud: Cloud, queue: str, agent: str) -> Iterator[str]:
    """Brings the page into each of its states, and names it."""
    page.goto(cloud.status["dashboard"].split("#")[0])
    expect(page.get_by_test_id("sign-in")).to_be_visible()
    yield "sign-in"
    page.goto(cloud.dashboard(queue))
    live(page)
    page.route(re.compile("/api/dead-letters"), lambda route: route.fulfill(json=LETTERS))
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="video", queueId=queue)
    cloud.post("call_routed", call_id, agentId=agent, routingTime=1)
    for address in (*VIEWS, f"floor?call={call_id}"):
        show(page, address)
        if "call=" in address:
            expect(page.get_by_test_id("offers")).to_be_visible()
        yield address
    show(page, "floor")
    page.get_by_test_id("help").click()
    yield "help"
    page.keyboard.press("Escape")
    page.route(re.compile("/api/"), lambda route: route.fulfill(status=500, body="{}"))
    for address in ("figures", "dead-letters", "calls?flag=rerouted"):
        show(page, address)
        expect(page.get_by_test_id("failed").first).to_be_visible()
        yield f"{address} failed"
    page.reload()
    show(page, "floor")
    yield "floor failed"
    page.unroute_all()
    cloud.end_calls(call_id)


@pytest.mark.contract
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_view_in_any_state(
    blank_page: Page, cloud: Cloud, queue: str, agent: str, scheme: Scheme, size: ViewportSize
) -> None:
    page = blank_page
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    found = {state: failings(page) for state in states(page, cloud, queue, agent)}
    assert {state: what for state, what in found.items() if what} == {}


def test_axe_finds_nothing_in_any_state(blank_page: Page, cloud: Cloud, queue: str, agent: str) -> None:
    """Each state once, in one of the colour schemes and sizes in turn."""
    page = blank_page
    looks: Iterator[tuple[Scheme, ViewportSize]] = itertools.cycle(itertools.product(("light", "dark"), (DESK, PHONE)))
    found: dict[str, list[str]] = {}
    for state, (scheme, size) in zip(states(page, cloud, queue, agent), looks, strict=False):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found[f"{state}, {scheme}, {size['width']} px"] = failings(page)
    assert {state: what for state, what in found.items() if what} == {}
