"""A browser for the tests of a file, and pages in it."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.journeys.pages import DESK, chromium, live
from tests.support.cloud import Cloud


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the whole session: while Playwright runs, no other test of the process can run an event loop."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Shared by the pages of a file: what one page has read and compiled, the next one finds in the cache."""
    context = browser.new_context(viewport=DESK)
    yield context
    context.close()


@pytest.fixture
def new_page(context: BrowserContext) -> Iterator[Callable[[], Page]]:
    """Opens a blank page. At the test's end all pages are closed, and what they stored is removed."""
    yield context.new_page
    for page in context.pages:
        page.unroute_all(behavior="ignoreErrors")
        page.evaluate("() => { if (location.protocol.startsWith('http')) localStorage.clear() }")
        page.close()


@pytest.fixture
def queue(cloud: Cloud) -> str:
    """A queue that only this test uses."""
    return cloud.new_queue()


@pytest.fixture
def agent(cloud: Cloud, queue: str) -> str:
    """An agent who serves this test's queue only."""
    return cloud.new_agent(queue)


@pytest.fixture
def page(new_page: Callable[[], Page], cloud: Cloud, queue: str) -> Page:
    """The dashboard, live, of somebody who may see this test's queue only."""
    page = new_page()
    page.goto(cloud.dashboard(queue))
    live(page)
    return page
