"""Real Postgres, Redis and clouds for the tests that need them: own ports, own folders, stopped at the end."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import psycopg
import pytest
import redis

from infra.database import migrate
from infra.local.postgres import Postgres
from infra.local.redis import Redis
from infra.machine.ports import claim
from tests.support import shared
from tests.support.clock import Clock
from tests.support.cloud import Cloud
from tests.support.databases import copy_of
from tests.support.examples import register_profiles
from tests.support.paths import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A test database may lose its last second: no test pulls the plug of the machine.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
# Each worker of a function is a process, whose start takes most of a second of a processor.
FEW_WORKERS = {"SWITCHBOARD_WORKERS": "2"}
_alive = pytest.StashKey[TextIO]()

register_profiles()
# A shell without job control starts background commands with Ctrl-C ignored, and every child inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist starts the workers
def pytest_sessionstart(session: pytest.Session) -> None:
    if shared.is_main(session.config):
        session.config.stash[_alive] = shared.hold(_clouds(session.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """All workers have ended by now: nothing uses the clouds any more."""
    if alive := config.stash.get(_alive, None):
        left = shared.stop_all(_clouds(config))
        alive.close()
        if left:
            raise RuntimeError(f"These processes of the tests' clouds still run: {left}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that use a cloud come first: they last longest. The many quick files at the end keep all workers busy."""

    def rank(item: pytest.Item) -> int:
        names: list[str] = getattr(item, "fixturenames", [])
        return 0 if "exclusive_cloud" in names else 1 if "cloud" in names else 2

    ranks: dict[Path, int] = {}
    for item in items:
        ranks[item.path] = min(rank(item), ranks.get(item.path, 2))
    items.sort(key=lambda item: ranks[item.path])


def _clouds(config: pytest.Config) -> Path:
    # pytest has no public way to its temporary folder outside fixtures. pytest-xdist takes the same one.
    return shared.folder_of(config, config._tmp_path_factory)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def clouds_folder(request: pytest.FixtureRequest) -> Path:
    return _clouds(request.config)


@pytest.fixture(scope="session")
def cloud(clouds_folder: Path) -> Iterator[Cloud]:
    """The run's running cloud, shared by all tests of all workers.

    A test makes its own queues, agents and call ids, looks only at those, and neither stops nor changes what runs.
    """
    with shared.running(clouds_folder, "cloud", **FEW_WORKERS, SWITCHBOARD_UNREAD_SECONDS="2") as cloud:
        yield cloud


@pytest.fixture
def exclusive_cloud(clouds_folder: Path) -> Iterator[Cloud]:
    """A second cloud that one test at a time has alone, and may damage. The next test finds it running again."""
    with (
        shared.locked(clouds_folder / "exclusive.lock"),
        shared.running(clouds_folder, "exclusive", **FEW_WORKERS, SWITCHBOARD_RESTART_AFTER_SECONDS="1") as cloud,
    ):
        yield cloud


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Not for the whole session: while Playwright runs, no other test of the process can run an event loop."""
    from tests.support.pages import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    folder = tmp_path_factory.mktemp("postgres")
    server = Postgres(folder / "data", claim(), "test", folder / "postgres.log", FAST)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def template_database(postgres_server: Postgres) -> str:
    """The schema and the sample floor, migrated once and cloned for each test."""
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as connection:
        connection.execute("create database template_floor")
    migrate.migrate(postgres_server.url_of("template_floor"))
    migrate.load(postgres_server.url_of("template_floor"), REPOSITORY / "infra" / "database" / "sample.sql")
    return "template_floor"


@pytest.fixture
def database_url(postgres_server: Postgres, template_database: str) -> Iterator[str]:
    with copy_of(postgres_server, template_database) as url:
        yield url


@pytest.fixture(scope="session")
def _redis_of_all_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    folder = tmp_path_factory.mktemp("redis")
    server = Redis(claim(), folder, folder / "redis.log")
    yield server
    server.stop()


@pytest.fixture
def redis_server(_redis_of_all_tests: Redis) -> Redis:
    """Running and empty. A test may stop or kill it: the next test starts it again."""
    server = _redis_of_all_tests
    if server.process is None or server.process.poll() is not None:
        server.start()
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    return server


@pytest.fixture
def clock() -> Clock:
    return Clock()
