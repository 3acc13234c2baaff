"""What the browser tests do with a page of the dashboard."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, WebSocketRoute, expect, sync_playwright

from infra.toolchain.chromium import find
from tests.support.cloud import Cloud

SIGNAL_MS = 120_000
"""How long a page may take to show what it should. A quiet machine needs a second, and some more after a cold start."""
expect.set_options(timeout=SIGNAL_MS)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
DESK: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
AXE = Path(__file__).parents[2] / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    path = find()
    assert path, "Chromium is missing: `make test` installs it where it may"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *arguments], timeout=SIGNAL_MS)
        yield browser
        browser.close()


def live(page: Page) -> None:
    """Wait until the page follows the feed."""
    expect(page.locator("[data-connection=live]").first).to_be_visible()


def show(page: Page, address: str) -> None:
    """Go to a view, such as `calls?flag=short_call`."""
    page.evaluate("address => { location.hash = address }", f"#/{address}")
    expect(page.locator(f"[data-view={address.split('?')[0]}]")).to_be_visible()


class Network:
    """Stands between a page and the feed. Made before the page is opened."""

    def __init__(self, page: Page) -> None:
        self.is_open = True
        self.connections = 0
        self._ends: list[WebSocketRoute] = []
        page.route_web_socket(re.compile("."), self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        if self.is_open:
            self.connections += 1
            self._ends += [socket, socket.connect_to_server()]
        else:
            socket.close(code=1013)

    def cut(self) -> None:
        """Close the page's connection. The page may connect again while `is_open`."""
        for end in self._ends:
            end.close(code=1001)
        self._ends.clear()


def failings(page: Page) -> list[str]:
    """What axe finds, and whether the page is wider than its window."""
    expect(page.get_by_test_id("loading")).to_have_count(0)
    if page.evaluate("() => !window.axe"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("async () => (await axe.run()).violations")
    too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    wide = [f"{too_wide} px too wide"] if too_wide > 0 else []
    return wide + [f"{each['id']}: {json.dumps(each['nodes'][0]['target'])}" for each in found]


def call_that_was_short(cloud: Cloud, queue: str, agent: str) -> str:
    """A call that lasted three seconds. Returns its id."""
    call_id = cloud.new_call_id()
    cloud.post("call_initiated", call_id, type="voice", queueId=queue)
    cloud.post("call_routed", call_id, agentId=agent, routingTime=1)
    cloud.post("call_answered", call_id, waitTime=2)
    cloud.post("call_ended", call_id, endReason="completed", duration=3)
    return call_id
