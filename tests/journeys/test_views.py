"""The views of the dashboard in a real browser, fed by the real cloud: what they show, and where their numbers lead."""

import json
import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.cloud import Cloud
from tests.support.pages import call_that_was_short, live, show

NewPage = Callable[[], Page]


def test_a_filter_lives_in_the_address_and_shows_its_calls_only(blank_page: Page, cloud: Cloud) -> None:
    queues = {language: cloud.new_queue(language) for language in ("es", "en")}
    page = blank_page
    page.goto(cloud.dashboard(*queues.values()))
    live(page)
    calls = {language: cloud.new_call_id() for language in queues}
    for language, call_id in calls.items():
        cloud.post("call_initiated", call_id, type="voice", queueId=queues[language])
    english = page.locator(f"[data-call-id={calls['en']}]")
    expect(english).to_be_visible()
    page.locator("[data-testid=language-card][data-language=es]").click()
    expect(english).to_have_count(0)
    expect(page).to_have_url(re.compile(r"#/floor\?language=es$"))
    page.reload()
    expect(page.locator(f"[data-call-id={calls['es']}]")).to_be_visible()
    expect(english).to_have_count(0)
    cloud.end_calls(*calls.values())


def test_a_figure_opens_the_calls_that_it_counts(page: Page, cloud: Cloud, queue: str) -> None:
    call_ids = [cloud.new_call_id() for _ in range(2)]
    for call_id in call_ids:
        cloud.post("call_initiated", call_id, type="voice", queueId=queue)
        cloud.post("call_ended", call_id, endReason="abandoned", duration=0)
    show(page, f"figures?queue={queue}")
    offered = page.get_by_test_id("figure-offered")
    expect(offered).to_have_attribute("data-value", "2")
    expect(page.get_by_test_id("chart").locator("canvas")).to_have_count(3)
    offered.click()
    expect(page.get_by_test_id("found-call")).to_have_count(2)
    page.locator(f"[data-call-id={call_ids[0]}] button").click()
    expect(page.get_by_test_id("history")).to_contain_text("Call came in")


def test_an_agent_s_row_shows_the_state_and_short_calls(page: Page, cloud: Cloud, queue: str, agent: str) -> None:
    call_id = cloud.new_call_id()
    show(page, "agents")
    row = page.locator(f"[data-agent-id={agent}]").first
    cloud.post("call_initiated", call_id, type="voice", queueId=queue)
    cloud.post("call_routed", call_id, agentId=agent, routingTime=1)
    expect(row).to_have_attribute("data-status", "offered")
    cloud.post("call_answered", call_id, waitTime=2)
    expect(row).to_have_attribute("data-status", "on_call")
    cloud.post("call_ended", call_id, endReason="completed", duration=3)
    page.reload()
    expect(page.get_by_test_id("bars-shortCalls").locator(f"[data-agent-id={agent}]")).to_be_visible()


def test_a_short_call_alerts_until_it_is_acknowledged(page: Page, cloud: Cloud, queue: str, agent: str) -> None:
    show(page, "alerts")
    call_id = call_that_was_short(cloud, queue, agent)
    alert = page.locator(f"[data-testid=alert][data-call-id={call_id}]")
    expect(alert).to_have_attribute("data-kind", "short_call")
    alert.get_by_test_id("acknowledge").click()
    expect(alert).to_have_count(0)
    page.get_by_test_id("show-seen").check()
    expect(alert).to_be_visible()


def test_a_queue_s_long_name_leaves_its_thresholds_in_sight(blank_page: Page, cloud: Cloud) -> None:
    queues = [cloud.new_queue(name="Donaudampfschifffahrt" * 6) for _ in range(4)]
    page = blank_page
    page.goto(cloud.dashboard(*queues))
    show(page, "alerts")
    expect(page.get_by_test_id(f"threshold-wait-{queues[1]}")).to_be_in_viewport(ratio=1)


def test_a_queue_beyond_its_threshold_alarms(page: Page, cloud: Cloud, queue: str) -> None:
    call_id = cloud.new_call_id()
    show(page, f"alerts?queue={queue}")
    threshold = page.get_by_test_id(f"threshold-waiting-{queue}")
    threshold.fill("0")
    threshold.blur()
    cloud.post("call_initiated", call_id, type="voice", queueId=queue)
    alarm = page.locator("[data-testid=alert][data-kind=queue_waiting]")
    expect(alarm).to_have_attribute("data-open", "true")
    cloud.post("call_ended", call_id, endReason="abandoned", duration=0)
    expect(alarm).to_have_attribute("data-open", "false")


def test_the_page_works_where_notifications_are_blocked(new_page: NewPage, cloud: Cloud, queue: str) -> None:
    page = new_page()
    page.add_init_script(
        """Notification = class {
             static permission = "granted";
             static requestPermission = async () => "granted";
             constructor() { throw new TypeError("Illegal constructor"); }
           };"""
    )
    page.goto(cloud.dashboard(queue))
    live(page)
    show(page, f"alerts?queue={queue}")
    page.get_by_test_id("notifications").check()
    threshold = page.get_by_test_id(f"threshold-waiting-{queue}")
    threshold.fill("0")
    threshold.blur()
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="voice", queueId=queue)
    expect(page.locator("[data-testid=alert][data-kind=queue_waiting]")).to_be_visible()
    expect(page.get_by_test_id("notifications")).not_to_be_checked()
    clock = page.get_by_test_id("server-time")
    expect(clock).not_to_have_text(clock.inner_text())
    cloud.end_calls(call_id)


