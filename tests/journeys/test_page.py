"""The dashboard in a real browser, fed by the real cloud."""

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from websockets.sync.client import ClientConnection

from tests.support.calls import steps_of
from tests.support.cloud import Cloud, receive
from tests.support.pages import SIGNAL_MS, Network, live

NewPage = Callable[[], Page]


def test_the_page_opens_signed_in_and_follows_a_call(page: Page, cloud: Cloud, queue: str, agent: str) -> None:
    call_id = cloud.new_call_id()
    row = page.locator(f"[data-call-id={call_id}]")
    *steps, last = steps_of(queue, agent)
    for event, fields, status in steps:
        version = cloud.post(event, call_id, **fields).json()["call"]["version"]
        expect(row).to_have_attribute("data-status", status)
        expect(row).to_have_attribute("data-version", str(version))

    row.click()
    history = page.get_by_test_id("history")
    for words in ("Call came in", "Answered"):
        expect(history).to_contain_text(words)
    event, fields, _ = last
    cloud.post(event, call_id, **fields)
    expect(row).to_have_count(0)


def test_the_page_shows_the_floor_that_rest_tells(page: Page, cloud: Cloud, queue: str) -> None:
    call_ids = {cloud.new_call_id() for _ in range(5)}
    for call_id in call_ids:
        cloud.post("call_initiated", call_id, type="voice", queueId=queue)
    for call_id in call_ids:
        expect(page.locator(f"[data-call-id={call_id}]")).to_be_visible()
    shown = {
        (row.get_attribute("data-call-id"), row.get_attribute("data-status"))
        for row in page.locator("[data-call-id]").all()
    }
    assert shown == {(call["id"], call["status"]) for call in cloud.live_calls(queue).values()}
    for call_id in call_ids:
        cloud.end_calls(call_id)
        expect(page.locator(f"[data-call-id={call_id}]")).to_have_count(0)


def test_without_a_token_the_page_asks_for_one_and_shows_nothing(blank_page: Page, cloud: Cloud) -> None:
    page = blank_page
    page.goto(cloud.status["dashboard"].split("#")[0])
    expect(page.get_by_test_id("sign-in")).to_be_visible()
    expect(page.locator("[data-call-id]")).to_have_count(0)


def test_after_a_lost_connection_the_page_catches_up(new_page: NewPage, cloud: Cloud, queue: str, agent: str) -> None:
    page = new_page()
    network = Network(page)
    page.goto(cloud.dashboard(queue))
    live(page)
    offered, ended, begun = (cloud.new_call_id() for _ in range(3))
    for call_id in (offered, ended):
        cloud.post("call_initiated", call_id, type="voice", queueId=queue)
        expect(page.locator(f"[data-call-id={call_id}]")).to_be_visible()

    network.is_open = False
    network.cut()
    expect(page.locator("[data-connection=live]")).to_have_count(0)
    # From here on no list is read: what the page shows of what follows, the feed has sent again.
    page.route(re.compile(r"/api/calls\?"), lambda route: route.abort())
    cloud.post("call_routed", offered, agentId=agent, routingTime=1)
    cloud.end_calls(ended)
    cloud.post("call_initiated", begun, type="voice", queueId=queue)
    network.is_open = True
    expect(page.locator(f"[data-call-id={offered}]")).to_have_attribute("data-state", "ringing")
    expect(page.locator(f"[data-call-id={ended}]")).to_have_count(0)
    expect(page.locator(f"[data-call-id={begun}]")).to_be_visible()
    live(page)
    cloud.end_calls(offered, begun)


def test_where_sockets_are_refused_the_page_polls_and_says_so(blank_page: Page, cloud: Cloud, queue: str) -> None:
    page = blank_page
    refused = {"api": cloud.status["api"], "websocket": "ws://127.0.0.1:9"}
    page.route(re.compile("config.json"), lambda route: route.fulfill(json=refused))
    page.goto(cloud.dashboard(queue))
    expect(page.locator("[data-connection=polling]").first).to_be_visible()
    call_id = cloud.new_call_id()
    row = page.locator(f"[data-call-id={call_id}]")
    cloud.post("call_initiated", call_id, type="voice", queueId=queue)
    expect(row).to_be_visible()
    cloud.end_calls(call_id)
    expect(row).to_have_count(0)


def test_an_expired_token_ends_the_session_and_a_new_one_resumes(blank_page: Page, cloud: Cloud, queue: str) -> None:
    page = blank_page
    short = cloud.token(queue, role="supervisor", ttl_seconds=3)
    page.goto(f"{cloud.status['dashboard'].split('#')[0]}#token={short}")
    expect(page.get_by_test_id("sign-in")).to_have_attribute("data-reason", "session_ended")
    expect(page.locator("[data-call-id]")).to_have_count(0)
    page.get_by_label("Token").fill(cloud.token(queue))
    page.keyboard.press("Enter")
    live(page)


