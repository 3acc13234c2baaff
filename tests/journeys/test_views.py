"""The views of the dashboard in a real browser, fed by the real cloud: what they show, and where their numbers lead."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.journeys.test_page import browser  # noqa: F401 - a fixture
from tests.support.cloud import Cloud

AXE = Path(__file__).parents[2] / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ("floor", "floor?group=language", "agents", "figures", "alerts", "letters", "calls?flag=short_call")


@pytest.fixture
def page(browser: Browser, cloud: Cloud) -> Iterator[Page]:  # noqa: F811
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(cloud.status["dashboard"])
    expect(page.locator("[data-connection=live]").first).to_be_visible()
    yield page
    page.close()


def show(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address }", f"#/{address}")
    expect(page.locator(f"[data-view={address.split('?')[0]}]")).to_be_visible()


def test_a_filter_lives_in_the_address_and_shows_its_calls_only(page: Page, cloud: Cloud) -> None:
    spanish, english = cloud.new_call_id(), cloud.new_call_id()
    cloud.post("call_initiated", spanish, type="voice", queueId="medical_spanish")
    cloud.post("call_initiated", english, type="voice", queueId="medical_english")
    expect(page.locator(f"[data-call-id={english}]")).to_be_visible()
    page.locator("[data-testid=language-card][data-language=es]").click()
    expect(page.locator(f"[data-call-id={english}]")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"#/floor\?language=es$"))
    page.reload()
    expect(page.locator(f"[data-call-id={spanish}]")).to_be_visible()
    expect(page.locator(f"[data-call-id={english}]")).to_have_count(0)
    for call_id in (spanish, english):
        cloud.post("call_ended", call_id, endReason="abandoned", duration=0)


def test_a_figure_opens_the_calls_that_it_counts(page: Page, cloud: Cloud) -> None:
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="voice", queueId="legal_english")
    cloud.post("call_ended", call_id, endReason="abandoned", duration=0)
    show(page, "figures?queue=legal_english")
    offered = page.get_by_test_id("figure-offered")
    expect(offered).not_to_have_attribute("data-value", "0")
    count = int(offered.get_attribute("data-value") or 0)
    expect(page.get_by_test_id("chart").locator("canvas")).to_have_count(3)
    offered.click()
    expect(page.get_by_test_id("found-call")).to_have_count(count)
    page.locator(f"[data-call-id={call_id}] button").click()
    expect(page.get_by_test_id("timeline")).to_contain_text("Call came in")


def test_an_agent_s_state_follows_and_a_short_call_is_counted_on_him(page: Page, cloud: Cloud) -> None:
    call_id, agent_id = cloud.new_call_id(), "interpreter-12"
    show(page, "agents")
    row = page.locator(f"[data-agent-id={agent_id}]").first
    cloud.post("call_initiated", call_id, type="voice", queueId="medical_spanish")
    cloud.post("call_routed", call_id, agentId=agent_id, routingTime=1)
    expect(row).to_have_attribute("data-status", "offered")
    cloud.post("call_answered", call_id, waitTime=2)
    expect(row).to_have_attribute("data-status", "on_call")
    cloud.post("call_ended", call_id, endReason="completed", duration=3)
    page.reload()
    expect(page.get_by_test_id("bars-shortCalls").locator(f"[data-agent-id={agent_id}]")).to_be_visible()


def test_a_short_call_raises_an_alert_until_somebody_has_seen_to_it(page: Page, cloud: Cloud) -> None:
    call_id = cloud.new_call_id()
    show(page, "alerts")
    cloud.post("call_initiated", call_id, type="voice", queueId="medical_spanish")
    cloud.post("call_routed", call_id, agentId="interpreter-11", routingTime=1)
    cloud.post("call_answered", call_id, waitTime=2)
    cloud.post("call_ended", call_id, endReason="completed", duration=3)
    alert = page.locator(f"[data-testid=alert][data-call-id={call_id}]")
    expect(alert).to_have_attribute("data-kind", "short_call")
    alert.get_by_test_id("acknowledge").click()
    expect(alert).to_have_count(0)
    page.get_by_test_id("show-seen").check()
    expect(alert).to_be_visible()


def test_who_acknowledges_by_keys_goes_on_with_the_next_alert(page: Page, cloud: Cloud) -> None:
    for _ in range(2):
        call_id = cloud.new_call_id()
        cloud.post("call_initiated", call_id, type="voice", queueId="legal_english")
        cloud.post("call_routed", call_id, agentId="interpreter-10", routingTime=1)
        cloud.post("call_answered", call_id, waitTime=2)
        cloud.post("call_ended", call_id, endReason="completed", duration=3)
    show(page, "alerts?queue=legal_english&kind=short_call")
    buttons = page.get_by_test_id("acknowledge")
    expect(buttons).to_have_count(2)
    buttons.first.press("Enter")
    expect(buttons).to_have_count(1)
    expect(buttons).to_be_focused()
    buttons.press("Enter")
    expect(page.locator("#content")).to_be_focused()


def test_a_queue_s_long_name_leaves_its_thresholds_in_sight(page: Page, cloud: Cloud) -> None:
    named = [{**queue, "name": "Donaudampfschifffahrt" * 6} for queue in cloud.get("/api/queues")["data"]]
    page.route(re.compile("/api/queues$"), lambda route: route.fulfill(json={"data": named}))
    page.reload()
    show(page, "alerts")
    expect(page.get_by_test_id("threshold-wait-legal_spanish")).to_be_in_viewport(ratio=1)


def test_a_queue_beyond_its_threshold_alarms(page: Page, cloud: Cloud) -> None:
    call_id = cloud.new_call_id()
    show(page, "alerts?queue=legal_spanish")
    page.get_by_test_id("threshold-waiting-legal_spanish").fill("0")
    page.get_by_test_id("threshold-waiting-legal_spanish").blur()
    cloud.post("call_initiated", call_id, type="voice", queueId="legal_spanish")
    alarm = page.locator("[data-testid=alert][data-kind=queue_waiting]")
    expect(alarm).to_have_attribute("data-open", "true")
    cloud.post("call_ended", call_id, endReason="abandoned", duration=0)
    expect(alarm).to_have_attribute("data-open", "false")


def test_forced_colours_leave_the_cursor_a_line_and_a_state_its_colour(browser: Browser, cloud: Cloud) -> None:  # noqa: F811
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="voice", queueId="legal_spanish")
    page = browser.new_page(forced_colors="active")
    page.goto(cloud.status["dashboard"])
    row = page.locator(f"[data-call-id={call_id}]")
    expect(row).to_be_visible()
    page.get_by_test_id("call-list").press("Home")
    expect(page.locator("[data-cursor=true]")).to_have_css("outline-style", "solid")
    show(page, "agents")
    expect(page.locator(".agent-mark[data-status=away]").first).to_have_css("forced-color-adjust", "none")
    page.close()
    cloud.post("call_ended", call_id, endReason="abandoned", duration=0)


def test_a_phone_that_lets_no_page_notify_leaves_the_page_at_work(browser: Browser, cloud: Cloud) -> None:  # noqa: F811
    page = browser.new_page()
    page.add_init_script(
        """Notification = class {
             static permission = "granted";
             static requestPermission = async () => "granted";
             constructor() { throw new TypeError("Illegal constructor"); }
           };"""
    )
    page.goto(cloud.status["dashboard"])
    expect(page.locator("[data-connection=live]").first).to_be_visible()
    show(page, "alerts?queue=legal_english")
    page.get_by_test_id("notifications").check()
    page.get_by_test_id("threshold-waiting-legal_english").fill("0")
    page.get_by_test_id("threshold-waiting-legal_english").blur()
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="voice", queueId="legal_english")
    expect(page.locator("[data-testid=alert][data-kind=queue_waiting]")).to_be_visible()
    expect(page.get_by_test_id("notifications")).not_to_be_checked()
    clock = page.locator(".server-time")
    expect(clock).not_to_have_text(clock.inner_text())
    page.close()
    cloud.post("call_ended", call_id, endReason="abandoned", duration=0)


def test_an_api_that_answers_500_leaves_no_number_that_looks_fresh(page: Page) -> None:
    page.route(re.compile("/api/metrics"), lambda route: route.fulfill(status=500, body="{}"))
    show(page, "figures")
    expect(page.get_by_test_id("failed").first).to_be_visible()
    page.unroute(re.compile("/api/metrics"))
    page.get_by_role("button", name="Try now").first.click()
    expect(page.get_by_test_id("figure-offered")).to_be_visible()
    expect(page.get_by_test_id("read-at")).to_contain_text("ago")
    page.route(re.compile("/api/metrics"), lambda route: route.fulfill(status=500, body="{}"))
    stale = page.get_by_test_id("stale").first
    expect(stale).to_contain_text("cannot be read again")
    expect(stale).not_to_have_text(stale.inner_text())  # its age goes on
    expect(page.get_by_test_id("figure-offered")).to_be_visible()
    expect(page.get_by_test_id("read-at")).to_have_count(0)


def test_a_token_that_is_refused_ends_the_session_until_it_is_given_again(page: Page, cloud: Cloud) -> None:
    page.route(re.compile("/api/dead-letters"), lambda route: route.fulfill(status=401, body="{}"))
    show_letters = page.get_by_test_id("nav-letters")
    show_letters.click()
    expect(page.get_by_test_id("sign-in")).to_have_attribute("data-reason", "session_ended")
    page.unroute(re.compile("/api/dead-letters"))
    page.get_by_label("Token").fill(cloud.status["token"])
    page.get_by_label("Token").press("Enter")
    expect(page.locator("[data-connection=live]").first).to_be_visible()


def test_a_call_s_course_shows_who_was_rung_and_what_came_of_it(page: Page, cloud: Cloud) -> None:
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="voice", queueId="medical_spanish")
    cloud.post("call_routed", call_id, agentId="interpreter-11", routingTime=1)
    cloud.post("call_no_answer", call_id, agentId="interpreter-11")
    show(page, f"floor?call={call_id}")
    offers = page.get_by_test_id("offers")
    expect(offers.locator("[data-agent-id=interpreter-11]")).to_have_attribute("data-outcome", "missed")
    cloud.post("call_routed", call_id, agentId="interpreter-12", routingTime=1)
    cloud.post("call_answered", call_id, waitTime=2)
    expect(offers.locator("[data-agent-id=interpreter-12]")).to_have_attribute("data-outcome", "answered")
    page.locator("[data-event-type=call_no_answer] button").click()
    expect(page.get_by_test_id("raw-event")).to_contain_text('"interpreter-11"')
    # Who opens the page afterwards is told by the history.
    show(page, "floor")
    page.reload()
    expect(page.locator(f"[data-call-id={call_id}] .missed")).to_be_visible()
    cloud.post("call_ended", call_id, endReason="completed", duration=30)


# What can have the focus and is in sight, each with a number by which it is known again; and which of them has it.
FOCUSABLE = """() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
  .filter((each) => !each.disabled && each.checkVisibility() && !each.matches(".skip"))
  .map((each, number) => { each.dataset.stop = String(number); return each.dataset.stop })"""
FOCUSED = """() => {
  const { activeElement: each } = document
  const marked = each.matches(".grid") ? each.querySelector("[data-cursor=true]") : each
  const { outlineStyle, boxShadow } = getComputedStyle(marked ?? each)
  return [each.dataset.stop ?? null, outlineStyle !== "none" || boxShadow !== "none"]
}"""


@pytest.mark.parametrize("address", VIEWS)
def test_every_control_is_reached_and_seen_by_keys_alone(page: Page, cloud: Cloud, address: str) -> None:
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="voice", queueId="legal_spanish")
    expect(page.locator(f"[data-call-id={call_id}]")).to_be_visible()
    show(page, address)
    expect(page.get_by_test_id("loading")).to_have_count(0)
    stops = set(page.evaluate(FOCUSABLE))
    reached: dict[str, bool] = {}
    for _ in range(4 * len(stops)):  # a date's day, month and year are a stop each
        page.keyboard.press("Tab")
        stop, is_seen = page.evaluate(FOCUSED)
        if stop is not None:
            reached[stop] = is_seen or reached.get(stop, False)
    assert set(reached) == stops
    assert [stop for stop, is_seen in reached.items() if not is_seen] == []
    cloud.post("call_ended", call_id, endReason="abandoned", duration=0)


def test_a_call_is_found_opened_and_closed_by_keys_alone(page: Page, cloud: Cloud) -> None:
    call_ids = [cloud.new_call_id() for _ in range(2)]
    for call_id in call_ids:
        cloud.post("call_initiated", call_id, type="voice", queueId="legal_spanish")
        expect(page.locator(f"[data-call-id={call_id}]")).to_be_visible()
    page.keyboard.press("3")
    expect(page.locator("[data-view=figures]")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("/")
    page.keyboard.type("legal spanish")
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
    for call_id in call_ids:
        cloud.post("call_ended", call_id, endReason="abandoned", duration=0)


ESCAPE_AT_ONCE = """() => new MutationObserver((_, observer) => {
    if (!document.querySelector("[data-testid=call-panel]")) return;
    observer.disconnect();
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    window.escaped = true;
}).observe(document.body, { childList: true, subtree: true })"""


@pytest.mark.parametrize("width", [1280, 360])
def test_who_closes_a_call_by_keys_stands_where_it_was_opened(browser: Browser, cloud: Cloud, width: int) -> None:  # noqa: F811
    call_ids = [cloud.new_call_id() for _ in range(3)]
    for call_id in call_ids:
        cloud.post("call_initiated", call_id, type="voice", queueId="legal_spanish")
        cloud.post("call_ended", call_id, endReason="abandoned", duration=0)
    page = browser.new_page(viewport={"width": width, "height": 740})
    page.goto(cloud.status["dashboard"])
    show(page, "calls?queueId=legal_spanish")
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
    page.close()


DESK: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}


def failings(page: Page) -> list[str]:
    """What axe finds, and whether the page is wider than its window."""
    expect(page.get_by_test_id("loading")).to_have_count(0)
    page.evaluate(AXE.read_text())
    told = page.evaluate("async () => (await axe.run()).violations")
    too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    wide = [f"{too_wide} px too wide"] if too_wide > 0 else []
    return wide + [f"{each['id']}: {json.dumps(each['nodes'][0]['target'])}" for each in told]


def test_a_narrow_phone_shows_whole_what_has_no_place_to_break(browser: Browser, cloud: Cloud) -> None:  # noqa: F811
    page = browser.new_page(viewport={"width": 360, "height": 740})
    call_id = "c" * 128
    letter = {
        "id": "event-1", "kind": "event", "callId": call_id, "queueId": None, "type": "call_answered",
        "reason": "Its predecessor never came.", "failedAt": "2026-01-31T12:00:00.000Z", "attempts": 1, "body": {},
    }  # fmt: skip
    told = json.dumps({"data": [letter], "nextCursor": None})
    page.route(re.compile("/api/dead-letters"), lambda route: route.fulfill(body=told, content_type="application/json"))
    page.goto(cloud.status["dashboard"])
    show(page, "letters")
    link = page.get_by_test_id("letter").get_by_role("button", name=call_id)
    expect(link).to_be_visible()
    card, box = page.get_by_test_id("letter").bounding_box(), link.bounding_box()
    assert card and box and box["x"] + box["width"] <= card["x"] + card["width"]

    navigation = page.locator(".nav").bounding_box()
    assert navigation and (navigation["x"], navigation["width"]) == (0, 360)

    show(page, "figures")
    expect(page.get_by_test_id("figure-asa")).to_be_visible()
    cut = "labels => labels.filter(label => label.scrollWidth > label.clientWidth).map(label => label.textContent)"
    assert page.locator(".tile-label:visible").evaluate_all(cut) == []
    page.close()


def test_a_phone_tells_the_day_of_a_call_of_another_one(browser: Browser, cloud: Cloud) -> None:  # noqa: F811
    call_id, began = cloud.new_call_id(), {"type": "voice", "queueId": "legal_english"}
    told = {"event": "call_initiated", "callId": call_id, "occurredAt": "1999-08-01T10:00:00Z", **began}
    ended = {"event": "call_ended", "callId": call_id, "occurredAt": "1999-08-01T10:00:05Z"}
    history = [told, {**ended, "endReason": "abandoned", "duration": 0}]
    cloud.http.post(f"{cloud.status['api']}/api/events", params={"history": "true"}, json=history).raise_for_status()
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(cloud.status["dashboard"])
    show(page, f"calls?id={call_id}")
    expect(page.locator(f"[data-call-id={call_id}]").get_by_text("1 Aug 1999")).to_be_visible()
    page.close()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_view_in_any_state(
    browser: Browser,  # noqa: F811
    cloud: Cloud,
    scheme: Literal["light", "dark"],
    size: ViewportSize,
) -> None:
    page = browser.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page.goto(cloud.status["dashboard"].split("#")[0])
    expect(page.get_by_test_id("sign-in")).to_be_visible()
    found = {"sign-in": failings(page)}
    page.goto(cloud.status["dashboard"])
    expect(page.locator("[data-connection=live]").first).to_be_visible()
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="video", queueId="medical_spanish")
    cloud.post("call_routed", call_id, agentId="interpreter-13", routingTime=1)
    for address in (*VIEWS, f"floor?call={call_id}"):
        show(page, address)
        if "call=" in address:
            expect(page.get_by_test_id("offers")).to_be_visible()
        found[address] = failings(page)
    show(page, "floor")
    page.get_by_test_id("help").click()
    found["help"] = failings(page)
    page.keyboard.press("Escape")
    page.route(re.compile("/api/"), lambda route: route.fulfill(status=500, body="{}"))
    for address in ("figures", "letters", "calls?flag=rerouted"):
        show(page, address)
        expect(page.get_by_test_id("failed").first).to_be_visible()
        found[f"{address} failed"] = failings(page)
    page.reload()
    show(page, "floor")
    found["floor failed"] = failings(page)
    page.close()
    cloud.post("call_ended", call_id, endReason="abandoned", duration=0)
    assert {address: told for address, told in found.items() if told} == {}
