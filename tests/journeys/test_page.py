"""The dashboard in a real browser, fed by the real cloud."""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect, sync_playwright
from websockets.sync.client import ClientConnection

from infra.toolchain.chromium import find
from shared.adapters import tokens
from tests.journeys.test_one_call import LIFE
from tests.support.cloud import Cloud, receive

PATIENCE_MS = 60_000  # a signal is waited for; a busy machine is no failure
expect.set_options(timeout=PATIENCE_MS)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = find()
    assert chromium, "Chromium is missing: `make test` installs it where it may"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=ARGUMENTS)
        yield browser
        browser.close()


class Lines:
    """Stands between a page and the feed: cuts the page's line, and lets none in while it is shut."""

    def __init__(self, page: Page) -> None:
        self.is_open = True
        self.let_in = 0
        self._ends: list[WebSocketRoute] = []
        page.route_web_socket(re.compile("."), self._connect)

    def _connect(self, line: WebSocketRoute) -> None:
        if self.is_open:
            self.let_in += 1
            self._ends += [line, line.connect_to_server()]
        else:
            line.close(code=1013)

    def cut(self) -> None:
        for end in self._ends:
            end.close(code=1001)
        self._ends.clear()


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


def live(page: Page) -> None:
    expect(page.locator("[data-connection=live]").first).to_be_visible()


def end(cloud: Cloud, *call_ids: str) -> None:
    for call_id in call_ids:
        cloud.post("call_ended", call_id, endReason="failed", duration=0)


def test_after_a_cut_the_page_is_told_what_it_missed(browser: Browser, cloud: Cloud) -> None:
    page = browser.new_page()
    lines = Lines(page)
    page.goto(cloud.status["dashboard"])
    live(page)
    offered, ended, begun = (cloud.new_call_id() for _ in range(3))
    for call_id in (offered, ended):
        cloud.post("call_initiated", call_id, type="voice", queueId="legal_spanish")
        expect(page.locator(f"[data-call-id={call_id}]")).to_be_visible()

    lines.is_open = False
    lines.cut()
    expect(page.locator("[data-connection=live]")).to_have_count(0)
    # From here on no list is read: what the page shows of what follows, the feed has sent again.
    page.route(re.compile(r"/api/calls\?"), lambda route: route.abort())
    cloud.post("call_routed", offered, agentId="interpreter-10", routingTime=1)
    end(cloud, ended)
    cloud.post("call_initiated", begun, type="voice", queueId="legal_spanish")
    lines.is_open = True
    expect(page.locator(f"[data-call-id={offered}]")).to_have_attribute("data-state", "ringing")
    expect(page.locator(f"[data-call-id={ended}]")).to_have_count(0)
    expect(page.locator(f"[data-call-id={begun}]")).to_be_visible()
    live(page)
    page.close()
    end(cloud, offered, begun)


def test_where_sockets_are_refused_the_page_polls_and_says_so(browser: Browser, cloud: Cloud) -> None:
    page = browser.new_page()
    nobody = {"api": cloud.status["api"], "websocket": "ws://127.0.0.1:9"}
    page.route(re.compile("config.json"), lambda route: route.fulfill(json=nobody))
    page.goto(cloud.status["dashboard"])
    expect(page.locator("[data-connection=polling]").first).to_be_visible()
    call_id = cloud.new_call_id()
    row = page.locator(f"[data-call-id={call_id}]")
    cloud.post("call_initiated", call_id, type="voice", queueId="legal_english")
    expect(row).to_be_visible()
    end(cloud, call_id)
    expect(row).to_have_count(0)
    page.close()


def test_a_token_that_expires_ends_the_session_and_another_resumes_it(browser: Browser, cloud: Cloud) -> None:
    page = browser.new_page()
    key = (cloud.home / "secrets" / "token-key").read_text().strip()
    short = tokens.mint(key, role="supervisor", ttl_seconds=3)
    page.goto(f"{cloud.status['dashboard'].split('#')[0]}#token={short}")
    expect(page.get_by_test_id("sign-in")).to_have_attribute("data-reason", "session_ended")
    expect(page.locator("[data-call-id]")).to_have_count(0)
    page.get_by_label("Token").fill(cloud.status["token"])
    page.keyboard.press("Enter")
    live(page)
    page.close()


