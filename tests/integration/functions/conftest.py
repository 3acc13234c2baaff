"""Fixtures for the functions."""

import asyncio

import pytest

from shared import wiring
from tests.support.sockets import CACHED, KEY, Sockets
from tests.support.stage import staged


@pytest.fixture
def play(database_url, monkeypatch):
    def forget():
        for cached in CACHED:
            cached.cache_clear()

    def run(body):
        async def on_stage():
            async with staged(database_url, "redis://127.0.0.1:1/0") as stage:
                for name, value in {
                    "DATABASE_URL": database_url,
                    "REDIS_URL": stage.redis_url,
                    "TOKEN_KEY": KEY,
                    "CONNECTIONS_URL": stage.gateway.url,
                    "AWS_ENDPOINT_URL": stage.gateway.url,
                    "AWS_ACCESS_KEY_ID": "test",
                    "AWS_SECRET_ACCESS_KEY": "test",
                }.items():
                    monkeypatch.setenv(name, value)
                forget()
                try:
                    await body(Sockets(stage))
                finally:
                    wiring.database().close()
                    wiring.connections().disconnect()
                    forget()

        asyncio.run(on_stage())

    return run
