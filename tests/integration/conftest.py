"""A floor without a cloud: the use cases on real Postgres, what they announce kept in a list, time in hand."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from infra.local.redis import Redis
from tests.support.clock import Clock
from tests.support.harness import Harness
from tests.support.rest import Api, serving
from tests.support.stage import Stage, staged


@pytest.fixture
def harness(database_url: str, clock: Clock) -> Iterator[Harness]:
    harness = Harness(database_url, clock)
    yield harness
    harness.database.close()


@pytest.fixture
def other_connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        yield connection


@pytest.fixture
async def stage(database_url: str, redis_server: Redis) -> AsyncIterator[Stage]:
    async with staged(database_url, redis_server.url) as stage:
        yield stage


@pytest.fixture
def api(database_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with serving(database_url, redis_server.url, monkeypatch) as api:
        yield api
