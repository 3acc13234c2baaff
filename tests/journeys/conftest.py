"""A browser for the tests of a file, and pages in it."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.cloud import Cloud
from tests.support.pages import DESK, live


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Shared by the pages of a file: what one page has read and compiled, the next one finds in the cache."""
    context = browser.new_context(viewport=DESK)
    yield context
    context.close()


@pytest.fixture(scope="module")
def reused_page(context: BrowserContext) -> Page:
    """A page's process takes half a second of a processor to start: tests that can do so use this one in turn."""
    return context.new_page()


@pytest.fixture
def blank_page(reused_page: Page) -> Iterator[Page]:
    """An empty page, as if it were new. At the test's end what it stored is removed."""
    reused_page.set_viewport_size(DESK)
    yield reused_page
    leave(reused_page)
    reused_page.emulate_media(media="null", color_scheme="null", reduced_motion="null", forced_colors="null")
    reused_page.goto("about:blank")


@pytest.fixture
def new_page(context: BrowserContext) -> Iterator[Callable[[], Page]]:
    """Opens a page for this test alone. For what cannot be changed back on a page: its scripts, its WebSockets."""
    pages: list[Page] = []

    def open_page() -> Page:
        pages.append(context.new_page())
        return pages[-1]

    yield open_page
    for page in pages:
        leave(page)
        page.close()


def leave(page: Page) -> None:
    """Remove what the page stored, and what stands between it and the network."""
    page.unroute_all(behavior="ignoreErrors")
    page.evaluate(
        """() => {
          if (!location.protocol.startsWith("http")) return
          localStorage.clear()
          sessionStorage.clear()
        }"""
    )


@pytest.fixture
def queue(cloud: Cloud) -> str:
    """A queue that only this test uses."""
    return cloud.new_queue()


@pytest.fixture
def agent(cloud: Cloud, queue: str) -> str:
    """An agent who serves this test's queue only."""
    return cloud.new_agent(queue)


@pytest.fixture
def page(blank_page: Page, cloud: Cloud, queue: str) -> Page:
    """The live dashboard of a supervisor of this test's queue only."""
    blank_page.goto(cloud.dashboard(queue))
    live(blank_page)
    return blank_page