def test_when_nothing_answers_the_picture_stays_and_says_its_age(browser: Browser, cloud: Cloud) -> None:
    page = browser.new_page()
    lines = Lines(page)
    call_id = cloud.new_call_id()
    row = page.locator(f"[data-call-id={call_id}]")
    cloud.post("call_initiated", call_id, type="voice", queueId="legal_english")
    page.goto(cloud.status["dashboard"])
    live(page)
    expect(row).to_be_visible()
    page.route(re.compile("/api/"), lambda route: route.fulfill(status=500, body="{}"))
    lines.is_open = False
    lines.cut()
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "offline")
    expect(row).to_be_visible()
    expect(page.get_by_test_id("age")).to_contain_text("ago")

    end(cloud, call_id)
    page.unroute_all()
    lines.is_open = True
    expect(row).to_have_count(0)
    live(page)
    page.close()


def test_an_api_that_never_answered_leaves_no_floor_that_looks_empty(browser: Browser, cloud: Cloud) -> None:
    page = browser.new_page()
    Lines(page).is_open = False
    page.route(re.compile("/api/"), lambda route: route.fulfill(status=500, body="{}"))
    page.goto(cloud.status["dashboard"])
    expect(page.get_by_test_id("unreachable")).to_be_visible()
    expect(page.get_by_test_id("empty")).to_have_count(0)
    page.close()


IS_WHAT_REST_TELLS = """async ([api, token]) => {
    const told = []
    let cursor = ""
    do {
        const address = `${api}/api/calls?status=waiting,active,on_hold&limit=500${cursor}`
        const answer = await fetch(address, { headers: { authorization: `Bearer ${token}` } })
        const { data, nextCursor } = await answer.json()
        told.push(...data)
        cursor = nextCursor === null ? null : `&cursor=${encodeURIComponent(nextCursor)}`
    } while (cursor !== null)
    const text = (calls) => calls.map(({ id, status, version }) => `${id} ${status} ${version}`).sort().join()
    return told.length > 0 && text(told) === text(switchboard.floor())
}"""


CUTS = 3


def test_two_browsers_show_the_floor_of_rest_after_three_cuts_each(
    browser: Browser, cloud: Cloud, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seconds: int = request.config.getoption("--simulate-seconds")  # pyright: ignore[reportAssignmentType] - it has a default
    sides: list[tuple[Page, Lines]] = []
    for _ in range(2):
        page = browser.new_page()
        sides.append((page, Lines(page)))
        page.goto(cloud.status["dashboard"])
        live(page)
    topics = [f"queue:{queue['id']}" for queue in cloud.get("/api/queues")["data"]]
    cuts = sides * CUTS
    between = 2 * seconds // (len(cuts) + 1)  # of the two callers a second
    with cloud.socket(*topics) as socket, simulation(cloud, tmp_path / "simulate.log", per_minute=120):
        heard = callers(socket)
        for page, lines in cuts:
            assert len(list(islice(heard, between))) == between
            live(page)
            lines.cut()
        assert len(list(islice(heard, between))) == between
    for page, lines in sides:
        page.wait_for_function(
            IS_WHAT_REST_TELLS, arg=[cloud.status["api"], cloud.status["token"]], timeout=PATIENCE_MS, polling=300
        )
        live(page)
        assert lines.let_in > CUTS
        page.close()
    end(cloud, *cloud.live_calls())


@contextmanager
def simulation(cloud: Cloud, report: Path, per_minute: int) -> Iterator[None]:
    """A floor that is played until the test has heard enough; its calls stay open."""
    command = cloud.command("simulate", "--calls-per-minute", str(per_minute), "--leave-open")
    with report.open("w") as log:
        playing = subprocess.Popen(command, env=cloud.environment, stdout=log, stderr=log)
    try:
        yield
        playing.send_signal(signal.SIGINT)
        assert playing.wait(timeout=PATIENCE_MS / 1000) == 0, report.read_text()
    finally:
        playing.kill()
        playing.wait()


def callers(socket: ClientConnection) -> Iterator[str]:
    """Each that calls, as the feed tells of it; a frame may tell of many."""
    while True:
        frame = receive(socket, lambda frame: frame["type"] == "update", seconds=PATIENCE_MS / 1000)
        yield from (event["callId"] for event in frame["events"] if event["type"] == "call_initiated")