def test_no_number_looks_current_while_the_api_fails(page: Page) -> None:
    failing = re.compile("/api/metrics")
    page.route(failing, lambda route: route.fulfill(status=500, body="{}"))
    show(page, "figures")
    expect(page.get_by_test_id("failed").first).to_be_visible()
    page.unroute(failing)
    page.get_by_role("button", name="Try now").first.click()
    expect(page.get_by_test_id("figure-offered")).to_be_visible()
    expect(page.get_by_test_id("last-updated")).to_contain_text("ago")
    page.route(failing, lambda route: route.fulfill(status=500, body="{}"))
    stale = page.get_by_test_id("stale").first
    expect(stale).to_contain_text("Refresh failed")
    expect(stale).not_to_have_text(stale.inner_text())  # its age goes on
    expect(page.get_by_test_id("figure-offered")).to_be_visible()
    expect(page.get_by_test_id("last-updated")).to_have_count(0)


def test_a_refused_token_ends_the_session_until_it_is_renewed(page: Page, cloud: Cloud, queue: str) -> None:
    page.route(re.compile("/api/dead-letters"), lambda route: route.fulfill(status=401, body="{}"))
    page.get_by_test_id("nav-dead-letters").click()
    expect(page.get_by_test_id("sign-in")).to_have_attribute("data-reason", "session_ended")
    page.unroute(re.compile("/api/dead-letters"))
    page.get_by_label("Token").fill(cloud.token(queue))
    page.get_by_label("Token").press("Enter")
    live(page)


def test_a_call_s_timeline_shows_each_offer_and_its_outcome(page: Page, cloud: Cloud, queue: str, agent: str) -> None:
    call_id, second = cloud.new_call_id(), f"b-{agent}"  # registered by the first event that names it
    cloud.post("call_initiated", call_id, type="voice", queueId=queue)
    cloud.post("call_routed", call_id, agentId=agent, routingTime=1)
    cloud.post("call_no_answer", call_id, agentId=agent)
    show(page, f"floor?call={call_id}")
    offers = page.get_by_test_id("offers")
    expect(offers.locator(f"[data-agent-id={agent}]")).to_have_attribute("data-outcome", "missed")
    cloud.post("call_routed", call_id, agentId=second, routingTime=1)
    cloud.post("call_answered", call_id, waitTime=2)
    expect(offers.locator(f"[data-agent-id={second}]")).to_have_attribute("data-outcome", "answered")
    page.locator("[data-event-type=call_no_answer] button").click()
    expect(page.get_by_test_id("raw-event")).to_contain_text(f'"{agent}"')
    # A page that is opened later learns it from the history.
    show(page, "floor")
    page.reload()
    expect(page.locator(f"[data-call-id={call_id}] [data-testid=missed-by]")).to_be_visible()
    cloud.post("call_ended", call_id, endReason="completed", duration=30)


def test_long_words_fit_on_a_narrow_phone(blank_page: Page, cloud: Cloud, queue: str) -> None:
    page = blank_page
    page.set_viewport_size({"width": 360, "height": 740})
    call_id = "c" * 128
    letter = {
        "id": "event-1", "kind": "event", "callId": call_id, "queueId": None, "type": "call_answered",
        "reason": "Its predecessor never came.", "failedAt": "2026-01-31T12:00:00.000Z", "attempts": 1, "body": {},
    }  # fmt: skip
    letters = json.dumps({"data": [letter], "nextCursor": None})
    page.route(
        re.compile("/api/dead-letters"), lambda route: route.fulfill(body=letters, content_type="application/json")
    )
    page.goto(cloud.dashboard(queue))
    show(page, "dead-letters")
    link = page.get_by_test_id("dead-letter").get_by_role("button", name=call_id)
    expect(link).to_be_visible()
    card, box = page.get_by_test_id("dead-letter").bounding_box(), link.bounding_box()
    assert card and box and box["x"] + box["width"] <= card["x"] + card["width"]

    navigation = page.get_by_role("navigation").bounding_box()
    assert navigation and (navigation["x"], navigation["width"]) == (0, 360)

    show(page, "figures")
    expect(page.get_by_test_id("figure-asa")).to_be_visible()
    cut = "labels => labels.filter(label => label.scrollWidth > label.clientWidth).map(label => label.textContent)"
    assert page.locator("[data-testid=tile-label]:visible").evaluate_all(cut) == []


def test_a_phone_tells_the_day_of_a_call_of_another_one(blank_page: Page, cloud: Cloud, queue: str) -> None:
    call_id = cloud.new_call_id()
    begun = {"event": "call_initiated", "callId": call_id, "occurredAt": "1999-08-01T10:00:00Z"}
    ended = {"event": "call_ended", "callId": call_id, "occurredAt": "1999-08-01T10:00:05Z"}
    history = [begun | {"type": "voice", "queueId": queue}, ended | {"endReason": "abandoned", "duration": 0}]
    cloud.http.post("/api/events", params={"history": "true"}, json=history).raise_for_status()
    page = blank_page
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(cloud.dashboard(queue))
    show(page, f"calls?id={call_id}")
    expect(page.locator(f"[data-call-id={call_id}]").get_by_text("1 Aug 1999")).to_be_visible()