def test_when_nothing_answers_the_picture_stays_and_says_its_age(new_page: NewPage, cloud: Cloud, queue: str) -> None:
    page = new_page()
    network = Network(page)
    call_id = cloud.new_call_id()
    row = page.locator(f"[data-call-id={call_id}]")
    cloud.post("call_initiated", call_id, type="voice", queueId=queue)
    page.goto(cloud.dashboard(queue))
    live(page)
    expect(row).to_be_visible()
    page.route(re.compile("/api/"), lambda route: route.fulfill(status=500, body="{}"))
    network.is_open = False
    network.cut()
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "offline")
    expect(row).to_be_visible()
    expect(page.get_by_test_id("age")).to_contain_text("ago")

    cloud.end_calls(call_id)
    page.unroute_all()
    network.is_open = True
    expect(row).to_have_count(0)
    live(page)


def test_a_page_without_answers_does_not_look_empty(new_page: NewPage, cloud: Cloud, queue: str) -> None:
    page = new_page()
    Network(page).is_open = False
    page.route(re.compile("/api/"), lambda route: route.fulfill(status=500, body="{}"))
    page.goto(cloud.dashboard(queue))
    expect(page.get_by_test_id("unreachable")).to_be_visible()
    expect(page.get_by_test_id("empty")).to_have_count(0)


SHOWS_WHAT_REST_RETURNS = """async ([api, token]) => {
    const calls = []
    let cursor = ""
    do {
        const address = `${api}/api/calls?status=waiting,active,on_hold&limit=500${cursor}`
        const answer = await fetch(address, { headers: { authorization: `Bearer ${token}` } })
        const { data, nextCursor } = await answer.json()
        calls.push(...data)
        cursor = nextCursor === null ? null : `&cursor=${encodeURIComponent(nextCursor)}`
    } while (cursor !== null)
    const text = (calls) => calls.map(({ id, status, version }) => `${id} ${status} ${version}`).sort().join()
    return calls.length > 0 && text(calls) === text(switchboard.floor())
}"""


@pytest.mark.parametrize(
    ("pages", "cuts", "between"),
    [(1, 1, 5), pytest.param(2, 3, 12, marks=pytest.mark.deep)],
    ids=["one page, one cut", "two pages, three cuts each"],
)
def test_pages_show_the_floor_of_rest_after_cuts(
    new_page: NewPage, cloud: Cloud, tmp_path: Path, pages: int, cuts: int, between: int
) -> None:
    """So many callers arrive before the first cut, between cuts, and after the last one."""
    queues = [cloud.new_queue() for _ in range(2)]
    for _ in range(3):
        cloud.new_agent(*queues)
    sides: list[tuple[Page, Network]] = []
    for _ in range(pages):
        page = new_page()
        sides.append((page, Network(page)))
        page.goto(cloud.dashboard(*queues))
        live(page)
    topics = [f"queue:{queue}" for queue in queues]
    with cloud.socket(*topics) as socket, simulation(cloud, tmp_path / "simulate.log", queues):
        arrivals = callers(socket)
        for page, network in sides * cuts:
            assert len(list(islice(arrivals, between))) == between
            live(page)
            network.cut()
        assert len(list(islice(arrivals, between))) == between
    for page, network in sides:
        token = cloud.token(*queues)
        page.wait_for_function(
            SHOWS_WHAT_REST_RETURNS, arg=[cloud.status["api"], token], timeout=SIGNAL_MS, polling=300
        )
        live(page)
        assert network.connections > cuts
    cloud.end_calls(*cloud.live_calls(*queues))


@contextmanager
def simulation(cloud: Cloud, report: Path, queues: list[str]) -> Iterator[None]:
    """Two calls a second, until the test has heard enough; the calls stay open."""
    token = cloud.token(*queues)  # it moves no other queue's agents
    command = cloud.command("simulate", "--calls-per-minute", "120", "--leave-open", "--token", token)
    with report.open("w") as log:
        playing = subprocess.Popen(command, env=cloud.environment, stdout=log, stderr=log)
    try:
        yield
        playing.send_signal(signal.SIGINT)
        assert playing.wait(timeout=SIGNAL_MS / 1000) == 0, report.read_text()
    finally:
        playing.kill()
        playing.wait()


def callers(socket: ClientConnection) -> Iterator[str]:
    """Each call that comes in, as the feed reports it. A frame may report many."""
    while True:
        frame = receive(socket, lambda frame: frame["type"] == "update")
        yield from (event["callId"] for event in frame["events"] if event["type"] == "call_initiated")
